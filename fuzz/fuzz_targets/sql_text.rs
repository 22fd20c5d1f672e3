//! Any text is a statement or a typed error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = gaplock::sql::parse::parse(text);
});
