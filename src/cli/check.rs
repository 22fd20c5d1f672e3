//! `gaplock check`.

use std::path::Path;
use std::sync::Arc;

use gaplock_engine::db::{CheckReport, Durability, Engine, EngineConfig, RecoveryReport};
use gaplock_engine::error::{Error, StoreError};
use gaplock_engine::profile;
use gaplock_wal::{Disk, FileDisk, OverlayDisk};
use serde_json::json;

use super::Status;
use super::args::CheckArguments;
use super::diagnostics::Failure;
use super::output::{Output, Tone};

pub(super) fn check(arguments: &CheckArguments, output: &mut Output) -> Result<Status, Failure> {
    let directory = &arguments.directory;
    let name = directory.display().to_string();
    let disk = existing(directory)?;
    let (report, recovery) = match look(disk) {
        Ok(found) => found,
        Err(error) if is_damage(&error) => {
            let report = CheckReport {
                problems: vec![error.to_string()],
                ..CheckReport::default()
            };
            (report, RecoveryReport::default())
        }
        Err(error) => return Err(Failure::plain(format!("{name}: {error}"), None)),
    };
    let sound = report.problems.is_empty();
    if arguments.json {
        output.json(&as_json(&name, &report, &recovery));
    } else {
        print(&name, &report, &recovery, output);
    }
    Ok(if sound {
        Status::AsExpected
    } else {
        Status::NotAsExpected
    })
}

/// The disk of a directory that has a database.
pub(super) fn existing(directory: &Path) -> Result<Arc<dyn Disk>, Failure> {
    let name = directory.display();
    let nothing = || {
        let advice = "`gaplock run --db DIR FILE` makes one".to_owned();
        Failure::plain(format!("{name}: there is no database"), Some(advice))
    };
    if !directory.is_dir() {
        return Err(nothing());
    }
    let disk = FileDisk::open(directory)
        .map_err(|error| Failure::plain(format!("{name}: {error}"), None))?;
    let files = disk
        .list()
        .map_err(|error| Failure::plain(format!("{name}: {error}"), None))?;
    if files.iter().any(|file| file.starts_with("gaplock.")) {
        Ok(Arc::new(disk))
    } else {
        Err(nothing())
    }
}

/// Recovers and checks on an overlay, so that nothing is changed.
fn look(disk: Arc<dyn Disk>) -> Result<(CheckReport, RecoveryReport), Error> {
    // The profile decides which locks are taken, and nothing about files.
    let newest = profile::names()
        .into_iter()
        .filter_map(profile::find)
        .next();
    let newest = newest.expect("there are profiles");
    let config = EngineConfig::for_threads(newest).durable(Durability::default());
    let engine = Engine::open(config, Arc::new(OverlayDisk::new(disk)))?;
    Ok((engine.check()?, engine.recovery()))
}

/// Whether an error says that files are not what was written, as opposed to not readable.
fn is_damage(error: &Error) -> bool {
    use gaplock_wal::LogError;
    match error {
        Error::Store(StoreError::Damaged { .. } | StoreError::Incomplete { .. }) => true,
        Error::Store(StoreError::Log(error)) => matches!(
            **error,
            LogError::Damaged { .. } | LogError::Missing { .. } | LogError::OtherDatabase { .. }
        ),
        _ => false,
    }
}

fn print(name: &str, report: &CheckReport, recovery: &RecoveryReport, output: &mut Output) {
    if recovery.end > recovery.redo {
        output.line(&format!(
            "recovered in memory: {} mini-transactions done again, {} transactions rolled back",
            recovery.groups, recovery.rolled_back
        ));
    }
    for problem in &report.problems {
        output.toned(Tone::Bad, problem);
    }
    if report.problems.is_empty() {
        let CheckReport {
            tables,
            rows,
            entries,
            pages,
            free_pages,
            undo_records,
            ..
        } = report;
        let text = format!(
            "{name}: sound; {tables} tables, {rows} rows, {entries} index entries, {pages} pages \
             ({free_pages} free), {undo_records} undo records needed"
        );
        output.toned(Tone::Good, &text);
    } else {
        output.toned(Tone::Bad, &format!("{name}: NOT sound"));
    }
}

fn as_json(name: &str, report: &CheckReport, recovery: &RecoveryReport) -> serde_json::Value {
    json!({
        "directory": name,
        "sound": report.problems.is_empty(),
        "problems": report.problems,
        "tables": report.tables,
        "rows": report.rows,
        "entries": report.entries,
        "pages": report.pages,
        "free_pages": report.free_pages,
        "undo_records": report.undo_records,
        "recovery": {
            "redo": recovery.redo.0,
            "end": recovery.end.0,
            "groups": recovery.groups,
            "pages": recovery.pages,
            "committed": recovery.committed,
            "rolled_back": recovery.rolled_back,
        },
    })
}
