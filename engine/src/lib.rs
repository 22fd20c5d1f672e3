//! The gaplock storage engine.
