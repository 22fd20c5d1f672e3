//! The disk that fails on purpose is itself judged: by a model that keeps whole files as vectors, and
//! by cases small enough to be told by hand.

mod crash;
mod failure;
mod model;
