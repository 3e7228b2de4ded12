//! Any bytes as the life of an edge hub.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::session(data));
