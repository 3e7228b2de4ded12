//! The flight recorder in the simulated world: every hub of a run as a trace, and what is true of its messages.

mod found;

#[cfg(test)]
use found::same_found;
pub use found::{WrongRecording, recorded};

use crate::{canary, key};
use edgehub_core::hub::{Direction, Hub, JournalEvent, LinkEvent, ModuleEvent};
use edgehub_core::trace::{Header, Recorder};
use edgehub_core::{Config, Input, Instant, Note, Now, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// As often as a small ring would want them, so that runs have many: who looks for something replays only a part.
const CHECKPOINT_EVERY: usize = 20_000;

/// As long as a driver lets records wait.
const BLOCK_AFTER: Duration = Duration::from_secs(5);

/// How often something is true: by the number of the message's id, by what else there is to say of it, and by when it was.
pub(crate) type Facts = BTreeMap<(u64, u64, Instant), u64>;

/// What the world and its checks saw, which know nothing of traces.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Modules sent it.
    pub(crate) sent: Facts,
    /// It came from the cloud.
    pub(crate) received: Facts,
    /// The checks' own model of confirmation says that a pong of this number confirmed it.
    pub(crate) confirmed: Facts,
    /// It was written to a link of this epoch.
    pub(crate) written: Facts,
    /// It was taken up again from the journal.
    pub(crate) restored: Facts,
    /// This module got it.
    pub(crate) delivered: Facts,
    /// A module that had got it, or another one, answered it for the first time since, with a message of this id.
    pub(crate) acknowledged: Facts,
    /// It was dropped for this reason, to the cloud and from it.
    pub(crate) dropped: [Facts; 2],
}

/// One hub's recording, from its start to its end or its crash.
#[derive(Debug)]
pub(crate) struct Flight {
    recorder: Recorder,
    pub(crate) file: Vec<u8>,
    pub(crate) node: usize,
    pub(crate) truth: Truth,
    /// When what happens now happens; like the hub, it holds a clock that goes back.
    now: Instant,
    /// When a block was last finished.
    finished: Instant,
    /// The pong that came last, if nothing came since.
    pong: Option<u64>,
    /// Delivered, and not answered since.
    unanswered: BTreeSet<u64>,
}

fn count(facts: &mut Facts, id: &str, detail: u64, at: Instant) {
    *facts.entry((key::of(id), detail, at)).or_default() += 1;
}

impl Flight {
    /// A recording of the hub that begins now.
    pub(crate) fn begin(node: usize, name: &str, config: &Config, seed: u64, begin: Now) -> Flight {
        let header = Header { node: name.into(), seed, begin, config: config.clone(), ..Header::default() };
        let recorder = canary::recorder(header, seed, CHECKPOINT_EVERY).for_ring(2 * CHECKPOINT_EVERY);
        Flight {
            file: recorder.head(),
            recorder,
            node,
            truth: Truth::default(),
            now: begin.mono,
            finished: begin.mono,
            pong: None,
            unanswered: BTreeSet::new(),
        }
    }

    pub(crate) fn input(&mut self, now: Now, input: &Input, hub: &Hub) {
        self.recorder.input(now, input, hub);
        self.now = self.now.max(now.mono);
        self.pong = None;
        match input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => {
                count(&mut self.truth.sent, message.msg_id(), 0, self.now);
                if message.is_response() && self.unanswered.remove(&key::of(message.parent_msg_id())) {
                    let by = key::of(message.msg_id());
                    count(&mut self.truth.acknowledged, message.parent_msg_id(), by, self.now);
                }
            }
            Input::Journal(JournalEvent::Restored { message, .. }) => {
                count(&mut self.truth.restored, message.msg_id(), 0, self.now);
            }
            Input::Link { event: LinkEvent::Received(message), .. } => {
                count(&mut self.truth.received, message.msg_id(), 0, self.now);
            }
            Input::Link { event: LinkEvent::Pong(number), .. } => self.pong = Some(*number),
            _ => {}
        }
    }

    pub(crate) fn outputs(&mut self, outputs: &[Output], hub: &Hub, confirmed: &[u64]) {
        for output in outputs {
            self.recorder.output(output);
            match output {
                Output::Write { epoch, message } => {
                    count(&mut self.truth.written, message.msg_id(), epoch.0, self.now);
                }
                Output::Deliver { module, message, .. } => {
                    count(&mut self.truth.delivered, message.msg_id(), u64::from(module.0), self.now);
                    self.unanswered.insert(key::of(message.msg_id()));
                }
                Output::Note(Note::Dropped { direction, msg_id, reason }) => {
                    let way = usize::from(*direction == Direction::Down);
                    count(&mut self.truth.dropped[way], msg_id, *reason as u64, self.now);
                }
                _ => {}
            }
        }
        for key in confirmed {
            // Nothing else confirms: a confirmation without a pong is told of the pong that there never was.
            let pong = self.pong.unwrap_or_default();
            *self.truth.confirmed.entry((*key, pong, self.now)).or_default() += 1;
        }
        self.recorder.drained(hub);
        if self.now.since(self.finished) >= BLOCK_AFTER {
            self.finished = self.now;
            self.recorder.finish_block();
        }
        self.keep();
    }

    /// The whole trace.
    pub(crate) fn end(&mut self) {
        self.recorder.finish_block();
        self.keep();
    }

    fn keep(&mut self) {
        while let Some(block) = self.recorder.next_block() {
            self.file.extend_from_slice(&block.pack());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;
    use crate::log::LogKind;
    use crate::world::World;
    use edgehub_core::hub::{Held, Standing};
    use edgehub_core::trace::explain::{Fate, Story, What, stories};
    use edgehub_core::trace::{Replay, Trace, replay};
    use std::ops::ControlFlow;

    /// What the events of a kind say, by message, over all stories of one way.
    fn told(stories: &[Story], direction: Direction, says: impl Fn(&What) -> Option<u64>) -> Facts {
        let mut facts = Facts::new();
        for story in stories.iter().filter(|story| story.direction == direction) {
            for event in &story.events {
                if let Some(detail) = says(&event.what) {
                    count(&mut facts, &story.msg_id, detail, event.now.mono);
                }
            }
        }
        facts
    }

    /// Compares what is told of these messages: not of what the hub makes itself, of which the world knows nothing.
    /// Returns how many facts there are.
    fn same(told: &Facts, truth: &Facts, of: &BTreeSet<u64>, what: &str) -> usize {
        let truth: Facts = truth
            .iter()
            .filter(|((key, ..), _)| of.contains(key))
            .map(|(&fact, &count)| (fact, count))
            .collect();
        let different: Vec<_> = told
            .keys()
            .chain(truth.keys())
            .filter(|fact| told.get(fact) != truth.get(fact))
            .map(|fact| (fact, told.get(fact), truth.get(fact)))
            .take(5)
            .collect();
        assert!(different.is_empty(), "{what}: message, detail and time, told, true: {different:?}");
        truth.len()
    }

    /// What there is to say of an event beyond that it is one: nothing.
    fn is(is: bool) -> Option<u64> {
        is.then_some(0)
    }

    /// What is told to be pending when the trace ends is what the hub holds then, and nothing that it holds is told to have arrived.
    fn same_pending(trace: &Trace<'_>, all: &[Story]) {
        let mut held = [BTreeSet::new(), BTreeSet::new()];
        let ends = Replay::new(trace).without_comparing().run(|moment| {
            let hub = moment.hub;
            let is_own = |held: &Held<'_>| held.standing == Standing::Own;
            let up = hub.outbox_messages().filter(|held| !is_own(held)).map(|held| held.msg_id.into_owned());
            let down = hub.joined_modules().flat_map(|module| hub.inbox_messages(module));
            held = [up.collect(), down.map(|message| message.msg_id().to_owned()).collect()];
            ControlFlow::Continue(())
        });
        ends.unwrap();
        for (direction, held) in [Direction::Up, Direction::Down].into_iter().zip(held) {
            let of = |fate: fn(&Fate) -> bool| -> BTreeSet<String> {
                let stories = all.iter().filter(|story| story.direction == direction && fate(&story.fate()));
                stories.map(|story| story.msg_id.to_string()).collect()
            };
            let (pending, dropped) =
                (of(|fate| *fate == Fate::Pending), of(|fate| matches!(fate, Fate::Dropped(_))));
            assert!(pending.is_subset(&held), "told to be pending: {:?}", pending.difference(&held));
            let arrived = held.iter().find(|id| !pending.contains(*id) && !dropped.contains(*id));
            assert_eq!(arrived, None, "told to have arrived");
        }
    }

    /// How many facts of each kind were compared.
    fn check(flight: &Flight, arrived: impl Fn(u64) -> bool) -> [usize; 9] {
        let trace = Trace::open(&flight.file).unwrap();
        assert_eq!(trace.damage(), []);
        replay(&trace).unwrap_or_else(|why| panic!("{why}"));
        let all = stories(&trace, Story::is_from_outside).unwrap();
        let Truth { sent, restored, received, confirmed, written, delivered, acknowledged, dropped } =
            &flight.truth;
        let up: BTreeSet<u64> = sent.keys().chain(restored.keys()).map(|&(key, ..)| key).collect();
        let down: BTreeSet<u64> = received.keys().map(|&(key, ..)| key).collect();
        let of_up = |says: fn(&What) -> Option<u64>| told(&all, Direction::Up, says);
        let of_down = |says: fn(&What) -> Option<u64>| told(&all, Direction::Down, says);
        same_pending(&trace, &all);
        let reason = |what: &What| match what {
            What::Dropped { reason } => Some(*reason as u64),
            _ => None,
        };
        let by_pong = of_up(|what| match what {
            What::Confirmed { pong } => *pong,
            _ => None,
        });
        assert!(by_pong.keys().all(|&(key, ..)| arrived(key)), "what is confirmed has arrived in the cloud");
        [
            same(&of_up(|what| is(matches!(what, What::Sent { .. }))), sent, &up, "sent"),
            same(&of_up(|what| is(matches!(what, What::Restored { .. }))), restored, &up, "restored"),
            same(&of_down(|what| is(matches!(what, What::Received { .. }))), received, &down, "received"),
            same(
                &of_up(|what| match what {
                    What::Written { epoch, .. } => Some(epoch.0),
                    _ => None,
                }),
                written,
                &up,
                "written, in which epoch",
            ),
            same(&by_pong, confirmed, &up, "confirmed, by which pong"),
            same(
                &of_down(|what| match what {
                    What::Delivered { module, .. } => Some(u64::from(module.0)),
                    _ => None,
                }),
                delivered,
                &down,
                "delivered, to which module",
            ),
            same(
                &of_down(|what| match what {
                    What::Acknowledged { by, .. } => Some(key::of(by)),
                    _ => None,
                }),
                acknowledged,
                &down,
                "acknowledged, by which message",
            ),
            same(&of_up(reason), &dropped[0], &up, "dropped on the way up, for which reason"),
            same(&of_down(reason), &dropped[1], &down, "dropped on the way down, for which reason"),
        ]
    }

    #[test]
    fn explain_agrees_with_the_world_for_every_message() {
        let (mut compared, mut found, mut flights) = ([0; 9], [0; 5], 0);
        for seed in 0..60 {
            let scenario = generate(seed, Duration::from_secs(120));
            let mut world = World::new(&scenario, LogKind::Nothing).recorded();
            world.run(&scenario).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            for flight in world.land() {
                let facts = check(&flight, |key| world.arrivals.contains(flight.node, key));
                compared.iter_mut().zip(facts).for_each(|(sum, facts)| *sum += facts);
                let stories = same_found(&Trace::open(&flight.file).unwrap())
                    .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
                found.iter_mut().zip(stories).for_each(|(sum, stories)| *sum += stories);
                flights += 1;
            }
        }
        assert!(compared.iter().all(|&facts| facts > 50) && flights > 60, "{compared:?} of {flights} hubs");
        assert!(found.iter().all(|&stories| stories > 50), "{found:?}");
    }
}
