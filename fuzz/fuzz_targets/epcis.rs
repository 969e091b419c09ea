#![no_main]

#[path = "../targets/epcis.rs"]
mod epcis;

libfuzzer_sys::fuzz_target!(|data: &[u8]| epcis::check(data));
