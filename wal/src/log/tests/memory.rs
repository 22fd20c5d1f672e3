//! Logs without files.

use crate::{Log, Lsn};

/// G1 and G2, with four threads appending.
#[test]
fn positions_are_given_out_once_and_in_order() {
    let log = Log::keeping(Lsn(100));
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let log = &log;
            scope.spawn(move || {
                let mut last = log.end();
                for n in 0..500 {
                    let end = log.append(1, &vec![1; (thread + n) % 7]);
                    assert!(end > last && log.end() >= end && log.durable() <= log.end());
                    last = end;
                }
            });
        }
    });
    let records = log.records();
    assert_eq!(records.len(), 2000);
    let mut at = 100;
    for record in &records {
        assert_eq!(record.start, Lsn(at));
        at += record.body.len().max(1) as u64;
        assert_eq!(record.end, Lsn(at));
    }
    let fork = log.fork();
    fork.append(1, b"x");
    assert_eq!(log.end(), Lsn(at));
    assert_eq!((fork.records().len(), log.records().len()), (2001, 2000));
}

/// G3: whoever looks at the end sees nothing move, and decisions are made in order.
#[test]
fn the_reservation_point_is_for_one() {
    for log in [Log::discarding(Lsn(0)), Log::keeping(Lsn(0))] {
        let decided = parking_lot::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (log, decided) = (&log, &decided);
                scope.spawn(move || {
                    for n in 0..300 {
                        match (thread + n) % 3 {
                            0 => drop(log.append(1, b"plain")),
                            1 => log.at_end(|end| {
                                std::thread::yield_now();
                                assert_eq!(log.end(), end);
                            }),
                            _ => {
                                log.append_with(2, b"decided", |end| {
                                    (n % 2 == 0).then(|| decided.lock().push(end))
                                });
                            }
                        }
                    }
                });
            }
        });
        let decided = decided.into_inner();
        assert!(decided.is_sorted() && decided.len() > 100);
        assert_eq!(log.end(), Lsn(400 * 5 + decided.len() as u64 * 7));
    }
}
