//! Any answers to the questions of an identity.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::identity(data));
