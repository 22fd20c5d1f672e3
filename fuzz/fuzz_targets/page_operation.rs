//! Bytes of a log are page operations or refused; what is understood is written back the same.
#![no_main]

use gaplock_engine::page::PageOp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    if let Some(operation) = PageOp::decode(&mut rest) {
        let mut again = Vec::new();
        operation.encode(&mut again);
        assert_eq!(PageOp::decode(&mut again.as_slice()), Some(operation));
    }
});
