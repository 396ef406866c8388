//! The fuzz target `retry_after`: `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| blocks_fuzz::retry_after(data));
