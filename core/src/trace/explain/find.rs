//! Finds a message in a trace, and replays no more than its story needs.

use super::biographer::Biographer;
use super::story::Story;
use crate::hub::{Input, JournalEvent, LinkEvent, ModuleEvent};
use crate::message::Message;
use crate::trace::{BlockKind, BlockPlace, Record, Replay, ReplayError, Trace};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// Every story of a trace that `keep` wants, in the order of their ends. Replays everything.
pub fn stories(trace: &Trace<'_>, mut keep: impl FnMut(&Story) -> bool) -> Result<Vec<Story>, ReplayError> {
    let mut kept = Vec::new();
    let mut biographer = Biographer::new(|story| {
        if keep(&story) {
            kept.push(story);
        }
    });
    Replay::new(trace).without_comparing().run(|moment| {
        biographer.watch(moment);
        ControlFlow::Continue(())
    })?;
    biographer.finish();
    drop(biographer);
    Ok(kept)
}

/// The stories of a message and of those that answer it. A message that modules or the cloud have sent is found by the
/// blocks' filters, and only its time is replayed; one that the hub made needs the whole trace.
pub fn explain(trace: &Trace<'_>, msg_id: &str) -> Result<Vec<Story>, ReplayError> {
    let wanted = |story: &Story| &*story.msg_id == msg_id || &*story.parent_msg_id == msg_id;
    let blocks: Vec<usize> = (0..trace.blocks().len())
        .filter(|&at| {
            trace.blocks()[at].kind() == BlockKind::Records && holds(trace, &trace.blocks()[at], msg_id)
        })
        .collect();
    if blocks.is_empty() {
        return stories(trace, wanted);
    }
    let (mut found, mut reached) = (Vec::new(), 0);
    for (number, &at) in blocks.iter().enumerate() {
        let block = trace.blocks()[at];
        let end = block.first_record().saturating_add(u64::from(block.records()));
        if end <= reached {
            continue;
        }
        let later = blocks.get(number + 1).map(|&next| trace.blocks()[next].first_record());
        reached = one_stretch(trace, at, end, later, &wanted, &mut found)?;
    }
    Ok(found)
}

/// Replays from near a block until all it tells about the message is over; returns the record that was reached.
fn one_stretch(
    trace: &Trace<'_>,
    at: usize,
    end: u64,
    later: Option<u64>,
    wanted: &impl Fn(&Story) -> bool,
    found: &mut Vec<Story>,
) -> Result<u64, ReplayError> {
    let (mut until, mut reached) = (end, 0);
    let mut biographer = Biographer::new(|story| {
        if wanted(&story) {
            found.push(story);
        }
    });
    Replay::near(trace, at).without_comparing().run(|moment| {
        biographer.watch(moment);
        reached = moment.record;
        if moment.record < until {
            return ControlFlow::Continue(());
        }
        // Open stories are looked through now and then only: there may be thousands.
        until = moment.record + LOOK_AGAIN;
        let goes_on = biographer.open().any(|story| wanted(story) && story.is_unsettled())
            || later.is_some_and(|later| later <= moment.record);
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    biographer.finish();
    drop(biographer);
    Ok(reached)
}

/// Records between two looks at whether a story is over.
const LOOK_AGAIN: u64 = 500;

/// Whether a block has a record about a message: its filter first, then its records.
fn holds(trace: &Trace<'_>, block: &BlockPlace, msg_id: &str) -> bool {
    if !trace.may_hold(block, msg_id) {
        return false;
    }
    let is_it = |message: &Message| message.msg_id() == msg_id || message.parent_msg_id() == msg_id;
    let mut found = false;
    let read = trace.each_record(block, |_, record| {
        if let Record::Input { input, .. } = &record {
            found = match input {
                Input::Link { event: LinkEvent::Received(message), .. }
                | Input::Module { event: ModuleEvent::Sent { message, .. }, .. }
                | Input::Journal(JournalEvent::Restored { message, .. }) => is_it(message),
                _ => false,
            };
        }
        !found
    });
    found || read.is_err()
}
