//! Statuses as servers printed them, shortened.

use super::*;

const MARIADB: &str = "
=====================================
INNODB MONITOR OUTPUT
=====================================
------------------------
LATEST DETECTED DEADLOCK
------------------------
2026-11-21 20:06:03 0x7f6e501206c0
*** (1) TRANSACTION:
TRANSACTION 1053, ACTIVE 0 sec inserting
------------
TRANSACTIONS
------------
Trx id counter 29
Purge done for trx's n:o < 27 undo n:o < 0 state: running but idle
History list length 3
LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION 28, ACTIVE 0 sec starting index read
mysql tables in use 1, locked 1
LOCK WAIT 2 lock struct(s), heap size 1128, 1 row lock(s), undo log entries 7
MariaDB thread id 6, OS thread handle 131330654021312, query id 17 localhost root Updating
update t set v='
TABLE LOCK table `no`
 0: len 4; hex 80000003; asc     ;;
' where id=3
Trx read view will not see trx with id >= 30, sees < 27
------- TRX HAS BEEN WAITING 670375 us FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 5 page no 3 n bits 320 index PRIMARY of table `gl`.`t` trx id 28 lock_mode X locks rec but not gap waiting
Record lock, heap no 3 PHYSICAL RECORD: n_fields 5; compact format; info bits 0
 0: len 4; hex 80000003; asc     ;;
 1: len 6; hex 000000000013; asc       ;;

------------------
---TRANSACTION 27, ACTIVE 1 sec
8 lock struct(s), heap size 1128, 6 row lock(s)
MariaDB thread id 5, OS thread handle 131330654328512, query id 15 localhost root User sleep
TABLE LOCK table `gl`.`t` trx id 27 lock mode AUTO-INC waiting
RECORD LOCKS space id 5 page no 4 n bits 320 index ka of table `gl`.`t` trx id 27 lock mode S locks gap before rec
Record lock, heap no 1 PHYSICAL RECORD: n_fields 1; compact format; info bits 0
 0: len 8; hex 73757072656d756d; asc supremum;;

Record lock, heap no 4 PHYSICAL RECORD: n_fields 3; compact format; info bits 32
 0: len 4; hex 80000032; asc    2;;
 1: SQL NULL;
 2: len 4; hex 80000005; asc     ;;

10 LOCKS PRINTED FOR THIS TRX: SUPPRESSING FURTHER PRINTS
--------
FILE I/O
--------
Pending flushes (fsync): 0
";

#[test]
fn who_waits_and_how_far_purge_is() {
    let report = parse(MARIADB).unwrap();
    assert_eq!(
        (report.counter, report.purged_below, report.history),
        (29, 27, 3)
    );
    assert!(report.purge_idle && !report.cut);
    let waiter = &report.trxs[0];
    assert_eq!((waiter.id, waiter.connection), (28, Some(6)));
    assert!(waiter.waiting && waiter.active);
    assert_eq!((waiter.structs, waiter.rows, waiter.undo), (2, 1, 7));
    assert_eq!(waiter.view, Some(30));
    assert!(!report.trxs[1].waiting);
    assert!(
        report
            .deadlock
            .unwrap()
            .ends_with("ACTIVE 0 sec inserting\n")
    );
}

#[test]
fn locks_are_read_and_statement_texts_are_not() {
    let report = parse(MARIADB).unwrap();
    let waiter = &report.trxs[0];
    assert_eq!(waiter.locks.len(), 1);
    assert_eq!(waiter.locks[0].index.as_deref(), Some("PRIMARY"));
    assert_eq!(waiter.locks[0].mode, "X locks rec but not gap waiting");
    let fields = [Some(vec![0x80, 0, 0, 3]), Some(vec![0, 0, 0, 0, 0, 0x13])];
    assert_eq!(
        waiter.locks[0].records,
        [StatusRecord::Fields(fields.to_vec())]
    );
    let holder = &report.trxs[1];
    assert!(holder.locks_cut);
    assert_eq!(holder.locks[0].mode, "AUTO-INC waiting");
    assert_eq!(holder.locks[1].mode, "S locks gap before rec");
    let fields = vec![
        Some(vec![0x80, 0, 0, 0x32]),
        None,
        Some(vec![0x80, 0, 0, 5]),
    ];
    assert_eq!(
        holder.locks[1].records,
        [StatusRecord::Supremum, StatusRecord::Fields(fields)]
    );
}

#[test]
fn a_status_without_transactions_is_an_error() {
    let error = parse("nothing").unwrap_err();
    assert!(matches!(error, LiveError::Status { .. }));
}
