//! Loads in virtual time: the same seed gives the same figures, and what is known of policies shows.

use gaplock::engine::profile::{Profile, find};
use gaplock::lab::bench::{
    Load, Outcome, PolicySet, Suite, VirtualClock, Workload, run_virtual, to_html,
};

const LOAD: Load = Load {
    clients: 64,
    transactions: 500,
    attempts_max: 20_000,
    seed: 1,
};

fn profile() -> Profile {
    find("mysql-5.7.37").expect("a known profile")
}

fn play_on(workload: Workload, policies: &str, load: &Load, processors: usize) -> Outcome {
    let set = PolicySet::parse(policies).expect("known policies");
    let clock = VirtualClock {
        processors,
        ..VirtualClock::default()
    };
    run_virtual(workload, &set, &profile(), load, &clock).expect("no engine fails")
}

fn play(workload: Workload, policies: &str) -> Outcome {
    play_on(workload, policies, &LOAD, 0)
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let load = Load {
        transactions: 200,
        ..LOAD
    };
    for (_, workload) in Workload::ALL {
        let first = play_on(workload, "vats", &load, 4);
        assert!(first.commits >= 200 && !first.cut_short, "{first:?}");
        assert_eq!(first, play_on(workload, "vats", &load, 4));
    }
    let other = Load { seed: 2, ..load };
    let (one, two) = (
        play_on(Workload::Zipfian, "fifo", &load, 0),
        play_on(Workload::Zipfian, "fifo", &other, 0),
    );
    assert_ne!(one, two, "the seed is of no consequence");
}

/// The eldest first, and the most blocked behind it first, get more done than first come, first
/// served, since a lock is let go sooner where more depends on it (VATS, SIGMOD 2017; CATS, PVLDB 2018).
#[test]
fn orders_that_know_more_get_more_done() {
    let [fifo, vats, cats] = ["fifo", "vats", "cats"].map(|p| play(Workload::Zipfian, p));
    assert!(vats.throughput > 1.5 * fifo.throughput, "{vats:?} {fifo:?}");
    assert!(cats.throughput > 1.5 * fifo.throughput, "{cats:?} {fifo:?}");
    assert!(vats.latency.p99 < fifo.latency.p99, "{vats:?} {fifo:?}");
}

#[test]
fn prevention_leaves_no_deadlock_and_costs_rollbacks() {
    let detected = play(Workload::DeadlockStorm, "fifo");
    assert!(detected.deadlocks > 0);
    for policies in ["wound-wait", "wait-die"] {
        let prevented = play(Workload::DeadlockStorm, policies);
        assert_eq!(prevented.deadlocks, 0, "{prevented:?}");
        assert!(prevented.prevented > 0, "{prevented:?}");
        assert!(prevented.aborts_per_commit > detected.aborts_per_commit);
    }
}

/// Without detection and prevention only time-outs end deadlocks, and much waiting is for nothing.
#[test]
fn time_outs_alone_get_least_done() {
    let [detected, timed_out] = ["fifo", "timeout-50ms"].map(|p| play(Workload::Zipfian, p));
    assert!(timed_out.timeouts > 0 && timed_out.deadlocks == 0);
    assert!(timed_out.throughput < detected.throughput);
}

#[test]
fn one_row_is_fair_by_arrival() {
    let hot = play(Workload::HotRow, "fifo");
    assert!(hot.fairness > 0.6 && hot.deadlocks == 0, "{hot:?}");
}

#[test]
fn a_page_has_every_run_and_a_suite_is_compared_with_itself() {
    let suite = Suite {
        seed: 1,
        outcomes: vec![
            play(Workload::HotRow, "fifo"),
            play(Workload::HotRow, "cats"),
        ],
    };
    let page = to_html(&suite);
    for word in ["hot-row", "fifo", "cats", "<svg", "</html>"] {
        assert!(page.contains(word), "no {word}");
    }
    assert!(!page.contains("http"), "the page needs nothing else");
    let text = serde_json::to_string(&suite).expect("figures have a JSON form");
    let read: Suite = serde_json::from_str(&text).expect("as it was written");
    let compared = read.over(&suite);
    assert_eq!(compared.len(), 2);
    assert!(compared.iter().all(|one| one.throughput == 1.0));
}

#[test]
fn wrong_policies_are_refused_with_what_there_is() {
    for (text, word) in [
        ("nonsense", "vats"),
        ("grant=cat", "cats"),
        ("victim=", "youngest"),
        ("timeout=soon", "soon"),
    ] {
        let error = PolicySet::parse(text).expect_err(text);
        assert!(error.contains(word), "{error}");
    }
}
