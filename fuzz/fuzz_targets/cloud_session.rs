//! Any bytes as the life of a CloudHub.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::cloud_session(data));
