//! Bugs on purpose: every hub of the world is made here, sound, or with the bug that a test has planted.
//!
//! With the cargo feature `canaries`, and only then, `with` gives every hub of a run one
//! [`Canary`](edgehub_core::canary::Canary). The bug belongs to the thread, so that nothing of the world has to carry
//! it about.

use edgehub_core::identity::{Identity, IdentityConfig};
use edgehub_core::journal::{Recovery, Settings, Writer};
use edgehub_core::{Config, Hub, Now};

/// A hub; see [`Hub::new`].
#[cfg(not(feature = "canaries"))]
pub(crate) fn hub(config: Config, seed: u64, now: Now) -> Hub {
    Hub::new(config, seed, now)
}

/// A hub, with the planted bug if there is one.
#[cfg(feature = "canaries")]
pub(crate) fn hub(config: Config, seed: u64, now: Now) -> Hub {
    let hub = Hub::new(config, seed, now);
    match planted::PLANTED.get() {
        Some(canary) => hub.with_canary(canary),
        None => hub,
    }
}

/// A journal's writer; see [`Writer::new`].
#[cfg(not(feature = "canaries"))]
pub(crate) fn writer(settings: Settings, recovery: Recovery) -> Writer {
    Writer::new(settings, recovery)
}

/// A journal's writer, with the planted bug if there is one.
#[cfg(feature = "canaries")]
pub(crate) fn writer(settings: Settings, recovery: Recovery) -> Writer {
    let writer = Writer::new(settings, recovery);
    match planted::IN_JOURNAL.get() {
        Some(canary) => writer.with_canary(canary),
        None => writer,
    }
}

/// An identity; see [`Identity::new`].
#[cfg(not(feature = "canaries"))]
pub(crate) fn identity(config: IdentityConfig, seed: u64, now: Now) -> Identity {
    Identity::new(config, seed, now)
}

/// An identity, with the planted bug if there is one.
#[cfg(feature = "canaries")]
pub(crate) fn identity(config: IdentityConfig, seed: u64, now: Now) -> Identity {
    let identity = Identity::new(config, seed, now);
    match planted::IN_IDENTITY.get() {
        Some(canary) => identity.with_canary(canary),
        None => identity,
    }
}

#[cfg(feature = "canaries")]
pub use planted::{with, with_identity, with_journal};

#[cfg(feature = "canaries")]
mod planted {
    use edgehub_core::canary::{Canary, IdentityCanary, JournalCanary};
    use std::cell::Cell;

    thread_local! {
        pub(super) static PLANTED: Cell<Option<Canary>> = const { Cell::new(None) };
        pub(super) static IN_JOURNAL: Cell<Option<JournalCanary>> = const { Cell::new(None) };
        pub(super) static IN_IDENTITY: Cell<Option<IdentityCanary>> = const { Cell::new(None) };
    }

    /// Every hub that `body` makes on this thread has the bug.
    pub fn with<T>(canary: Canary, body: impl FnOnce() -> T) -> T {
        let _uproot = Uproot(PLANTED.replace(Some(canary)), IN_JOURNAL.get(), IN_IDENTITY.get());
        body()
    }

    /// Every journal's writer that `body` makes on this thread has the bug.
    pub fn with_journal<T>(canary: JournalCanary, body: impl FnOnce() -> T) -> T {
        let _uproot = Uproot(PLANTED.get(), IN_JOURNAL.replace(Some(canary)), IN_IDENTITY.get());
        body()
    }

    /// Every identity that `body` makes on this thread has the bug.
    pub fn with_identity<T>(canary: IdentityCanary, body: impl FnOnce() -> T) -> T {
        let _uproot = Uproot(PLANTED.get(), IN_JOURNAL.get(), IN_IDENTITY.replace(Some(canary)));
        body()
    }

    /// Puts back what was planted before, also when the body panics.
    struct Uproot(Option<Canary>, Option<JournalCanary>, Option<IdentityCanary>);

    impl Drop for Uproot {
        fn drop(&mut self) {
            PLANTED.set(self.0);
            IN_JOURNAL.set(self.1);
            IN_IDENTITY.set(self.2);
        }
    }
}
