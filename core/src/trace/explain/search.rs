//! Searches a trace for the messages of one fate, and replays only where there can be any.
//!
//! Each block says whether something was dropped while it was written, and for how long at most something was on its way that
//! came to its end then. So whatever was dropped or late is whole in a replay that begins so long before such a block. What is still on
//! its way where a part of the trace ends began no earlier than the last checkpoint there can tell.

use super::biographer::Biographer;
use super::find::explain_each;
use super::story::{Fate, Story};
use crate::time::Instant;
use crate::trace::{BlockKind, BlockPlace, Replay, ReplayError, Summary, Trace};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cell::Cell;
use core::iter::Peekable;
use core::ops::ControlFlow;
use core::time::Duration;

/// Which messages are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Those that were dropped, at least in one copy.
    Dropped,
    /// Those that had neither arrived nor been dropped when the trace ends.
    Pending,
    /// Those that were on their way, or whose sender waited, for longer than this.
    Late(Duration),
}

impl Question {
    fn fits(self, story: &Story, now: Instant) -> bool {
        match self {
            Question::Dropped => matches!(story.fate(), Fate::Dropped(_)),
            Question::Pending => story.fate() == Fate::Pending,
            Question::Late(limit) => story.lasted(now) > limit,
        }
    }

    /// Whether a message that it asks for may have come to its end in a block.
    fn concerns(self, Summary { dropped, longest }: Summary) -> bool {
        match self {
            Question::Dropped => dropped > 0,
            Question::Pending => false,
            Question::Late(limit) => longest > limit,
        }
    }
}

/// The stories that a question asks for, in the order of their beginnings. Where there are more than `most`, some of them,
/// and no more than that.
pub fn search(trace: &Trace<'_>, question: Question, most: usize) -> Result<Vec<Story>, ReplayError> {
    let (mut found, mut unfinished): (Vec<Story>, BTreeSet<Box<str>>) = Default::default();
    let mut windows = windows(trace, question).into_iter().peekable();
    while let Some(left) = most.checked_sub(found.len() + unfinished.len()).filter(|&left| left > 0)
        && let Some(window) = windows.next()
    {
        let run = run(trace, window, &mut windows, question, left)?;
        unfinished.extend(run.unfinished.into_iter().take(left.saturating_sub(run.stories.len())));
        found.extend(run.stories);
    }
    let end = trace.blocks().iter().map(BlockPlace::end).max().unwrap_or_default();
    let finished = if unfinished.is_empty() { Vec::new() } else { explain_each(trace, &unfinished)? };
    let asked = |story: &Story| unfinished.contains(&story.msg_id) && question.fits(story, end);
    found.extend(finished.into_iter().filter(asked));
    found.sort_by_key(|story| story.events.first().map(|event| event.record));
    found.dedup();
    found.truncate(most);
    Ok(found)
}

/// A part of a trace that must be replayed.
struct Window {
    /// The checkpoint at which the replay begins, or a block before the first one.
    block: usize,
    /// The first record of that replay.
    begin: u64,
    /// The first record behind what was to be seen.
    end: u64,
}

/// What must be replayed to answer a question, in order.
fn windows(trace: &Trace<'_>, question: Question) -> Vec<Window> {
    let blocks = trace.blocks();
    let mut starts = Starts { trace, known: BTreeMap::new() };
    let (mut windows, mut checkpoint) = (Vec::new(), None);
    for (at, block) in blocks.iter().enumerate() {
        if block.kind() == BlockKind::Checkpoint {
            checkpoint = Some(at);
        }
        match block.summary() {
            Some(summary) if question.concerns(summary) => {
                windows.push(starts.window(at, block.begin() - summary.longest, block.after()));
            }
            // It may be anything, and have begun at any time.
            None if question != Question::Pending => {
                windows.push(starts.window(at, Instant(0), block.after()));
            }
            _ => {}
        }
        // Behind it, nothing is known of what was on its way.
        if blocks.get(at + 1).is_none_or(|next| next.first_record() != block.after()) {
            let held = checkpoint.take().and_then(|at| {
                let since = trace.restore(&blocks[at]).ok()?.holds_since();
                Some((at, since.unwrap_or(blocks[at].begin())))
            });
            let (at, since) = held.unwrap_or((at, Instant(0)));
            windows.push(starts.window(at, since, block.after()));
        }
    }
    windows.sort_by_key(|window| (window.begin, window.end));
    windows
}

/// Where replays can begin.
struct Starts<'t, 'a> {
    trace: &'t Trace<'a>,
    /// The first record of a replay that begins near a block, by the last checkpoint before that.
    known: BTreeMap<usize, u64>,
}

impl Starts<'_, '_> {
    /// The window up to this record whose replay sees all that began at this time or later and comes to this block.
    fn window(&mut self, at: usize, since: Instant, end: u64) -> Window {
        let blocks = self.trace.blocks();
        let is_before = |block: &BlockPlace| block.kind() == BlockKind::Checkpoint && block.end() < since;
        let block = blocks.iter().take(at + 1).rposition(is_before).unwrap_or(0);
        let begin = *self.known.entry(block).or_insert_with(|| Replay::near(self.trace, block).begin());
        Window { block, begin, end }
    }
}

/// What a replay of some windows found.
#[derive(Default)]
struct Run {
    stories: Vec<Story>,
    /// Ids of messages that were delivered, and might have been acknowledged later.
    unfinished: BTreeSet<Box<str>>,
}

/// Replays a window, and those that begin before it is over.
fn run(
    trace: &Trace<'_>,
    window: Window,
    windows: &mut Peekable<impl Iterator<Item = Window>>,
    question: Question,
    most: usize,
) -> Result<Run, ReplayError> {
    let mut found = Run::default();
    let (now, count, is_broken_off) = (Cell::new(Instant(0)), Cell::new(0), Cell::new(false));
    let Run { stories, unfinished } = &mut found;
    let mut biographer = Biographer::new(|story| {
        if question.fits(&story, now.get()) {
            count.set(count.get() + 1);
            if is_broken_off.get() {
                unfinished.insert(story.msg_id.clone());
            } else {
                stories.push(story);
            }
        }
    });
    let mut until = window.end;
    Replay::near(trace, window.block).without_comparing().run(|moment| {
        biographer.watch(moment);
        now.set(now.get().max(moment.now.mono));
        while let Some(next) = windows.next_if(|next| next.begin <= moment.record) {
            until = until.max(next.end);
        }
        let is_enough = count.get() >= most;
        if moment.record < until && !is_enough {
            return ControlFlow::Continue(());
        }
        // Open stories are looked through now and then only: there may be thousands.
        until = until.max(moment.record.saturating_add(LOOK_AGAIN));
        let fits = |story: &Story| story.is_unsettled() && question.fits(story, now.get());
        if !is_enough && biographer.open().any(fits) {
            return ControlFlow::Continue(());
        }
        is_broken_off.set(true);
        ControlFlow::Break(())
    })?;
    biographer.finish();
    drop(biographer);
    Ok(found)
}

/// Records between two looks at whether a story is over.
const LOOK_AGAIN: u64 = 500;
