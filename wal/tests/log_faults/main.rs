//! The log under crashes, failures and damage, judged by a list of what was appended.
//!
//! A script appends, flushes, makes checkpoints and forgets, on a disk that knows what a power
//! loss could leave at each call. Whatever is left is recovered, and must be
//!
//! - a prefix of what was appended (P2 of the promises): no record changed, moved or invented;
//! - with all in it that was acknowledged as durable (P1);
//! - a log that can be gone on with, also when recovery is interrupted itself;
//! - or, after damage, a typed error (P3). Never a wrong record, a panic or a hang.

mod crash;
mod damage;
mod failure;
mod lies;
mod random;
mod script;
