//! See `datasets::fuzzing::idx`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| datasets::fuzzing::idx(data));
