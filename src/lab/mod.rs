//! The lab: scenarios of several sessions played, explained, explored, and measured against
//! recordings of real servers.

pub mod conform;
pub mod scenario;
