//! Any bytes as the answers of a proxy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgehub_sim::fuzz::proxy(data));
