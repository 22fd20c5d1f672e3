//! Any text is a scenario or a typed error that says where, never a panic.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = gaplock::lab::scenario::parse(Path::new("fuzz.scn"), text);
});
