//! A summary of a trace.

mod spread;

pub use spread::{Lengths, Spread};

use super::explain::{Biographer, Fate, Story};
use super::replay::{Replay, ReplayError, Replayed};
use super::{Moment, Trace};
use crate::hub::{Direction, DropReason, LinkEnd, LinkEpoch, Note, Output};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::time::Duration;
use serde::Serialize;

/// Requests that are listed: the slowest.
const SLOWEST: usize = 10;

/// One life of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkSpan {
    /// Which.
    pub epoch: LinkEpoch,
    /// When it came up.
    pub up: Instant,
    /// When it ended, and why; `None` if the trace ends first.
    pub down: Option<(Instant, LinkEnd)>,
}

/// A summary of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The time of the first and of the last record.
    pub span: (Instant, Instant),
    /// Inputs and outputs.
    pub inputs: u64,
    /// Outputs, notes included.
    pub outputs: u64,
    /// Messages that modules or the cloud sent, by direction: up, down.
    pub messages: [u64; 2],
    /// The lives of links.
    pub links: Vec<LinkSpan>,
    /// Time with a link.
    pub uptime: Duration,
    /// Attempts to open a link that failed.
    pub failed_attempts: u64,
    /// Round trips of pings.
    pub round_trips: Spread,
    /// From the module to the confirmation.
    pub confirmed_after: Spread,
    /// From the link to the module.
    pub delivered_after: Spread,
    /// Dropped messages by reason.
    pub drops: BTreeMap<String, u64>,
    /// The slowest requests: how long they waited, and their ids.
    pub slowest_requests: Vec<(Duration, Box<str>)>,
    /// Most messages in the outbox at one moment, and when.
    pub outbox_most: (usize, Instant),
}

#[derive(Default)]
struct Gathered {
    messages: [u64; 2],
    confirmed: Lengths,
    delivered: Lengths,
    requests: Vec<(Duration, Box<str>)>,
}

impl Gathered {
    fn take(&mut self, story: &Story) {
        let took = story.took();
        match story.direction {
            Direction::Up => {
                self.messages[0] += 1;
                took.into_iter().for_each(|took| self.confirmed.add(took));
            }
            Direction::Down => {
                self.messages[1] += 1;
                let arrived = took.filter(|_| story.fate() == Fate::Arrived);
                arrived.into_iter().for_each(|took| self.delivered.add(took));
            }
        }
        if let Some(waited) = story.waited() {
            self.requests.push((waited, story.msg_id.clone()));
            if self.requests.len() > 2 * SLOWEST {
                self.keep_slowest();
            }
        }
    }

    fn keep_slowest(&mut self) {
        self.requests.sort_by(|one, other| other.cmp(one));
        self.requests.truncate(SLOWEST);
    }
}

/// Summarises a whole trace.
pub fn stats(trace: &Trace<'_>) -> Result<(Stats, Replayed), ReplayError> {
    let mut gathered = Gathered::default();
    let mut biographer = Biographer::new(|story| {
        if story.is_from_outside() {
            gathered.take(&story);
        }
    });
    let begin = trace.header().begin.mono;
    let mut stats = Stats {
        span: (trace.blocks().first().map_or(begin, |block| block.begin()), begin),
        inputs: 0,
        outputs: 0,
        messages: [0; 2],
        links: Vec::new(),
        uptime: Duration::ZERO,
        failed_attempts: 0,
        round_trips: Spread::default(),
        confirmed_after: Spread::default(),
        delivered_after: Spread::default(),
        drops: BTreeMap::new(),
        slowest_requests: Vec::new(),
        outbox_most: (0, begin),
    };
    let (mut round_trips, mut drops) = (Lengths::default(), BTreeMap::<DropReason, u64>::new());
    let replayed = Replay::new(trace).without_comparing().run(|moment| {
        biographer.watch(moment);
        stats.take(moment, &mut round_trips, &mut drops);
        ControlFlow::Continue(())
    })?;
    biographer.finish();
    drop(biographer);
    gathered.keep_slowest();
    stats.inputs = replayed.inputs;
    stats.outputs = replayed.outputs;
    stats.messages = gathered.messages;
    stats.round_trips = round_trips.spread();
    stats.confirmed_after = gathered.confirmed.spread();
    stats.delivered_after = gathered.delivered.spread();
    stats.slowest_requests = gathered.requests;
    stats.drops = drops.into_iter().map(|(reason, count)| (format!("{reason}"), count)).collect();
    let end = stats.span.1;
    let lives = stats.links.iter().map(|link| link.down.map_or(end, |(down, _)| down).since(link.up));
    stats.uptime = lives.sum();
    Ok((stats, replayed))
}

impl Stats {
    fn take(
        &mut self,
        moment: &Moment<'_>,
        round_trips: &mut Lengths,
        drops: &mut BTreeMap<DropReason, u64>,
    ) {
        let now = moment.now.mono;
        self.span.1 = self.span.1.max(now);
        let outbox = moment.hub.queued() + moment.hub.unconfirmed();
        if outbox > self.outbox_most.0 {
            self.outbox_most = (outbox, now);
        }
        if moment.resumed && moment.hub.link_state().is_open() {
            self.links.push(LinkSpan { epoch: moment.hub.epoch(), up: now, down: None });
        }
        for output in moment.outputs {
            match output {
                Output::Note(Note::LinkUp { epoch, .. }) => {
                    self.links.push(LinkSpan { epoch: *epoch, up: now, down: None });
                }
                Output::Note(Note::LinkDown { epoch, end, .. }) => {
                    match self.links.last_mut().filter(|link| link.epoch == *epoch && link.down.is_none()) {
                        Some(link) => link.down = Some((now, *end)),
                        None => self.failed_attempts += 1,
                    }
                }
                Output::Note(Note::RoundTrip { rtt }) => round_trips.add(*rtt),
                Output::Note(Note::Dropped { reason, .. }) => *drops.entry(*reason).or_default() += 1,
                _ => {}
            }
        }
    }
}
