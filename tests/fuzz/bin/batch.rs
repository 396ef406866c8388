//! The fuzz target `batch`: `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer batch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| blocks_fuzz::batch(data));
