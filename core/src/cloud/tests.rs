//! Behaviours, each a script; boundaries in pairs, just before and at.

mod acknowledged;
mod limits;
pub(super) mod script;
mod sessions;
mod upstream;
