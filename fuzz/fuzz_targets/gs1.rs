#![no_main]

#[path = "../targets/gs1.rs"]
mod gs1;

libfuzzer_sys::fuzz_target!(|data: &[u8]| gs1::check(data));
