//! How a journal is opened.

use edgehub_core::journal::{Purpose, Settings};
use std::time::Duration;

/// How a journal is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it is for.
    pub purpose: Purpose,
    /// How large it may become, and what happens then.
    pub settings: Settings,
    /// Whether a segment that cannot be used is renamed to `….set-aside`, and the others are used without it. Otherwise
    /// it is the reason not to open the journal.
    pub set_aside: bool,
    /// How long it waits after a fault of the disk before it tries again.
    pub retry: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            purpose: Purpose::Messages,
            settings: Settings::default(),
            set_aside: false,
            retry: Duration::from_secs(1),
        }
    }
}
