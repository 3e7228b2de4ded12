//! A run before it has run: steps that say what to do *next*, and the strategies that make them.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// When a step happens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum When {
    /// At the same instant as the step before.
    Same,
    /// So many microseconds later.
    Plus(u64),
    /// When the hub wants it.
    Deadline,
    /// One microsecond before.
    JustBefore,
    /// Days late.
    Late(u64),
    /// The clock goes back by so many microseconds.
    Back(u64),
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Act {
    Tick,
    /// What a good link does next: opens, or takes everything written and answers the last ping.
    Serve,
    Opened,
    OpenFailed,
    Closed,
    /// Takes so many of the messages that were written.
    Flush(usize),
    FlushTooMuch,
    /// Answers the so-many-th ping of those on their way.
    Pong(usize),
    PongOfNothing(u64),
    Receive(Downstream),
    /// Answers the so-many-th request that ever left.
    Answer {
        request: usize,
        group: usize,
        error: bool,
    },
    Malformed(usize),
    /// An event of another link: `back` generations ago, or of the future.
    Stale {
        back: u64,
        event: usize,
    },
    Join {
        name: usize,
        groups: u8,
        credit: u32,
    },
    Leave(usize),
    Send(Upstream),
    /// Many at once.
    Flood {
        module: usize,
        messages: usize,
        size: usize,
    },
    /// Many at once, the other way.
    Torrent {
        messages: usize,
        size: usize,
    },
    Ready {
        module: usize,
        credit: u32,
    },
    Shutdown,
    Renewed,
    Reconfigure(usize),
    /// The disk answers so many of what it was asked.
    Disk(usize),
    /// The disk says something that may make no sense: which event, about which number.
    DiskSays(usize, u64),
}

/// A message from the cloud that answers nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Downstream {
    pub(super) group: usize,
    pub(super) source: usize,
    pub(super) operation: usize,
    pub(super) parent: bool,
    pub(super) size: usize,
}

/// A message of a module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upstream {
    pub(super) module: usize,
    pub(super) destination: usize,
    pub(super) operation: usize,
    pub(super) sync: bool,
    pub(super) same_id: bool,
    pub(super) size: usize,
    pub(super) timeout_ms: Option<u64>,
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) when: When,
    /// A jump of the wall clock, in milliseconds.
    pub(crate) wall: i64,
    pub(crate) act: Act,
}

/// A generated run, before it has run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) config: usize,
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => Just(When::Same),
        6 => (0u64..2_000_000).prop_map(When::Plus),
        4 => Just(When::Deadline),
        2 => Just(When::JustBefore),
        1 => (1u64..10).prop_map(When::Late),
        1 => (1u64..100_000_000).prop_map(When::Back),
    ]
}

fn upstream() -> impl Strategy<Value = Upstream> {
    let timeout = prop_oneof![4 => Just(None), 1 => (0u64..5_000).prop_map(Some)];
    (0usize..8, 0usize..8, 0usize..5, any::<bool>(), 0u8..12, 0usize..400, timeout).prop_map(
        |(module, destination, operation, sync, same_id, size, timeout_ms)| Upstream {
            module,
            // Mostly to the cloud.
            destination: if destination < 5 { destination } else { 0 },
            operation,
            sync,
            same_id: same_id == 0,
            size,
            timeout_ms,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let receive = (0usize..7, 0usize..4, 0usize..7, any::<bool>(), 0usize..400).prop_map(
        |(group, source, operation, parent, size)| {
            Act::Receive(Downstream { group, source, operation, parent, size })
        },
    );
    let credit = prop_oneof![Just(0u32), 1u32..5, Just(1_000_000)];
    prop_oneof![
        10 => Just(Act::Tick),
        16 => Just(Act::Serve),
        2 => Just(Act::Opened),
        1 => Just(Act::OpenFailed),
        2 => Just(Act::Closed),
        5 => (0usize..10).prop_map(Act::Flush),
        1 => Just(Act::FlushTooMuch),
        5 => (0usize..4).prop_map(Act::Pong),
        1 => any::<u64>().prop_map(Act::PongOfNothing),
        14 => receive,
        8 => (0usize..20, 0usize..7, any::<bool>())
            .prop_map(|(request, group, error)| Act::Answer { request, group, error }),
        1 => (0usize..4).prop_map(Act::Malformed),
        3 => (0u64..4, 0usize..7).prop_map(|(back, event)| Act::Stale { back, event }),
        9 => (0usize..6, any::<u8>(), credit.clone())
            .prop_map(|(name, groups, credit)| Act::Join { name, groups, credit }),
        1 => (0usize..8).prop_map(Act::Leave),
        24 => upstream().prop_map(Act::Send),
        1 => (0usize..8, 1usize..700, 0usize..300)
            .prop_map(|(module, messages, size)| Act::Flood { module, messages, size }),
        1 => (1usize..700, 0usize..300).prop_map(|(messages, size)| Act::Torrent { messages, size }),
        5 => (0usize..8, credit).prop_map(|(module, credit)| Act::Ready { module, credit }),
        1 => Just(Act::Shutdown),
        1 => Just(Act::Renewed),
        1 => (0usize..5).prop_map(Act::Reconfigure),
        4 => (0usize..20).prop_map(Act::Disk),
        1 => (0usize..9, 0u64..30).prop_map(|(event, number)| Act::DiskSays(event, number)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wall = prop_oneof![12 => Just(0i64), 1 => -10_000_000_000i64..10_000_000_000];
    (when(), wall, act()).prop_map(|(when, wall, act)| Step { when, wall, act })
}

/// Runs of up to `longest` steps, after two that make most of them meaningful.
pub(crate) fn plan(longest: usize) -> impl Strategy<Value = Plan> {
    let opening = [
        Act::Join { name: 0, groups: 0b00001, credit: 1_000_000 },
        Act::Join { name: 1, groups: 0b00110, credit: 2 },
        Act::Serve,
    ];
    let opening = opening.map(|act| Step { when: When::Plus(1_000), wall: 0, act });
    (0usize..5, any::<u64>(), any::<bool>(), prop::collection::vec(step(), 1..longest)).prop_map(
        move |(config, seed, settled, steps)| {
            let first = if settled { opening.to_vec() } else { Vec::new() };
            Plan { config, seed, steps: first.into_iter().chain(steps).collect() }
        },
    )
}
