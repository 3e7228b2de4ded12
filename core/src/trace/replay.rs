//! Runs the real hub on what was recorded, and compares.

use super::block::BlockKind;
use super::digest::Digest;
use super::header::{Start, Versions};
use super::problem::Damage;
use super::reader::{BlockPlace, Trace};
use super::record::Record;
use super::summary::{Checking, Untrue};
use crate::hub::{Hub, Input, Output};
use crate::time::Now;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{ControlFlow, Range};

/// The first record at which the hub did something else than when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The number of the record that holds the digest.
    pub record: u64,
    /// The number of the first input whose outputs it covers.
    pub since: u64,
    /// When.
    pub now: Now,
    /// Outputs and their digest then.
    pub recorded: (u64, u64),
    /// … and now.
    pub replayed: (u64, u64),
    /// The inputs, which are the same on both sides.
    pub inputs: Vec<Input>,
    /// The outputs of the replay, the newest last; no more than a thousand.
    pub outputs: Vec<Output>,
    /// Who recorded, and who replays.
    pub versions: Versions,
}

/// Outputs and inputs that a divergence shows, at most.
const SHOWN_MAX: usize = 1000;

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { record, since, now, recorded, replayed, versions, .. } = self;
        let seconds = now.mono.0 as f64 / 1e6;
        if versions.are_different() {
            writeln!(
                f,
                "two versions of the hub part here: the newer one decides otherwise, or tells otherwise what it decides"
            )?;
        }
        writeln!(
            f,
            "record {record} at {seconds:.6} s differs; it covers the inputs from record {since} on"
        )?;
        writeln!(f, "recorded: {} outputs, digest {:016x}", recorded.0, recorded.1)?;
        writeln!(f, "replayed: {} outputs, digest {:016x}", replayed.0, replayed.1)?;
        versions.fmt(f)
    }
}

impl core::error::Error for Divergence {}

/// A block that says something of its messages which is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FalseSummary {
    /// Where the block begins, in bytes from the start of the file.
    pub offset: usize,
    /// Its first record, and the first behind it.
    pub records: Range<u64>,
    /// What is not so.
    pub untrue: Untrue,
}

impl fmt::Display for FalseSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FalseSummary { offset, records: Range { start, end }, untrue } = self;
        write!(f, "the block at byte {offset}, with the records from {start} up to {end}, is wrong: {untrue}")
    }
}

impl core::error::Error for FalseSummary {}

/// Why a replay did not reach the end as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayError {
    /// The hub did something else.
    Divergence(Box<Divergence>),
    /// The hub did the same, and a block is summed up wrongly: a question that trusts it would not find everything.
    FalseSummary(FalseSummary),
    /// No part of the trace can be replayed: it has no beginning and no readable checkpoint.
    NoBeginning,
    /// No part of the trace can be replayed: it has no beginning, and its checkpoints are states of another version.
    OtherVersion(Versions),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Divergence(divergence) => divergence.fmt(f),
            ReplayError::FalseSummary(summary) => summary.fmt(f),
            ReplayError::NoBeginning => f.write_str(
                "the trace has neither its beginning nor a checkpoint from which a replay can begin",
            ),
            ReplayError::OtherVersion(versions) => {
                write!(f, "the trace begins with the state of another version of the hub: {versions}")
            }
        }
    }
}

impl core::error::Error for ReplayError {}

/// What a whole replay came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Inputs handed to the hub.
    pub inputs: u64,
    /// Outputs that it gave.
    pub outputs: u64,
    /// Digests that were compared and were equal.
    pub compared: u64,
    /// Records that could not be replayed, because a damaged part and no checkpoint comes before them.
    pub skipped: u64,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// One input and what it led to.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The number of the record.
    pub record: u64,
    /// When.
    pub now: Now,
    /// What happened; `None` for what a new hub does by itself, and for a checkpoint from which the replay goes on.
    pub input: Option<&'a Input>,
    /// The hash of the message's content, where only that was kept.
    pub content_hash: Option<u64>,
    /// What the hub said to it.
    pub outputs: &'a [Output],
    /// The hub, afterwards.
    pub hub: &'a Hub,
    /// Whether this is a checkpoint after which the replay goes on without knowing what came before.
    pub resumed: bool,
}

/// A replay of a trace, from its beginning or from one of its checkpoints.
#[derive(Debug)]
pub struct Replay<'t, 'a> {
    trace: &'t Trace<'a>,
    from: usize,
    compare: bool,
    /// Whether anybody looks at inputs and outputs: if not, none is kept for longer than it takes to compare it.
    watched: bool,
}

/// Replays a whole trace and compares every digest.
pub fn replay(trace: &Trace<'_>) -> Result<Replayed, ReplayError> {
    let unwatched = Replay { watched: false, ..Replay::new(trace) };
    match unwatched.run(|_| ControlFlow::Continue(())) {
        // Once more, with the outputs that lead to it.
        Err(ReplayError::Divergence(_)) => Replay::new(trace).run(|_| ControlFlow::Continue(())),
        done => done,
    }
}

impl<'t, 'a> Replay<'t, 'a> {
    /// From the beginning.
    pub fn new(trace: &'t Trace<'a>) -> Replay<'t, 'a> {
        Replay { trace, from: 0, compare: true, watched: true }
    }

    /// From the last checkpoint before the block at this index that can be restored, or from the beginning.
    pub fn near(trace: &'t Trace<'a>, block: usize) -> Replay<'t, 'a> {
        let mut before = trace.blocks().iter().take(block.saturating_add(1));
        let is_good =
            |block: &BlockPlace| block.kind() == BlockKind::Checkpoint && trace.restore(block).is_ok();
        let from = before.rposition(is_good).unwrap_or(0);
        Replay { trace, from, compare: true, watched: true }
    }

    /// The number of the first record that it may come to.
    pub(super) fn begin(&self) -> u64 {
        match (self.from, self.trace.header().start) {
            (0, Start::New) => 0,
            (from, _) => self.trace.blocks().get(from).map_or(0, BlockPlace::first_record),
        }
    }

    /// Does not compare digests: for questions about a trace that is known to replay.
    pub fn without_comparing(self) -> Replay<'t, 'a> {
        Replay { compare: false, ..self }
    }

    /// Runs until the end, the first difference, or until `visit` breaks off. `visit` sees every input with what it led
    /// to.
    pub fn run(
        &self,
        mut visit: impl FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> Result<Replayed, ReplayError> {
        let header = self.trace.header();
        let mut run = Run {
            hub: None,
            next: 0,
            since: 0,
            now: header.begin,
            outputs: Vec::new(),
            digest: Digest::new(header.contents),
            compare: self.compare,
            watched: self.watched,
            checking: None,
            result: Replayed { damage: self.trace.damage().to_vec(), ..Replayed::default() },
        };
        let mut flow = ControlFlow::Continue(());
        if self.from == 0 && header.start == Start::New {
            run.hub = Some(Hub::new(header.config.clone(), header.seed, header.begin));
            flow = run.moment(0, None, None, false, &mut visit);
        }
        for block in &self.trace.blocks()[self.from..] {
            if flow.is_break() {
                return Ok(run.result);
            }
            flow = match block.kind() {
                BlockKind::Checkpoint => run.checkpoint(self.trace, block, &mut visit),
                BlockKind::Records => run.block(self.trace, block, &mut visit)?,
            };
        }
        // Only who began with the whole trace knows that no part of it can be replayed.
        if self.from == 0 && run.result.inputs == 0 && run.result.skipped > 0 {
            let other = run.result.damage.into_iter().find_map(|damage| match damage {
                Damage::OtherVersion { versions, .. } => Some(versions),
                _ => None,
            });
            return Err(other.map_or(ReplayError::NoBeginning, ReplayError::OtherVersion));
        }
        Ok(run.result)
    }
}

struct Run {
    hub: Option<Hub>,
    /// The number of the record that continues what the hub has seen.
    next: u64,
    /// The number of the first input since the last digest.
    since: u64,
    now: Now,
    /// Outputs of the present moment; while digests are compared, of all since the last one.
    outputs: Vec<Output>,
    digest: Digest,
    compare: bool,
    watched: bool,
    /// Whether the present block is summed up as it should be, if anybody asks.
    checking: Option<Checking>,
    result: Replayed,
}

impl Run {
    fn moment(
        &mut self,
        record: u64,
        input: Option<&Input>,
        content_hash: Option<u64>,
        resumed: bool,
        visit: &mut impl FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(hub) = &mut self.hub else { return ControlFlow::Continue(()) };
        if !self.watched {
            while let Some(output) = hub.poll_output() {
                self.digest.add(&output);
                self.checking.iter_mut().for_each(|checking| checking.output(&output));
                self.result.outputs += 1;
            }
            return ControlFlow::Continue(());
        }
        // What a divergence would show stays until the next digest; nobody else needs more than this moment's.
        if !self.compare || self.outputs.len() > SHOWN_MAX {
            self.outputs.clear();
        }
        let before = self.outputs.len();
        while let Some(output) = hub.poll_output() {
            self.outputs.push(output);
        }
        let outputs = self.outputs.get(before..).unwrap_or_default();
        self.result.outputs += outputs.len() as u64;
        if self.compare {
            outputs.iter().for_each(|output| self.digest.add(output));
        }
        if let Some(checking) = &mut self.checking {
            outputs.iter().for_each(|output| checking.output(output));
        }
        visit(&Moment { record, now: self.now, input, content_hash, outputs, hub, resumed })
    }

    /// Goes on from a checkpoint where nothing better is known.
    fn checkpoint(
        &mut self,
        trace: &Trace<'_>,
        block: &BlockPlace,
        visit: &mut impl FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.hub.is_some() && self.next == block.first_record() {
            return ControlFlow::Continue(());
        }
        match trace.restore(block) {
            Ok(hub) => {
                self.hub = Some(hub);
                self.next = block.first_record();
                self.since = self.next;
                self.now = block.head.begin;
                self.digest.take();
                self.moment(self.next, None, None, true, visit)
            }
            Err(damage) => {
                self.hub = None;
                self.result.damage.push(damage);
                ControlFlow::Continue(())
            }
        }
    }

    fn block(
        &mut self,
        trace: &Trace<'_>,
        block: &BlockPlace,
        visit: &mut impl FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReplayError> {
        if self.hub.is_none() || self.next != block.first_record() {
            self.hub = None;
            self.result.skipped += u64::from(block.records());
            return Ok(ControlFlow::Continue(()));
        }
        let (mut flow, mut divergence) = (ControlFlow::Continue(()), None);
        self.checking = block.summary().filter(|_| self.compare).map(Checking::of);
        let read = trace.each_record(block, |number, record| {
            self.next = number.saturating_add(1);
            match record {
                Record::Input { now, input, content_hash } => {
                    self.now = now;
                    self.result.inputs += 1;
                    let told = self.watched.then(|| input.clone());
                    if let Some(hub) = &mut self.hub {
                        let checking = &mut self.checking;
                        checking
                            .iter_mut()
                            .for_each(|checking| checking.step(hub.now().mono.max(now.mono), hub));
                        hub.handle(now, input);
                        checking.iter_mut().for_each(|checking| checking.stepped(hub));
                    }
                    flow = self.moment(number, told.as_ref(), content_hash, false, visit);
                }
                Record::Outputs { count, digest } => divergence = self.compare((count, digest), number),
            }
            flow.is_continue() && divergence.is_none()
        });
        let is_read = read.is_ok() && flow.is_continue();
        if let Err(damage) = read {
            self.hub = None;
            self.result.damage.push(damage);
        }
        let untrue = self.checking.take().and_then(Checking::end);
        match divergence {
            Some(divergence) => {
                let inputs = inputs_between(trace, divergence.since, divergence.record);
                let versions = trace.header().versions();
                Err(ReplayError::Divergence(Box::new(Divergence { inputs, versions, ..divergence })))
            }
            None => match untrue.filter(|_| is_read) {
                Some(untrue) => {
                    let records = block.first_record()..block.after();
                    Err(ReplayError::FalseSummary(FalseSummary { offset: block.offset(), records, untrue }))
                }
                None => Ok(flow),
            },
        }
    }

    fn compare(&mut self, recorded: (u64, u64), record: u64) -> Option<Divergence> {
        let replayed = self.digest.take().unwrap_or_default();
        let since = core::mem::replace(&mut self.since, record.saturating_add(1));
        if self.compare && replayed != recorded {
            let mut outputs = core::mem::take(&mut self.outputs);
            outputs.drain(..outputs.len().saturating_sub(SHOWN_MAX));
            let (now, inputs, versions) = (self.now, Vec::new(), Versions::default());
            return Some(Divergence { record, since, now, recorded, replayed, inputs, outputs, versions });
        }
        self.result.compared += u64::from(self.compare);
        self.outputs.clear();
        None
    }
}

/// The inputs of these records, the first ones of too many. They are read again: while nothing diverges, nobody keeps
/// them.
fn inputs_between(trace: &Trace<'_>, since: u64, until: u64) -> Vec<Input> {
    let mut inputs = Vec::new();
    let is_near = |block: &&BlockPlace| {
        let end = block.first_record().saturating_add(u64::from(block.records()));
        block.kind() == BlockKind::Records && block.first_record() <= until && end > since
    };
    for block in trace.blocks().iter().filter(is_near) {
        // It has just been read.
        let _ = trace.each_record(block, |number, record| {
            match record {
                Record::Input { input, .. } if number >= since && number < until => inputs.push(input),
                _ => {}
            }
            number < until && inputs.len() < SHOWN_MAX
        });
    }
    inputs
}
