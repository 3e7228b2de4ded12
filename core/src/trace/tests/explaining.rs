//! Every story agrees with what happened, as a model of its own sees it.

use super::world::World;
use crate::class::Classes;
use crate::hub::{
    Direction, DropReason, Input, LinkEnd, LinkEvent, ModuleEvent, ModuleId, Note, Output, SyncOutcome,
};
use crate::message::Message;
use crate::time::Instant;
use crate::trace::cut::cut;
use crate::trace::explain::{Event, Fate, Question, Story, What, explain, search, stories};
use crate::trace::{BlockKind, Contents, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::time::Duration;
use std::vec::Vec;

/// What is true of a message, from the inputs and outputs of the run itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Truth {
    begun: Option<Instant>,
    /// Its class, and how many waited before it.
    rank: Option<(String, usize)>,
    written: Vec<Instant>,
    confirmed: Option<Instant>,
    lost: usize,
    ended: Option<(Instant, SyncOutcome)>,
    delivered: Vec<(Instant, ModuleId)>,
    dropped: Vec<(Instant, DropReason)>,
    acknowledged: Option<String>,
}

#[derive(Default)]
struct Model {
    up: BTreeMap<String, Truth>,
    down: BTreeMap<String, Truth>,
    /// Written on this link: ids, and the pings between them.
    written: Vec<Result<String, u64>>,
    /// What waits to be written, and the priority of its class; and that of all.
    waiting: BTreeMap<String, u8>,
    priorities: BTreeMap<String, u8>,
}

impl Model {
    fn queue(&mut self, message: &Message) {
        let classes = Classes::default();
        let class = &classes.classes[classes.of(message)];
        let ahead = self.waiting.values().filter(|&&priority| priority <= class.priority).count();
        self.waiting.insert(message.msg_id().into(), class.priority);
        self.priorities.insert(message.msg_id().into(), class.priority);
        self.up.entry(message.msg_id().into()).or_default().rank = Some((class.name.to_string(), ahead));
    }

    fn step(&mut self, now: Instant, input: &Input, outputs: &[Output]) {
        match input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => {
                self.up.entry(message.msg_id().into()).or_default().begun = Some(now);
                self.queue(message);
                if let Some(parent) = self
                    .down
                    .get_mut(message.parent_msg_id())
                    .filter(|down| !down.delivered.is_empty() && down.acknowledged.is_none())
                {
                    parent.acknowledged = Some(message.msg_id().into());
                }
            }
            Input::Link { event: LinkEvent::Received(message), .. } => {
                self.down.entry(message.msg_id().into()).or_default().begun = Some(now);
            }
            _ => {}
        }
        let unexpected = |output: &Output| {
            matches!(output, Output::Note(Note::UnexpectedLinkEvent { .. } | Note::StaleLinkEvent { .. }))
        };
        for output in outputs {
            self.output(now, output);
        }
        if let Input::Link { event: LinkEvent::Pong(number), .. } = input
            && !outputs.iter().any(unexpected)
        {
            let covered = |written: &Result<String, u64>| written.as_ref().is_err_and(|ping| ping <= number);
            if let Some(at) = self.written.iter().rposition(covered) {
                for id in self.written.drain(..=at).flatten() {
                    self.up.get_mut(&id).unwrap().confirmed = Some(now);
                }
            }
        }
    }

    fn output(&mut self, now: Instant, output: &Output) {
        match output {
            Output::Write { message, .. } => {
                if let Some(truth) = self.up.get_mut(message.msg_id()) {
                    truth.written.push(now);
                    self.waiting.remove(message.msg_id());
                    self.written.push(Ok(message.msg_id().into()));
                }
            }
            Output::Ping { number, .. } => self.written.push(Err(*number)),
            Output::Deliver { module, message, .. } => {
                if let Some(truth) = self.down.get_mut(message.msg_id()) {
                    truth.delivered.push((now, *module));
                }
            }
            Output::Note(Note::LinkDown { end, .. })
                if !matches!(end, LinkEnd::OpenFailed | LinkEnd::OpenTimeout) =>
            {
                for id in self.written.drain(..).flatten() {
                    self.up.get_mut(&id).unwrap().lost += 1;
                    let priority = self.priorities[&id];
                    self.waiting.insert(id, priority);
                }
            }
            Output::Note(Note::Dropped { direction, msg_id, reason }) => {
                let truths = match direction {
                    Direction::Up => {
                        self.waiting.remove(&**msg_id);
                        &mut self.up
                    }
                    Direction::Down => &mut self.down,
                };
                if let Some(truth) = truths.get_mut(&**msg_id) {
                    truth.dropped.push((now, *reason));
                }
            }
            Output::Note(Note::SyncEnded { msg_id, outcome }) => {
                if let Some(truth) = self.up.get_mut(&**msg_id) {
                    truth.ended = Some((now, *outcome));
                }
            }
            _ => {}
        }
    }
}

fn told(story: &Story) -> Truth {
    let mut truth = Truth { begun: story.events.first().map(|event| event.now.mono), ..Truth::default() };
    for event in &story.events {
        let at = event.now.mono;
        match &event.what {
            What::Sent { rank, .. } => truth.rank = Some((rank.class.to_string(), rank.ahead)),
            What::Written { before, .. } => {
                assert_eq!(*before as usize, truth.written.len());
                truth.written.push(at);
            }
            What::Confirmed { .. } => truth.confirmed = Some(at),
            What::LinkLost { .. } => truth.lost += 1,
            What::RequestEnded { outcome } => truth.ended = Some((at, *outcome)),
            What::Delivered { module, .. } => truth.delivered.push((at, *module)),
            What::Dropped { reason } => truth.dropped.push((at, *reason)),
            What::Acknowledged { by, .. } => truth.acknowledged = Some((**by).into()),
            _ => {}
        }
    }
    truth
}

/// The model's view of a run, and the file of its recording.
fn run(seed: u64, steps: usize) -> (Model, Vec<u8>) {
    let mut world = World::new(seed, Contents::Redacted, 100_000).drains_each();
    world.live(steps);
    let mut model = Model::default();
    for (now, input, outputs) in &world.told {
        model.step(now.mono, input, outputs);
    }
    (model, world.end())
}

#[test]
fn every_story_is_true() {
    let (mut compared, mut again, mut dropped, mut acknowledged, mut behind) = (0, 0, 0, 0, 0);
    for seed in 0..60 {
        let (model, file) = run(seed, 2000);
        let trace = Trace::open(&file).unwrap();
        let all = stories(&trace, Story::is_from_outside).unwrap();
        assert_eq!(all.len(), model.up.len() + model.down.len(), "seed {seed}: one story for each message");
        for story in all {
            let truths = match story.direction {
                Direction::Up => &model.up,
                Direction::Down => &model.down,
            };
            let truth = &truths[&*story.msg_id];
            assert_eq!(&told(&story), truth, "seed {seed}:\n{story}");
            compared += 1;
            behind += usize::from(truth.rank.as_ref().is_some_and(|(_, ahead)| *ahead > 3));
            again += usize::from(truth.written.len() > 1);
            dropped += usize::from(matches!(story.fate(), Fate::Dropped(_)));
            acknowledged += usize::from(truth.acknowledged.is_some());
        }
    }
    // Stories in which nothing happens are easily true.
    assert!(
        compared > 50_000 && again > 1000 && dropped > 1000 && acknowledged > 1000 && behind > 1000,
        "{compared} {again} {dropped} {acknowledged} {behind}"
    );
}

#[test]
fn one_message_is_explained_without_the_rest() {
    let (_, file) = run(3, 25_000);
    let trace = Trace::open(&file).unwrap();
    let checkpoints: Vec<u64> = trace
        .blocks()
        .iter()
        .filter(|block| block.kind() == BlockKind::Checkpoint)
        .map(|block| block.first_record())
        .collect();
    let stretch = |record| checkpoints.partition_point(|&checkpoint| checkpoint <= record);
    let all = stories(&trace, |_| true).unwrap();
    let (mut by_hub, mut acknowledged_later) = (0, 0);
    // Those that are acknowledged behind the next checkpoint are few, and all are looked at.
    let is_acknowledged_later = |story: &Story| {
        let acknowledged = |event: &&Event| matches!(event.what, What::Acknowledged { .. });
        let at = story.events.iter().find(acknowledged).map(|event| stretch(event.record));
        at.is_some_and(|at| at != stretch(story.events[0].record))
    };
    let ids: BTreeSet<&str> = all
        .iter()
        .enumerate()
        .filter(|(number, story)| {
            number % 300 == 0 || (!story.is_from_outside() && number % 7 == 0) || is_acknowledged_later(story)
        })
        .map(|(_, story)| &*story.msg_id)
        .collect();
    for id in ids {
        let expected: Vec<Story> =
            all.iter().filter(|story| &*story.msg_id == id || &*story.parent_msg_id == id).cloned().collect();
        by_hub += expected.iter().filter(|story| !story.is_from_outside()).count();
        acknowledged_later += expected.iter().filter(|story| is_acknowledged_later(story)).count();
        assert_eq!(explain(&trace, id).unwrap(), expected, "{id}");
    }
    assert!(by_hub > 10 && acknowledged_later > 3, "{by_hub} {acknowledged_later}");
    for id in ["no such message", "00000000-0000-4000-8000-000000000000"] {
        assert_eq!(explain(&trace, id).unwrap(), []);
    }
}

/// A trace that begins in the middle of things tells of what was there.
#[test]
fn what_was_there_before_is_explained_too() {
    let (_, file) = run(3, 25_000);
    let whole = Trace::open(&file).unwrap();
    let middle = whole.blocks()[whole.blocks().len() / 2].begin();
    let part = cut(&whole, middle..=whole.blocks().last().unwrap().end(), 1).unwrap();
    let part = Trace::open(&part).unwrap();
    let there = |story: &Story| matches!(story.events[0].what, What::There { .. });
    let all = stories(&part, there).unwrap();
    assert!(all.len() > 3);
    for story in all {
        let found = explain(&part, &story.msg_id).unwrap();
        assert_eq!(found.iter().find(|other| other.msg_id == story.msg_id), Some(&story));
    }
}

#[test]
fn a_search_finds_what_a_whole_replay_finds() {
    let mut some: BTreeMap<String, bool> = BTreeMap::new();
    for seed in 3..7 {
        let (_, file) = run(seed, 15_000);
        let trace = Trace::open(&file).unwrap();
        let end = trace.blocks().last().unwrap().end();
        let all = stories(&trace, |_| true).unwrap();
        let [brief, long, longer] = [1, 20, 60].map(Duration::from_secs);
        type Fits<'a> = &'a dyn Fn(&Story) -> bool;
        let questions: [(Question, Fits<'_>); 5] = [
            (Question::Dropped, &|story| matches!(story.fate(), Fate::Dropped(_))),
            (Question::Pending, &|story| story.fate() == Fate::Pending),
            (Question::Late(brief), &|story| story.lasted(end) > brief),
            (Question::Late(long), &|story| story.lasted(end) > long),
            (Question::Late(longer), &|story| story.lasted(end) > longer),
        ];
        for (question, fits) in questions {
            let mut expected: Vec<Story> = all.iter().filter(|story| fits(story)).cloned().collect();
            expected.sort_by_key(|story| story.events[0].record);
            let found = search(&trace, question, usize::MAX).unwrap();
            assert_eq!(found.len(), expected.len(), "seed {seed}, {question:?}");
            assert!(found == expected, "seed {seed}, {question:?}");
            *some.entry(std::format!("{question:?}")).or_default() |= !expected.is_empty();
            let few = search(&trace, question, 3).unwrap();
            assert!(few.len() == expected.len().min(3) && few.iter().all(|story| expected.contains(story)));
        }
    }
    assert!(some.len() == 5 && some.values().all(|&some| some), "{some:?}");
}

#[test]
fn a_story_reads_as_plain_words() {
    let (_, file) = run(3, 2000);
    let trace = Trace::open(&file).unwrap();
    let again = |story: &Story| {
        story.events.iter().any(|event| matches!(event.what, What::Written { before: 1, .. }))
    };
    let story = stories(&trace, |story| again(story) && story.fate() == Fate::Arrived).unwrap().remove(0);
    let told = std::format!("{story}");
    for words in [
        "handed over by",
        "written to the link of epoch",
        "ended before a pong confirmed it",
        "sent again",
        "confirmed by pong",
    ] {
        assert!(told.contains(words), "{words:?} is missing:\n{told}");
    }
}
