//! The lab: scenarios of several sessions played, explained, explored, and measured against
//! recordings of real servers.

pub mod advise;
mod chance;
pub mod conform;
pub mod explore;
pub mod fuzz;
pub mod generate;
#[cfg(feature = "live")]
pub mod live;
pub mod machine;
pub mod prepare;
pub mod report;
pub mod runner;
pub mod say;
pub mod scenario;
pub mod shrink;
pub mod stress;
pub mod text;
pub mod world;
