//! `gaplock log`.

use gaplock_engine::db::{LogEntry, LogEntryKind, log_text};
use serde_json::json;

use super::Status;
use super::args::LogArguments;
use super::check::existing;
use super::diagnostics::Failure;
use super::output::{Output, Tone};

pub(super) fn log(arguments: &LogArguments, output: &mut Output) -> Result<Status, Failure> {
    let name = arguments.directory.display();
    let disk = existing(&arguments.directory)?;
    let text = log_text(&disk, arguments.limit)
        .map_err(|error| Failure::plain(format!("{name}: {error}"), None))?;
    for entry in &text.entries {
        if arguments.json {
            output.json(&as_json(entry));
        } else {
            output.lines(entry.to_string().lines());
        }
    }
    if arguments.json {
        return Ok(Status::AsExpected);
    }
    let closed = if text.clean {
        "; the database was closed in good order"
    } else {
        ""
    };
    let (redo, end) = (text.redo.0, text.end.0);
    let words = if text.entries.len() < arguments.limit {
        format!("recovery would begin at {redo}, the log ends at {end}{closed}")
    } else {
        format!("recovery would begin at {redo}; there is more: `--limit` says how much to print")
    };
    output.toned(Tone::Faint, &words);
    Ok(Status::AsExpected)
}

fn as_json(entry: &LogEntry) -> serde_json::Value {
    let (kind, changes, trx) = match &entry.what {
        LogEntryKind::Changes(changes) => ("group", Some(changes), None),
        LogEntryKind::Commit(trx) => ("commit", None, Some(*trx)),
        LogEntryKind::RolledBack(trx) => ("rolled back", None, Some(*trx)),
        LogEntryKind::Unknown(_) => ("unknown", None, None),
    };
    json!({
        "at": entry.start.0,
        "bytes": entry.length,
        "kind": kind,
        "transaction": trx,
        "changes": changes,
    })
}
