//! Any bytes as a life of an edge hub and a CloudHub together.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::scenario(data));
