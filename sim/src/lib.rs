//! A deterministic world for the edge hub's core: virtual time, links, modules, a CloudHub and faults, from a scenario.
//!
//! The world drives any number of the real [`Hub`](edgehub_core::Hub) and a few of the real
//! [`CloudHub`](edgehub_core::cloud::CloudHub) as a driver does, only that nothing in it is real: time jumps from event
//! to event, a link is two queues, a module is a few lines. A run has two phases. First everything may break, and the
//! [`checks`] hold after every single event (safety). Then the faults stop, and within a bound everything must be up,
//! delivered and answered (liveness).
//!
//! What happens in a run is a [`Scenario`]: a list of explicit actions that can be read, edited and shrunk. A seed is
//! one way to come by a scenario, and the world knows nothing of seeds.
//!
//! | file | its one job |
//! |---|---|
//! | `scenario`, `scenario/*` | everything that happens, written out; its text form, both ways |
//! | `catalogue` | everything that an action can be |
//! | `faults/*`, `traffic` | what goes wrong, one family per file; what is sent anyway |
//! | `generate`, `generate/*`, `dice` | a scenario from a seed |
//! | `shrink`, `shrink/*` | the smallest scenario that fails alike |
//! | `swarm` | many seeds on many threads |
//! | `run`, `caught`, `watchdog` | one scenario from start to end; what panics in it; what never ends in it |
//! | `effects` | which of its actions did anything |
//! | `world` | the event loop, and who is in the world |
//! | `world/edge`, `driver`, `module`, `clock` | a node with its driver, modules and clocks |
//! | `world/cloud`, `cloud_modules`, `arrivals` | CloudHub with its driver, what is behind it, what has come there |
//! | `world/network`, `stream`, `dial`, `flow`, `harm` | links: two streams, how they begin, flow, end and are damaged |
//! | `world/heal`, `idle` | what must be true once the faults have stopped |
//! | `checks`, `checks/*` | what must hold after every event, one file each |
//! | `chance`, `key` | what a scenario leaves open; an id as a number |
//! | `log` | what is remembered of a run |
//! | `exhaustive` | every short history of one hub, and the picture of the link's life |
//! | `storm` | one restart of a cloud, seen by all its nodes |
//! | `flight` | every hub of a run recorded, and whether its trace answers as truly |
//! | `canary` | bugs on purpose, which the checks must find |
//! | `museum`, `museum/*` | the known defects of the original, shown on a model of it and absent in ours |
//! | `original` | how the original waits before it dials again |
//! | `journal`, `disk` | the journal over a disk that loses, tears and rots |
//! | `identity`, `identity/*` | the certificate machine over years, with a certificate service and liars
//! | `fuzz` | the bodies of the fuzz targets, so that their corpus replays as a plain test |
#![forbid(unsafe_code)]

pub mod canary;
pub mod catalogue;
mod caught;
mod chance;
pub mod checks;
mod classes;
mod dice;
mod disk;
mod effects;
pub mod exhaustive;
pub mod faithful;
mod faults;
mod flight;
pub mod fuzz;
mod generate;
mod identity;
pub mod import;
mod journal;
mod key;
mod log;
pub mod museum;
mod original;
#[cfg(test)]
mod phases;
mod queue;
#[cfg(test)]
mod regress;
mod run;
pub mod scenario;
mod shrink;
pub mod storm;
mod svg;
mod swarm;
mod traffic;
mod watchdog;
mod world;

pub use effects::Effects;
pub use flight::{WrongRecording, recorded};
pub use generate::generate;
pub use identity::{IdentityReport, identity, picture as identity_picture, years};
pub use journal::{JournalReport, dead_letters, journal};
pub use log::{Log, LogKind};
pub use run::{Failure, Recorded, Report, record, run};
pub use scenario::Scenario;
pub use shrink::{Shrunk, shrink, shrink_by};
pub use swarm::{Failed, Swarm, swarm};
pub use watchdog::{PATIENCE, Stuck, watched};
