//! Bytes of an undo page are a record or refused; what is understood is written back the same.
#![no_main]

use gaplock_engine::undo::UndoRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = UndoRecord::decode(bytes) {
        assert_eq!(UndoRecord::decode(&record.encode()), Some(record));
    }
});
