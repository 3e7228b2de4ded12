//! Recordings of random lives, replayed, cut, damaged and asked about.

mod asking;
mod damage;
mod explaining;
mod replaying;
mod ring;
mod secrets;
mod size;
mod source;
mod summing;
mod versions;
mod what_if;
mod words;
pub(super) mod world;
