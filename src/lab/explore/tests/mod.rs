//! The search against plain depth-first search, on small programs drawn by chance.

mod battery;
