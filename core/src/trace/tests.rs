//! Recordings of random lives, replayed, cut, damaged and asked about.

mod damage;
mod replaying;
pub(super) mod world;
