//! Several streams as one lane, in any order and in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::lane(data));
