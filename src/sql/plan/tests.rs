//! Plans of small tables.
