//! Any bytes as a message to be written, and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::json(data));
