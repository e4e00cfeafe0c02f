//! See `datasets::fuzzing::gzip`.
#![no_main]

thread_local!(static SCRATCH: tempfile::TempDir = tempfile::tempdir().unwrap());

libfuzzer_sys::fuzz_target!(|data: &[u8]| SCRATCH.with(|scratch| datasets::fuzzing::gzip(data, scratch.path())));
