//! Everything that is tested from outside the crates.
//!
//! | module | what it shows |
//! |---|---|
//! | `laws` | the thirteen laws of the core, and what follows from them, over generated runs |
//! | `routing` | the routing tables of both profiles, written down a second time |
//! | `defects` | each known defect of the original, as a timeline in which it cannot happen |
//! | `classes` | what leaves, in which order, and what the sender is told |
//! | `duplicates` | what the cloud sends again is delivered once and acknowledged again |
//! | `probe` | a link without a session, a name used twice and a wrong heartbeat are found out |
//! | `endpoints` | of several endpoints: fail-over, stickiness, the way back |
//! | `renewal` | another certificate, and what becomes of the link |
//! | `lanes` | QUIC, and the WebSocket where UDP does not get through |
//! | `conformance` | conversations of the original, recorded, as traces of this hub |
//! | `traces` | traces that are committed replay, and so do those of real sockets; dumps; damage |
//! | `end_to_end` | hub and CloudHub over real sockets, in fair weather and foul |
//! | `workspace` | the arrows between the crates point the right way |
//!
//! `world` makes runs, `observer` watches them, `script` writes timelines, `recordings` reads the recorded ones.
// Clippy's own exception covers the test functions and not what helps them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What holds for every lane is compiled once for each.
#![allow(clippy::duplicate_mod)]

#[path = "all/classes.rs"]
mod classes;
#[path = "all/conformance.rs"]
mod conformance;
#[path = "all/defects.rs"]
mod defects;
#[path = "all/drain.rs"]
mod drain;
#[path = "all/duplicates.rs"]
mod duplicates;
#[path = "all/end_to_end.rs"]
mod end_to_end;
#[path = "all/endpoints.rs"]
mod endpoints;
#[path = "all/lanes.rs"]
mod lanes;
#[path = "all/laws.rs"]
mod laws;
#[path = "all/letters.rs"]
mod letters;
#[path = "all/observer.rs"]
mod observer;
#[path = "all/probe.rs"]
mod probe;
#[path = "all/property.rs"]
mod property;
#[path = "all/recordings.rs"]
mod recordings;
#[path = "all/renewal.rs"]
mod renewal;
#[path = "all/routing.rs"]
mod routing;
#[path = "all/script.rs"]
mod script;
#[path = "all/stored.rs"]
mod stored;
#[path = "all/traces.rs"]
mod traces;
#[path = "all/workspace.rs"]
mod workspace;
#[path = "all/world.rs"]
mod world;
