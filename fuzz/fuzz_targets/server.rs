#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sotong_fuzz::server(input));
