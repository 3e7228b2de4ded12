//! Any bytes as a frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::frame(data));
