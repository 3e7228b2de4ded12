//! What became of a message, and why: from the trace alone.
//!
//! The replay makes everything again that the hub did; a [`Biographer`] watches it and writes one [`Story`] for each
//! message. Nothing here decides what a hub would do: it only listens.

mod biographer;
mod find;
mod mention;
mod search;
mod story;

pub use biographer::Biographer;
pub use find::{explain, stories};
pub use search::{Question, search};
pub use story::{Event, Fate, Rank, Story, What};
