//! The fuzz target `page`: `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| blocks_fuzz::page(data));
