//! Bugs on purpose: a simulator that cannot find these proves nothing.
//!
//! Each variant is a mistake that a hub of this kind can make, planted at its place in the code as one `if`. They exist
//! with the cargo feature `canaries` only, one at a time, in a hub that was told so with `Hub::with_canary`. Without
//! the feature there is nothing to switch on: the question is a constant `false`, and nothing of it is compiled.

#[cfg(not(feature = "canaries"))]
use core::marker::PhantomData;
use serde::{Deserialize, Serialize};

/// The bugs of some machines, the list of them, and how a machine is given one.
macro_rules! bugs {
    (of $($machine:ty),*: $(#[$about:meta])* pub enum $kind:ident { $($(#[$what:meta])* $bug:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {
            $($(#[$what])* $bug,)*
        }

        impl $kind {
            /// All of them.
            pub const ALL: [$kind; [$(stringify!($bug)),*].len()] = [$($kind::$bug),*];
        }

        $(
            #[cfg(feature = "canaries")]
            impl $machine {
                /// The same with a bug.
                pub fn with_canary(mut self, canary: $kind) -> $machine {
                    self.plant($crate::canary::Planted { bug: Some(canary) });
                    self
                }
            }
        )*
    };
}

mod cloud;
mod hub;
mod identity;
mod journal;
mod lane;
mod recorder;

pub use cloud::CloudCanary;
pub use hub::Canary;
pub use identity::IdentityCanary;
pub use journal::JournalCanary;
pub use lane::LaneCanary;
pub use recorder::TraceCanary;

/// The bug that a machine was given, if any: one of a hub, unless it says another kind. It is not part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Planted<Bug = Canary> {
    #[cfg(feature = "canaries")]
    #[serde(skip)]
    bug: Option<Bug>,
    #[cfg(not(feature = "canaries"))]
    #[serde(skip)]
    bug: PhantomData<Bug>,
}

impl<Bug> Default for Planted<Bug> {
    fn default() -> Planted<Bug> {
        Planted { bug: Default::default() }
    }
}

impl<Bug: Copy + PartialEq> Planted<Bug> {
    /// Whether this bug is there.
    #[cfg(not(feature = "canaries"))]
    #[inline(always)]
    pub(crate) fn is(self, _: Bug) -> bool {
        let Planted { bug: PhantomData } = self;
        false
    }

    /// Whether this bug is there.
    #[cfg(feature = "canaries")]
    pub(crate) fn is(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}
