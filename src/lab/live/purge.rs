//! Waiting until purge has removed what it may.
//!
//! An empty history list of a resting purge says so at once. Otherwise two changes of our own are
//! committed, one after the other, and purge has to pass both: it works in batches, one after the
//! other, so that when it takes up the second one it is done with all that was before the first.
//! Behind a read view purge passes nothing; there it is done when nothing changes any more. Where
//! `data_locks` lists the locks, the status leaves out transactions that only read, and so their
//! read views: there nothing has to change for longer.

use std::thread;
use std::time::Duration;

use super::error::LiveError;
use super::server::LiveServer;
use super::status::Report;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Looks after which purge counts as stuck.
const LOOKS_MAX: u32 = 3_000;

/// Looks without a change, behind a read view, after which purge counts as done.
const STILL_LOOKS: u32 = 20;

/// The same where it is not known whether there is a read view.
const STILL_LOOKS_UNKNOWN: u32 = 100;

/// Looks after which a change is committed again, in case purge was not woken.
const KICK_EVERY: u32 = 100;

/// How far purge is.
fn progress(report: &Report) -> (u64, u64) {
    (report.history, report.purged_below)
}

/// Waits for purge. False when it did not come to an end.
pub(super) fn drain(server: &mut LiveServer) -> Result<bool, LiveError> {
    let mut last = None;
    let mut still = 0;
    // Numbers of transactions that purge has to pass; the second one is given out only when it has
    // passed the first.
    let mut passed = 0;
    let mut target = None;
    for look in 1..=LOOKS_MAX {
        server.check_stop()?;
        let report = server.report()?;
        if report.history == 0 && report.purge_idle {
            return Ok(true);
        }
        let behind_view = report.trxs.iter().any(|trx| trx.view.is_some());
        let unchanged = last == Some(progress(&report));
        still = if unchanged { still + 1 } else { 0 };
        last = Some(progress(&report));
        let unknown = server.lists_data_locks && still >= STILL_LOOKS_UNKNOWN;
        if unknown || behind_view && still >= STILL_LOOKS {
            return Ok(true);
        }
        if behind_view {
            // Whatever is committed now, purge does not get there.
        } else if target.is_some_and(|target| report.purged_below > target) {
            passed += 1;
            if passed == 2 {
                return Ok(true);
            }
            target = Some(kick(server)?);
        } else if target.is_none() || !server.lists_data_locks && look % KICK_EVERY == 0 {
            let next = kick(server)?;
            target = target.or(Some(next));
        }
        thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Commits a change of our own; purge has passed it once it is done with numbers above this.
fn kick(server: &mut LiveServer) -> Result<u64, LiveError> {
    let before = server.report()?.counter;
    server.run(&format!(
        "UPDATE {}.kick SET n = n + 1 WHERE id = 1",
        server.own
    ))?;
    Ok(before)
}
