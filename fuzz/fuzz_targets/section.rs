#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ecphory_fuzz::index::section(data));
