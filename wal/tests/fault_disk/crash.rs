//! What a power loss leaves.

use std::collections::BTreeSet;

use gaplock_wal::Disk;
use gaplock_wal::fault::{CrashSettings, Damage, FaultDisk, Operation};

/// No torn writes.
fn whole() -> CrashSettings {
    CrashSettings {
        torn: 0,
        torn_together: 0,
        ..CrashSettings::default()
    }
}

fn contents(disk: &FaultDisk, name: &str, settings: &CrashSettings) -> BTreeSet<Option<Vec<u8>>> {
    disk.crash_states(settings)
        .map(|state| state.disk.content(name))
        .collect()
}

/// A durable file of `old`.
fn disk_with(name: &str, old: &[u8]) -> FaultDisk {
    let disk = FaultDisk::new();
    disk.put(name, old);
    disk
}

#[test]
fn each_subset_of_writes_may_be_kept_in_order() {
    let disk = disk_with("data", b"....");
    let file = disk.open("data", false).unwrap();
    for (at, byte) in [(0, b"aa"), (1, b"bb"), (2, b"cc")] {
        file.write_at(at, byte).unwrap();
    }
    assert_eq!(disk.unsynced(), 3);
    let found = contents(&disk, "data", &whole());
    let expected: [&[u8; 4]; 8] = [
        b"....", b"aa..", b".bb.", b"abb.", b"..cc", b"aacc", b".bcc", b"abcc",
    ];
    assert_eq!(
        found,
        expected.iter().map(|bytes| Some(bytes.to_vec())).collect()
    );
    file.sync().unwrap();
    assert_eq!(disk.unsynced(), 0);
    let found = contents(&disk, "data", &whole());
    assert_eq!(found, BTreeSet::from([Some(b"abcc".to_vec())]));
}

#[test]
fn a_created_file_goes_with_its_name() {
    let disk = FaultDisk::new();
    let file = disk.open("data", true).unwrap();
    file.write_at(0, b"x").unwrap();
    file.sync().unwrap();
    let both = BTreeSet::from([None, Some(b"x".to_vec())]);
    assert_eq!(contents(&disk, "data", &whole()), both);
    disk.sync_directory().unwrap();
    let there = BTreeSet::from([Some(b"x".to_vec())]);
    assert_eq!(contents(&disk, "data", &whole()), there);
    disk.remove("data").unwrap();
    assert_eq!(contents(&disk, "data", &whole()), both);
    assert_eq!(disk.durable_content("data").unwrap(), b"x");
    assert_eq!(disk.content("data"), None);
    file.write_at(0, b"y").unwrap();
    disk.sync_directory().unwrap();
    assert_eq!(contents(&disk, "data", &whole()), BTreeSet::from([None]));
    let mut byte = [0];
    file.read_at(0, &mut byte).unwrap();
    assert_eq!(&byte, b"y", "who has it open still does");
}

#[test]
fn a_rename_happens_whole() {
    let disk = disk_with("a", b"old");
    disk.put("b", b"new");
    disk.rename("b", "a").unwrap();
    disk.rename("a", "c").unwrap();
    let found: BTreeSet<Vec<String>> = disk
        .crash_states(&whole())
        .map(|state| state.disk.list().unwrap())
        .collect();
    let expected = [vec!["a", "b"], vec!["a"], vec!["c"], vec!["a", "c"]];
    let expected = expected
        .iter()
        .map(|names| names.iter().map(|name| (*name).to_owned()).collect())
        .collect();
    assert_eq!(found, expected);
}

/// Every byte is old or new; the cuts lie at sectors of the file, at blocks, and at bytes.
#[test]
fn a_write_is_torn_at_sectors_blocks_and_bytes() {
    let disk = disk_with("data", &[1; 9000]);
    let file = disk.open("data", false).unwrap();
    file.write_at(300, &[2; 5000]).unwrap();
    let settings = CrashSettings {
        torn: u32::MAX,
        ..CrashSettings::default()
    };
    let mut cuts = BTreeSet::new();
    let mut halves = 0;
    for content in contents(&disk, "data", &settings) {
        let content = content.unwrap();
        assert_eq!(content.len(), 9000);
        for (at, byte) in content.iter().enumerate() {
            assert!(*byte == 1 || *byte == 2 && (300..5300).contains(&at));
        }
        let changes: Vec<usize> = (1..9000)
            .filter(|at| content[*at] != content[at - 1])
            .collect();
        if let [300, cut] = changes[..] {
            cuts.insert(cut);
        }
        halves += usize::from(changes.len() > 2);
    }
    for cut in (512..5300).step_by(512).chain([301, 5300, 5299]) {
        assert!(cuts.contains(&cut), "not cut at {cut}: {cuts:?}");
    }
    assert!(cuts.iter().any(|cut| cut % 512 != 0));
    assert!(halves > 8, "{halves} with more than one part");
}

#[test]
fn a_longer_file_may_have_its_length_without_its_bytes() {
    let disk = disk_with("data", b"old");
    let file = disk.open("data", false).unwrap();
    file.write_at(3, b"new").unwrap();
    let found = contents(&disk, "data", &CrashSettings::default());
    for expected in [
        &b"old"[..],
        b"oldnew",
        b"old\0\0\0",
        b"oldn",
        b"oldn\0\0",
        b"old\0ew",
    ] {
        assert!(found.contains(&Some(expected.to_vec())), "{expected:?}");
    }
}

/// Above the bound: none, all, the first so many, all but one, one alone, and samples.
#[test]
fn many_changes_are_sampled_and_the_plain_states_are_always_there() {
    let disk = disk_with("data", &[0; 40]);
    let file = disk.open("data", false).unwrap();
    for at in 0..40 {
        file.write_at(at, &[1]).unwrap();
    }
    let found = contents(&disk, "data", &whole());
    let expected =
        |keep: &dyn Fn(usize) -> bool| Some((0..40).map(|at| u8::from(keep(at))).collect());
    for which in 0..40 {
        assert!(found.contains(&expected(&|at| at < which)));
        assert!(found.contains(&expected(&|at| at != which)));
        assert!(found.contains(&expected(&|at| at == which)));
    }
    assert!(found.contains(&expected(&|_| true)));
    assert!((200..=221).contains(&found.len()), "{}", found.len());
    let small = disk_with("data", &[0; 40]);
    let file = small.open("data", false).unwrap();
    for at in 0..12 {
        file.write_at(at, &[1]).unwrap();
    }
    assert_eq!(small.crash_states(&whole()).count(), 1 << 12);
}

#[test]
fn the_same_seed_gives_the_same_states_and_another_one_others() {
    let prints = |seed| -> Vec<u64> {
        let disk = disk_with("data", &[0; 40_000]);
        let file = disk.open("data", false).unwrap();
        for at in 0..30_u64 {
            file.write_at(at * 1000, &[1; 3000]).unwrap();
        }
        let settings = CrashSettings {
            seed,
            ..CrashSettings::default()
        };
        let states = disk.crash_states(&settings);
        states
            .inspect(|state| assert_eq!(state.fingerprint, state.disk.fingerprint(), "{state}"))
            .map(|state| state.fingerprint)
            .collect()
    };
    let first = prints(7);
    assert_eq!(first, prints(7));
    assert_ne!(first, prints(8));
    let distinct: BTreeSet<&u64> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
    assert!(first.len() > 250, "{}", first.len());
}

#[test]
fn one_run_gives_the_disk_before_each_call() {
    let disk = FaultDisk::new();
    disk.trace();
    disk.capture(0..u64::MAX);
    let file = disk.open("data", true).unwrap();
    file.write_at(0, b"one").unwrap();
    file.sync().unwrap();
    assert_eq!(file.len().unwrap(), 3);
    disk.sync_directory().unwrap();
    file.write_at(0, b"two").unwrap();
    let calls = disk.take_trace();
    let told: Vec<String> = calls.iter().map(ToString::to_string).collect();
    let expected = [
        "0 open data",
        "1 write data 3 bytes at 0",
        "2 sync data",
        "3 length data",
        "4 sync directory",
        "5 write data 3 bytes at 0",
    ];
    assert_eq!(told, expected);
    assert_eq!(disk.calls(), 6);
    let captured = disk.take_captured();
    let seen: Vec<_> = captured
        .iter()
        .map(|captured| {
            let disk = &captured.disk;
            let content = |name| disk.content(name).map(|c| String::from_utf8(c).unwrap());
            let durable = disk.without_unsynced().content("data");
            (captured.before.number, content("data"), durable.is_some())
        })
        .collect();
    let one = || Some("one".to_owned());
    let expected = [
        (0, None, false),
        (1, Some(String::new()), false),
        (2, one(), false),
        (4, one(), false),
        (5, one(), true),
    ];
    assert_eq!(seen, expected);
    assert_eq!(captured[0].before.operation, Operation::Open);
    assert_eq!(disk.with_unsynced().content("data").unwrap(), b"two");
}

#[test]
fn damage_is_seen_at_once_and_lasts() {
    let damaged = |damage: Damage| {
        let disk = disk_with("data", b"abcdef");
        let file = disk.open("data", false).unwrap();
        disk.damage("data", &damage).unwrap();
        let seen = disk.content("data").unwrap();
        assert_eq!(disk.without_unsynced().content("data").unwrap(), seen);
        let mut read = vec![0; seen.len()];
        file.read_at(0, &mut read).unwrap();
        assert_eq!(read, seen);
        String::from_utf8(seen).unwrap()
    };
    let set = |offset, bytes: &[u8]| Damage::Set {
        offset,
        bytes: bytes.to_vec(),
    };
    assert_eq!(damaged(Damage::FlipBit { offset: 1, bit: 0 }), "accdef");
    assert_eq!(damaged(Damage::FlipBit { offset: 9, bit: 0 }), "abcdef");
    assert_eq!(damaged(set(4, b"xyz")), "abcdxy");
    assert_eq!(damaged(Damage::Truncate { length: 2 }), "ab");
    let bytes = b"gh".to_vec();
    assert_eq!(damaged(Damage::Extend { bytes }), "abcdefgh");
    let (offset, length) = (2, 2);
    let zero = Damage::Zero { offset, length };
    assert_eq!(damaged(zero), "ab\0\0ef");
    let swap = Damage::Swap {
        offset: 0,
        with: 4,
        length,
    };
    assert_eq!(damaged(swap), "efcdab");
    let copy = Damage::Copy {
        offset: 0,
        to: 3,
        length,
    };
    assert_eq!(damaged(copy), "abcabf");
    let none = FaultDisk::new().damage("data", &set(0, b"x")).unwrap_err();
    assert_eq!(none.kind, std::io::ErrorKind::NotFound);
}
