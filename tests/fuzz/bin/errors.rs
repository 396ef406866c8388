//! The fuzz target `errors`: `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer errors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| blocks_fuzz::errors(data));
