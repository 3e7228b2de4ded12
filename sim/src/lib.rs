//! A deterministic world for the edge hub's core: virtual time, links, modules, a CloudHub and faults, from one seed.
//!
//! The world drives the real [`Hub`](edgehub_core::Hub) and the real
//! [`CloudHub`](edgehub_core::cloud::CloudHub) as a driver does, only that nothing in it is real: time jumps from event
//! to event, a link is two queues, a module is a few lines. A run has two phases. First everything may break, and the
//! [`checks`] hold after every single event (safety). Then the faults stop, and within a bound everything must be up,
//! delivered and answered (liveness).
//!
//! | file | its one job |
//! |---|---|
//! | `run` | one seed from start to end, many seeds, one seed twice |
//! | `world` | the event loop, and who is in the world |
//! | `world/edge`, `world/cloud` | a node with its driver and modules; CloudHub with its own |
//! | `world/network` | links: two streams with latency, room and an end on each side |
//! | `world/heal` | what must be true once the faults have stopped |
//! | `plan` | what a seed decides: sizes, settings, which faults |
//! | `faults`, `faults/*` | what can go wrong, one file each |
//! | `checks`, `checks/*` | what must hold, one file each |
//! | `log` | what is remembered of a run |
//! | `journal`, `disk` | the journal over a disk that loses, tears and rots |
//! | `fuzz` | the bodies of the fuzz targets, so that their corpus replays as a plain test |
#![forbid(unsafe_code)]

pub mod checks;
mod dice;
mod disk;
mod faults;
pub mod fuzz;
mod journal;
mod log;
mod plan;
mod queue;
mod run;
mod world;

pub use journal::{JournalReport, journal};
pub use log::{Log, LogKind};
pub use run::{Failure, Report, run, twice};
