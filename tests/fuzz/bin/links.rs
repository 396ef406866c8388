//! The fuzz target `links`: `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer links`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| blocks_fuzz::links(data));
