//! gaplock.
