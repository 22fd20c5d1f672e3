//! Plays the stories in `tests/stories`: commands, a line of dashes, what came of them.
//!
//! `UPDATE_STORIES=1 cargo test` rewrites what is expected; review the difference.
//!
//! | command | meaning |
//! |---|---|
//! | `rules R [flag ...]` | begin with an empty table: `arrival`, `weight`, `brent`, and changes |
//! | `begin 1 2 3` | make transactions known |
//! | `1 X next-key 5 [implicit] [refuse] [until 50] [as 7]` | request (`as`: its statement) |
//! | `1 IX table 3` | request a table lock |
//! | `undo 1 9`, `inherit 1 none`, `convert 1 5` | weight; inheritance; implicit to explicit |
//! | `end 1`, `back 1 X 5`, `back 1 AUTO_INC table 3`, `cancel 1`, `expire 50`, `sweep` | |
//! | `insert 7 before 9`, `remove 7 heir 9` | a record comes or goes |
//! | `move 4 to 6: 2>2 3>4` | records of page 4 are now on page 6 |
//! | `split-right 4 6 2`, `split-left`, `merge-right`, `merge-left`, `root-raise`, `discard` | |
//! | `locks`, `edges`, `counts 1`, `asks 1 AUTO_INC table 3` | pictures |
//!
//! A record is `5` (of page 4), `6/5` or `sup`.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use gaplock_lockmgr::{
    Answer, Beyond, DetectorKind, GrantKind, HeapNo, Inheritance, LockConfig, LockInfo, LockMode,
    LockSpan, LockTable, LockTarget, OnConflict, Origin, Outcome, PageAddress, RecordAddress,
    RecordRequest, TableId, TableMode, TableRequest, TrxId, VictimKind, Wake, Wakeup,
};

#[test]
fn stories_go_as_told() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .expect("the stories are there")
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a story can be read");
        let told = play(&text);
        if std::env::var_os("UPDATE_STORIES").is_some() {
            std::fs::write(&path, &told).expect("a story can be written");
        } else {
            assert!(told == text, "{} went otherwise:\n{told}", path.display());
        }
    }
}

/// Plays a whole file and returns it with what really came of each block.
fn play(text: &str) -> String {
    let mut table = LockTable::new(support::ARRIVAL);
    let mut told = String::new();
    for block in text.split("\n\n") {
        let (commands, has_result) = match block.split_once("----") {
            Some((commands, _)) => (commands, true),
            None => (block, false),
        };
        let mut result = String::new();
        for line in commands
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            command(&mut table, line, &mut result);
            table
                .check()
                .unwrap_or_else(|broken| panic!("after `{line}`: {broken}"));
        }
        assert!(
            has_result || result.is_empty(),
            "something came of {commands}:\n{result}"
        );
        if !told.is_empty() {
            told.push_str("\n\n");
        }
        told.push_str(commands.trim_end());
        if has_result {
            let _ = write!(told, "\n----\n{}", result.trim_end());
        }
    }
    told.push('\n');
    told
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse()
        .unwrap_or_else(|_| panic!("{word} is not a number"))
}

fn trx(word: &str) -> TrxId {
    TrxId(number(word))
}

fn page(word: &str) -> PageAddress {
    PageAddress {
        space: 1,
        page: number(word),
    }
}

fn heap(word: &str) -> HeapNo {
    match word {
        "sup" => HeapNo::SUPREMUM,
        word => HeapNo(number(word)),
    }
}

fn record(word: &str) -> RecordAddress {
    let (of, word) = word.split_once('/').unwrap_or(("4", word));
    RecordAddress {
        page: page(of),
        heap: heap(word),
    }
}

fn mode(word: &str) -> LockMode {
    match word {
        "S" => LockMode::S,
        "X" => LockMode::X,
        _ => panic!("{word} is no record lock mode"),
    }
}

fn table_mode(word: &str) -> TableMode {
    [
        TableMode::IS,
        TableMode::IX,
        TableMode::S,
        TableMode::X,
        TableMode::AutoInc,
    ]
    .into_iter()
    .find(|mode| mode.to_string() == word)
    .unwrap_or_else(|| panic!("{word} is no table lock mode"))
}

fn span(word: &str) -> LockSpan {
    [
        LockSpan::Record,
        LockSpan::Gap,
        LockSpan::NextKey,
        LockSpan::InsertIntention,
    ]
    .into_iter()
    .find(|span| span.to_string() == word)
    .unwrap_or_else(|| panic!("{word} is no span"))
}

fn rules(words: &[&str]) -> LockConfig {
    let mut config = match words[0] {
        "arrival" => support::ARRIVAL,
        "weight" => support::WEIGHT,
        "brent" => support::BRENT,
        other => panic!("unknown rules {other}"),
    };
    for word in &words[1..] {
        match *word {
            "bypass" => config.bypass_blocked_waiters = true,
            "upgrade" => config.next_key_upgrade_asks_gap = true,
            "whole-cycle" => config.victim = VictimKind::LightestInCycle,
            "shallow" => {
                config.detector = DetectorKind::DepthFirst {
                    depth: 1,
                    steps: 1_000_000,
                    beyond: Beyond::RequesterDies,
                }
            }
            "short" => {
                config.detector = DetectorKind::DepthFirst {
                    depth: 200,
                    steps: 2,
                    beyond: Beyond::RequesterDies,
                }
            }
            "nobody-looks" => config.detector = DetectorKind::Off,
            "from-2" => config.grant = GrantKind::ContentionAwareFrom(2),
            other => panic!("unknown change {other}"),
        }
    }
    config
}

fn command(table: &mut LockTable, line: &str, out: &mut String) {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["rules", ref rest @ ..] => *table = LockTable::new(rules(rest)),
        ["begin", ref all @ ..] => all.iter().for_each(|one| table.begin(trx(one))),
        ["undo", one, records] => table.set_undo_count(trx(one), number(records)),
        ["inherit", one, what] => table.set_inheritance(trx(one), inheritance(what)),
        ["convert", one, at] => {
            let created = table.convert_implicit(trx(one), record(at), Origin::default());
            let _ = writeln!(
                out,
                "{one}: {}",
                if created { "explicit" } else { "nothing" }
            );
        }
        ["end", one] => tell(out, &table.release_all(trx(one))),
        ["back", one, how, "table", which] => {
            let id = TableId(number(which));
            tell(out, &table.release_table(trx(one), id, table_mode(how)));
        }
        ["back", one, how, at] => {
            tell(out, &table.release_record(trx(one), record(at), mode(how)));
        }
        ["cancel", one] => tell(out, &table.cancel_wait(trx(one))),
        ["expire", now] => tell(out, &table.expire(number(now))),
        ["sweep"] => answer(out, None, &table.sweep()),
        ["locks"] => picture(out, &table.locks()),
        ["edges"] => edges(out, table),
        ["asks", one, how, "table", which] => {
            let found = table.table_conflict(trx(one), TableId(number(which)), table_mode(how));
            let _ = writeln!(
                out,
                "{one}: {}",
                found.map_or("free".into(), |by| format!("for {by}"))
            );
        }
        ["counts", one] => {
            let (structures, records) = table.counts(trx(one));
            let _ = writeln!(out, "{one}: {structures} structures, {records} row locks");
        }
        [one, how, "table", which, ..] => request_table(table, out, one, how, which),
        _ if line.starts_with(|first: char| first.is_ascii_digit()) => {
            request(table, out, &words);
        }
        _ => page_command(table, out, &words),
    }
}

fn page_command(table: &LockTable, out: &mut String, words: &[&str]) {
    match *words {
        ["insert", new, "before", successor] => {
            table.inherit_on_insert(record(new), record(successor));
        }
        ["remove", old, "heir", heir] => {
            tell(out, &table.inherit_on_remove(record(old), record(heir)));
        }
        ["move", from, "to", to, ref pairs @ ..] => {
            let pair = |word: &&str| {
                let (old, new) = word.split_once('>').expect("a pair is old>new");
                (heap(old), heap(new))
            };
            let moved: Vec<_> = pairs.iter().map(pair).collect();
            table.move_records(page(from), page(to.trim_end_matches(':')), &moved);
        }
        ["split-right", left, right, first] => {
            table.split_right(page(left), page(right), heap(first));
        }
        ["split-left", left, right, first] => {
            table.split_left(page(left), page(right), heap(first));
        }
        ["merge-right", right_first, left] => {
            tell(out, &table.merge_right(record(right_first), page(left)));
        }
        ["merge-left", left, heir, right] => {
            let heir = (heir != "none").then(|| heap(heir));
            tell(out, &table.merge_left(page(left), heir, page(right)));
        }
        ["root-raise", root, child] => table.root_raise(page(root), page(child)),
        ["lift", new, old] => table.copy_and_discard(page(new), page(old)),
        ["discard", heir, gone] => tell(out, &table.discard(record(heir), page(gone))),
        _ => panic!("unknown command {words:?}"),
    }
}

fn inheritance(word: &str) -> Inheritance {
    match word {
        "all" => Inheritance::ALL,
        "none" => Inheritance::NONE,
        "shared" => Inheritance {
            exclusive: false,
            ..Inheritance::ALL
        },
        "gaps" => Inheritance {
            record_only: false,
            ..Inheritance::ALL
        },
        _ => panic!("unknown inheritance {word}"),
    }
}

fn request(table: &LockTable, out: &mut String, words: &[&str]) {
    let mut request = RecordRequest {
        trx: trx(words[0]),
        at: record(words[3]),
        mode: mode(words[1]),
        span: span(words[2]),
        implicit: false,
        on_conflict: OnConflict::Wait(u64::MAX),
        origin: Origin::default(),
    };
    let mut options = words[4..].iter();
    while let Some(&option) = options.next() {
        let mut value = || options.next().expect("the option has a value");
        match option {
            "implicit" => request.implicit = true,
            "refuse" => request.on_conflict = OnConflict::Refuse,
            "until" => request.on_conflict = OnConflict::Wait(number(value())),
            "as" => request.origin.statement = number(value()),
            other => panic!("unknown option {other}"),
        }
    }
    answer(
        out,
        Some((table, request.trx)),
        &table.request_record(&request),
    );
}

fn request_table(table: &LockTable, out: &mut String, one: &str, how: &str, which: &str) {
    let request = TableRequest {
        trx: trx(one),
        table: TableId(number(which)),
        mode: table_mode(how),
        on_conflict: OnConflict::Wait(u64::MAX),
        origin: Origin::default(),
    };
    answer(
        out,
        Some((table, request.trx)),
        &table.request_table(&request),
    );
}

fn answer(out: &mut String, requester: Option<(&LockTable, TrxId)>, answer: &Answer) {
    for report in &answer.deadlocks {
        let members: Vec<String> = report.cycle.iter().map(|one| one.trx.to_string()).collect();
        let what = if report.too_deep {
            "too deep".to_owned()
        } else {
            members.join(" ")
        };
        let _ = writeln!(out, "deadlock {what}, victim {}", report.victim);
    }
    if let Some((table, trx)) = requester {
        let text = match answer.outcome {
            Outcome::Granted { newly: true } => "granted".to_owned(),
            Outcome::Granted { newly: false } => "granted, nothing stored".to_owned(),
            Outcome::Waiting => format!("waits for {}", blockers(table, trx)),
            Outcome::Refused => "refused".to_owned(),
            Outcome::QueueFull => "queue full".to_owned(),
            Outcome::Victim => "victim".to_owned(),
        };
        let _ = writeln!(out, "{trx}: {text}");
    }
    tell(out, &answer.wakeups);
}

fn blockers(table: &LockTable, trx: TrxId) -> String {
    let mut all: Vec<String> = Vec::new();
    for edge in table
        .wait_edges()
        .iter()
        .filter(|edge| edge.wanted.trx == trx)
    {
        let name = edge.blocking.trx.to_string();
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.join(" ")
}

fn tell(out: &mut String, wakeups: &[Wakeup]) {
    for Wakeup { trx, wake } in wakeups {
        let why = match wake {
            Wake::Granted => "granted",
            Wake::Retry => "asks again",
            Wake::Victim => "victim",
            Wake::TimedOut => "timed out",
        };
        let _ = writeln!(out, "wake {trx}: {why}");
    }
}

fn place(at: RecordAddress) -> String {
    let of = if at.page.page == 4 {
        String::new()
    } else {
        format!("{}/", at.page.page)
    };
    if at.heap.is_supremum() {
        format!("{of}sup")
    } else {
        format!("{of}{}", at.heap.0)
    }
}

fn one_lock(lock: &LockInfo) -> (String, String) {
    let (on, what) = match lock.target {
        LockTarget::Table { table, mode } => (format!("table {}", table.0), mode.to_string()),
        LockTarget::Record { at, mode, span } => (place(at), format!("{mode} {span}")),
    };
    let waits = if lock.waiting { " waits" } else { "" };
    let origin = match lock.origin.statement {
        0 => String::new(),
        statement => format!(" by statement {statement}"),
    };
    (on, format!("{} {what}{origin}{waits}", lock.trx))
}

fn picture(out: &mut String, locks: &[LockInfo]) {
    for lock in locks {
        let (on, what) = one_lock(lock);
        let _ = writeln!(out, "{on}: {what}");
    }
    if locks.is_empty() {
        out.push_str("no locks\n");
    }
}

fn edges(out: &mut String, table: &LockTable) {
    for edge in table.wait_edges() {
        let (on, wanted) = one_lock(&edge.wanted);
        let (_, blocking) = one_lock(&edge.blocking);
        let _ = writeln!(out, "{on}: {wanted} for {blocking}");
    }
}
