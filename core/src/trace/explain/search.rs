//! Searches a trace for the messages of one fate, and replays only where there can be any.
//!
//! A checkpoint has the hub's books in it. Between two with the same number of drops nothing was dropped; and what is
//! pending when the trace ends is pending behind its last checkpoint.

use super::biographer::Biographer;
use super::find::explain;
use super::story::{Event, Fate, Story, What};
use crate::hub::Account;
use crate::time::Instant;
use crate::trace::{BlockKind, Replay, ReplayError, Start, Trace};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ops::ControlFlow;
use core::time::Duration;

/// Which messages are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Those that were dropped, at least in one copy.
    Dropped,
    /// Those that had neither arrived nor been dropped when the trace ends.
    Pending,
    /// Those that were on their way, or whose sender waited, for longer than this. Nothing in a checkpoint tells: this
    /// one replays everything, until it has found enough.
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
}

/// The stories that a question asks for, in the order of their beginnings; no more than `most`.
pub fn search(trace: &Trace<'_>, question: Question, most: usize) -> Result<Vec<Story>, ReplayError> {
    let stretches = stretches(trace, question);
    let (mut found, mut unfinished): (Vec<Story>, BTreeSet<Box<str>>) = Default::default();
    let mut at = 0;
    while found.len() + unfinished.len() < most
        && let Some(first) = (at..stretches.len()).find(|&place| stretches[place].matters)
    {
        let behind = (first..stretches.len()).find(|&place| !stretches[place].matters);
        let until = behind.and_then(|place| stretches.get(place)).map_or(u64::MAX, |stretch| stretch.begin);
        let run = whole_run(trace, &stretches, first, until, question, most)?;
        for story in run.stories {
            if !found.contains(&story) {
                found.push(story);
            }
        }
        unfinished.extend(run.unfinished);
        let Some(reached) = run.reached else { break };
        at = stretches.partition_point(|stretch| stretch.begin <= reached).max(first + 1);
    }
    let end = trace.blocks().last().map(|block| block.end()).unwrap_or_default();
    for id in unfinished {
        let whole = explain(trace, &id)?;
        found.extend(whole.into_iter().filter(|story| story.msg_id == id && question.fits(story, end)));
    }
    found.sort_by_key(|story| story.events.first().map(|event| event.record));
    found.dedup();
    found.truncate(most);
    Ok(found)
}

/// What lies between one place at which a replay can begin and the next.
struct Stretch {
    block: usize,
    begin: u64,
    /// Whether the trace has what came just before.
    is_continued: bool,
    /// Whether it must be replayed to answer the question.
    matters: bool,
}

fn stretches(trace: &Trace<'_>, question: Question) -> Vec<Stretch> {
    let mut books: Vec<Account> = Vec::new();
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut known = None;
    let beginning = || Stretch { block: 0, begin: 0, is_continued: false, matters: true };
    if trace.header().start == Start::New {
        known = Some(0);
        books.push(Account::default());
        stretches.push(beginning());
    }
    for (block, place) in trace.blocks().iter().enumerate() {
        // A checkpoint that cannot be restored is no place at which a replay can begin.
        if place.kind() == BlockKind::Checkpoint
            && let Ok(hub) = trace.restore(place)
        {
            let begin = place.first_record();
            books.push(hub.account());
            stretches.push(Stretch { block, begin, is_continued: known == Some(begin), matters: true });
        }
        known = Some(place.after());
    }
    if stretches.is_empty() {
        // The replay tells why there is none.
        stretches.push(beginning());
    }
    let drops = |account: &Account| account.up.dropped() + account.down.dropped();
    let last = stretches.len() - 1;
    for (at, stretch) in stretches.iter_mut().enumerate() {
        stretch.matters = at == last
            || match question {
                Question::Dropped => books.get(at).map(drops) != books.get(at + 1).map(drops),
                Question::Pending => false,
                Question::Late(_) => true,
            };
    }
    stretches
}

/// What a replay of some stretches found.
#[derive(Default)]
struct Run {
    stories: Vec<Story>,
    /// Ids of messages that were delivered, and might have been acknowledged later.
    unfinished: BTreeSet<Box<str>>,
    /// Up to which record it went, if not to the end.
    reached: Option<u64>,
}

/// Replays from a stretch on; from an earlier one if something that is found had begun before it.
fn whole_run(
    trace: &Trace<'_>,
    stretches: &[Stretch],
    first: usize,
    until: u64,
    question: Question,
    most: usize,
) -> Result<Run, ReplayError> {
    let (mut from, mut back) = (first, 1);
    loop {
        let Some(stretch) = stretches.get(from) else { return Ok(Run::default()) };
        let found = run(trace, stretch, until, question, most)?;
        let begun_before = |story: &Story| {
            let first = story.events.first();
            first.is_some_and(|Event { record, what, .. }| {
                *record == stretch.begin && matches!(what, What::There { .. })
            })
        };
        if !stretch.is_continued || from == 0 || !found.stories.iter().any(begun_before) {
            return Ok(found);
        }
        let earlier = from.saturating_sub(back);
        let after_gap = (earlier..from).rev().find(|&place| !stretches[place].is_continued);
        (from, back) = (after_gap.unwrap_or(earlier), back * 2);
    }
}

fn run(
    trace: &Trace<'_>,
    stretch: &Stretch,
    mut until: u64,
    question: Question,
    most: usize,
) -> Result<Run, ReplayError> {
    let mut found = Run::default();
    let (now, count, is_broken_off) = (Cell::new(Instant(0)), Cell::new(0), Cell::new(false));
    let Run { stories, unfinished, reached } = &mut found;
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
    Replay::near(trace, stretch.block).without_comparing().run(|moment| {
        biographer.watch(moment);
        now.set(moment.now.mono);
        if moment.record < until && count.get() < most {
            return ControlFlow::Continue(());
        }
        // Open stories are looked through now and then only: there may be thousands.
        until = moment.record.saturating_add(LOOK_AGAIN);
        let fits = |story: &Story| story.is_unsettled() && question.fits(story, moment.now.mono);
        if count.get() < most && biographer.open().any(fits) {
            return ControlFlow::Continue(());
        }
        *reached = Some(moment.record);
        is_broken_off.set(true);
        ControlFlow::Break(())
    })?;
    biographer.finish();
    drop(biographer);
    Ok(found)
}

/// Records between two looks at whether a story is over.
const LOOK_AGAIN: u64 = 500;
