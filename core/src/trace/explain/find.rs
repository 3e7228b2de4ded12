//! Finds a message in a trace, and replays no more than its story needs.

use super::biographer::Biographer;
use super::mention::may_mention;
use super::story::Story;
use crate::hub::Hub;
use crate::message::Message;
use crate::rng::Rng;
use crate::trace::{BlockKind, BlockPlace, Replay, ReplayError, Start, Trace};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
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

/// The stories of a message and of those that answer it: what [`stories`] says of them, in the same order.
///
/// Only the records that have to do with it are replayed. What modules and the cloud have sent the blocks' filters find;
/// what the hub made itself is found by its id, which is drawn from the hub's random numbers; what was there before the
/// trace begins, or before its next readable part does, is in the checkpoint there.
pub fn explain(trace: &Trace<'_>, msg_id: &str) -> Result<Vec<Story>, ReplayError> {
    explain_each(trace, &BTreeSet::from([msg_id.into()]))
}

/// The same for each of several messages.
pub(super) fn explain_each(trace: &Trace<'_>, ids: &Ids) -> Result<Vec<Story>, ReplayError> {
    let wanted = |story: &Story| ids.contains(&story.msg_id) || ids.contains(&story.parent_msg_id);
    let mut found = Vec::new();
    let mut biographer = Biographer::new(|story| {
        if wanted(&story) {
            found.push(story);
        }
    });
    let mut spans = spans(trace, ids).into_iter().peekable();
    while let Some(span) = spans.next() {
        let (mut until, mut is_at_end) = (span.end, true);
        Replay::near(trace, span.block).without_comparing().run(|moment| {
            biographer.watch(moment);
            // What can be reached from here is not begun anew.
            while let Some(next) = spans.next_if(|next| next.begin <= moment.record) {
                until = until.max(next.end);
            }
            if moment.record < until {
                return ControlFlow::Continue(());
            }
            // Open stories are looked through now and then only: there may be thousands.
            until = moment.record.saturating_add(LOOK_AGAIN);
            let goes_on = biographer.open().any(|story| wanted(story) && story.is_unsettled())
                || moment
                    .hub
                    .outbox_messages()
                    .any(|held| held.message.is_some_and(|message| is_of(message, ids)));
            is_at_end = goes_on;
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if is_at_end {
            break;
        }
    }
    biographer.finish();
    drop(biographer);
    Ok(found)
}

/// Messages that are asked for.
pub(super) type Ids = BTreeSet<Box<str>>;

/// Records between two looks at whether a story is over.
const LOOK_AGAIN: u64 = 500;

/// No hub draws more numbers: an id from further on was drawn by somebody else.
const DRAWN_MAX: u64 = 1 << 40;

/// A part of a trace that has to do with a message.
struct Span {
    /// A block in it, or the checkpoint at which it begins.
    block: usize,
    /// The first record of a replay that begins near it.
    begin: u64,
    /// The first record behind it.
    end: u64,
}

fn spans(trace: &Trace<'_>, ids: &Ids) -> Vec<Span> {
    // Where a replay begins that is to come to this block: the same for all up to the next checkpoint.
    let (mut spans, mut begin) = (Vec::new(), None);
    let mut known = (trace.header().start == Start::New).then_some(0);
    for (block, place) in trace.blocks().iter().enumerate() {
        let is_known = known == Some(place.first_record());
        let end = place.after();
        let is_about = match place.kind() {
            BlockKind::Records => holds(trace, place, ids),
            BlockKind::Checkpoint => {
                begin = None;
                !is_known && trace.restore(place).is_ok_and(|hub| hub_holds(&hub, ids))
            }
        };
        if is_about {
            let begin = *begin.get_or_insert_with(|| Replay::near(trace, block).begin());
            spans.push(Span { block, begin, end });
        }
        known = Some(end);
    }
    spans.extend(ids.iter().filter_map(|msg_id| made_in(trace, msg_id)));
    spans.sort_by_key(|span| (span.begin, span.end));
    spans
}

/// Where the hub made a message of this id, if it did: between two checkpoints, which say how many numbers it had drawn.
fn made_in(trace: &Trace<'_>, msg_id: &str) -> Option<Span> {
    let seed = trace.header().seed;
    let drawn = Some(Rng::before(msg_id)?.drawn(seed)).filter(|&drawn| drawn < DRAWN_MAX)?;
    let blocks = trace.blocks();
    let checkpoints: Vec<usize> =
        (0..blocks.len()).filter(|&block| blocks[block].kind() == BlockKind::Checkpoint).collect();
    let is_before =
        |&block: &usize| trace.restore(&blocks[block]).is_ok_and(|hub| hub.numbers_drawn(seed) <= drawn);
    let later = checkpoints.partition_point(is_before);
    let first = |at: usize| checkpoints.get(at).map(|&block| blocks[block].first_record());
    let end = first(later).or_else(|| Some(blocks.last()?.after())).unwrap_or_default();
    let before = later.checked_sub(1);
    let begin = before.and_then(first).unwrap_or_default();
    Some(Span { block: before.and_then(|at| checkpoints.get(at).copied()).unwrap_or_default(), begin, end })
}

fn is_of(message: &Message, ids: &Ids) -> bool {
    ids.contains(message.msg_id()) || ids.contains(message.parent_msg_id())
}

/// Whether a hub holds a message of one of these ids, or one that answers it.
fn hub_holds(hub: &Hub, ids: &Ids) -> bool {
    hub.outbox_messages()
        .any(|held| ids.contains(&*held.msg_id) || held.message.is_some_and(|message| is_of(message, ids)))
        || hub.joined_modules().any(|module| hub.inbox_messages(module).any(|message| is_of(message, ids)))
}

/// Whether a block has a record about one of these messages: its filter first, then its bytes, then its records.
fn holds(trace: &Trace<'_>, block: &BlockPlace, ids: &Ids) -> bool {
    let mut may_be_there = trace.may_hold(block, ids.iter().map(|id| &**id));
    if may_be_there.is_empty() {
        return false;
    }
    if let Ok(raw) = trace.raw(block) {
        may_be_there.retain(|id| may_mention(&raw, id));
    }
    if may_be_there.is_empty() {
        return false;
    }
    let mut found = false;
    let read = trace.each_record(block, |_, record| {
        found = record.message().is_some_and(|message| is_of(message, ids));
        !found
    });
    found || read.is_err()
}
