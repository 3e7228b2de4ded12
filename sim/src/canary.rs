//! Bugs on purpose: every hub of the world is made here, sound, or with the bug that a test has planted.
//!
//! With the cargo feature `canaries`, and only then, `with` gives every hub of a run one
//! [`Canary`](edgehub_core::canary::Canary). The bug belongs to the thread, so that nothing of the world has to carry
//! it about.

use edgehub_core::cloud::{CloudConfig, CloudHub};
use edgehub_core::identity::{Identity, IdentityConfig};
use edgehub_core::journal::{Recovery, Settings, Writer};
use edgehub_core::package::{Arrived, Written};
use edgehub_core::trace::{Header, Recorder};
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

/// A flight recorder; see [`Recorder::new`].
#[cfg(not(feature = "canaries"))]
pub(crate) fn recorder(header: Header, key: u64, checkpoint_every: usize) -> Recorder {
    Recorder::new(header, key, checkpoint_every)
}

/// A flight recorder, with the planted bug if there is one.
#[cfg(feature = "canaries")]
pub(crate) fn recorder(header: Header, key: u64, checkpoint_every: usize) -> Recorder {
    let recorder = Recorder::new(header, key, checkpoint_every);
    match planted::IN_TRACE.get() {
        Some(canary) => recorder.with_canary(canary),
        None => recorder,
    }
}

/// Both accounts of a lane of several streams.
#[cfg(not(feature = "canaries"))]
pub(crate) fn lane() -> (Written, Arrived) {
    Default::default()
}

/// Both accounts of a lane of several streams, with the planted bug if there is one.
#[cfg(feature = "canaries")]
pub(crate) fn lane() -> (Written, Arrived) {
    match planted::IN_LANE.get() {
        Some(canary) => (Written::default().with_canary(canary), Arrived::default().with_canary(canary)),
        None => Default::default(),
    }
}

/// A CloudHub; see [`CloudHub::new`].
#[cfg(not(feature = "canaries"))]
pub(crate) fn cloud(config: CloudConfig, seed: u64, now: Now) -> CloudHub {
    CloudHub::new(config, seed, now)
}

/// A CloudHub, with the planted bug if there is one.
#[cfg(feature = "canaries")]
pub(crate) fn cloud(config: CloudConfig, seed: u64, now: Now) -> CloudHub {
    let cloud = CloudHub::new(config, seed, now);
    match planted::IN_CLOUD.get() {
        Some(canary) => cloud.with_canary(canary),
        None => cloud,
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
pub use planted::{with, with_cloud, with_identity, with_journal, with_lane, with_trace};

#[cfg(feature = "canaries")]
mod planted {
    use edgehub_core::canary::{Canary, CloudCanary, IdentityCanary, JournalCanary, LaneCanary, TraceCanary};
    use std::cell::Cell;
    use std::thread::LocalKey;

    thread_local! {
        pub(super) static PLANTED: Cell<Option<Canary>> = const { Cell::new(None) };
        pub(super) static IN_JOURNAL: Cell<Option<JournalCanary>> = const { Cell::new(None) };
        pub(super) static IN_LANE: Cell<Option<LaneCanary>> = const { Cell::new(None) };
        pub(super) static IN_CLOUD: Cell<Option<CloudCanary>> = const { Cell::new(None) };
        pub(super) static IN_TRACE: Cell<Option<TraceCanary>> = const { Cell::new(None) };
        pub(super) static IN_IDENTITY: Cell<Option<IdentityCanary>> = const { Cell::new(None) };
    }

    /// Every hub that `body` makes on this thread has the bug.
    pub fn with<T>(canary: Canary, body: impl FnOnce() -> T) -> T {
        plant(&PLANTED, canary, body)
    }

    /// Every journal's writer that `body` makes on this thread has the bug.
    pub fn with_journal<T>(canary: JournalCanary, body: impl FnOnce() -> T) -> T {
        plant(&IN_JOURNAL, canary, body)
    }

    /// Every CloudHub that `body` makes on this thread has the bug.
    pub fn with_cloud<T>(canary: CloudCanary, body: impl FnOnce() -> T) -> T {
        plant(&IN_CLOUD, canary, body)
    }

    /// Every identity that `body` makes on this thread has the bug.
    pub fn with_identity<T>(canary: IdentityCanary, body: impl FnOnce() -> T) -> T {
        plant(&IN_IDENTITY, canary, body)
    }

    /// Every lane of several streams that `body` makes on this thread has the bug.
    pub fn with_lane<T>(canary: LaneCanary, body: impl FnOnce() -> T) -> T {
        plant(&IN_LANE, canary, body)
    }

    /// Every flight recorder that `body` makes on this thread has the bug.
    pub fn with_trace<T>(canary: TraceCanary, body: impl FnOnce() -> T) -> T {
        plant(&IN_TRACE, canary, body)
    }

    /// A place where a bug is planted, by thread.
    type Bed<C> = LocalKey<Cell<Option<C>>>;

    fn plant<C: Copy + 'static, T>(bed: &'static Bed<C>, canary: C, body: impl FnOnce() -> T) -> T {
        let _uproot = Uproot(bed, bed.replace(Some(canary)));
        body()
    }

    /// Puts back what was planted before, also when the body panics.
    struct Uproot<C: Copy + 'static>(&'static Bed<C>, Option<C>);

    impl<C: Copy> Drop for Uproot<C> {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
}
