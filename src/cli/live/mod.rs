//! `gaplock record` and `gaplock compare`: cases on a real server.
//!
//! They need the feature `live`, which brings a client library. Without it the commands are there
//! and say how to get them.

pub(super) mod args;

#[cfg(feature = "live")]
mod cases;
#[cfg(feature = "live")]
mod compare;
#[cfg(feature = "live")]
mod record;

#[cfg(feature = "live")]
pub(super) use {compare::compare, record::record};

#[cfg(not(feature = "live"))]
mod without {
    use super::super::Status;
    use super::super::diagnostics::Failure;
    use super::super::output::Output;
    use super::args::{CompareArguments, RecordArguments};

    fn missing(command: &str) -> Result<Status, Failure> {
        Err(Failure::plain(
            format!("this gaplock was built without `{command}`"),
            Some("build it with: cargo install --path . --features live".to_owned()),
        ))
    }

    pub(in crate::cli) fn record(_: &RecordArguments, _: &mut Output) -> Result<Status, Failure> {
        missing("record")
    }

    pub(in crate::cli) fn compare(_: &CompareArguments, _: &mut Output) -> Result<Status, Failure> {
        missing("compare")
    }
}

#[cfg(not(feature = "live"))]
pub(super) use without::{compare, record};
