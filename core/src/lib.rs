//! The edge hub as a pure state machine.
//!
//! Everything that an edge hub decides is decided here: when to dial and when to give up, where a message goes,
//! who waits for which answer, what is kept, what is dropped and why. Nothing is *done* here: there is no clock,
//! no socket, no thread and no randomness in this crate. A driver feeds inputs and carries out outputs:
//!
//! 1. call [`Hub::handle`] with the present time and what happened;
//! 2. call [`Hub::poll_output`] until it returns `None`, doing what each [`Output`] says;
//! 3. sleep until [`Hub::next_deadline`], or until something happens;
//! 4. at the deadline, call `handle` with [`Input::Tick`];
//! 5. go back to 2.
//!
//! The same core runs under three drivers: the smol adapter of the `edgehub` crate, the simulator, and the replay of
//! a recorded run. The list of `(now, input)` determines every output, byte for byte.
//!
//! | module | what it holds |
//! |---|---|
//! | [`message`] | one message of the protocol: a frame and an index of it |
//! | [`package`] | the same message on the QUIC lane: framing and protobuf |
//! | [`hub`] | the edge side: link lifecycle, routing, sync keeper, outbox, modules |
//! | [`class`] | what is kept, for how long, and what gives way |
//! | [`cloud`] | the CloudHub side: sessions, acknowledged delivery |
//! | [`journal`] | what survives a crash: the format of the log, and who decides what is written |
//! | [`proxy`] | how a proxy is asked for a way |
//! | [`identity`] | the node's certificate: join, renewal, clock trouble |
//! | [`time`], [`rng`] | time as an argument, randomness as a seed |
//! | [`trace`] | the flight recorder: what happened, bit for bit, without the contents |
//! | [`limits`] | every bound, with its reason |
//! | [`violation`] | every rule a peer can break |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg_attr(not(feature = "canaries"), doc(hidden))]
pub mod canary;
pub mod class;
pub mod cloud;
pub mod config;
pub mod hub;
pub mod identity;
pub mod journal;
pub mod limits;
pub mod message;
pub mod package;
pub mod proxy;
pub mod rng;
pub mod time;
pub mod trace;
pub mod violation;

pub use class::{Class, Classes};
pub use config::{Acknowledge, Config, DuplicateWindow, Probe, Profile};
pub use hub::{Hub, Input, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Note, Output};
pub use message::{Content, Draft, Message};
pub use time::{Instant, Now, UnixMillis};
pub use violation::Violation;
