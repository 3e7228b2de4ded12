//! The flight recorder in the simulated world: every hub of a run as a trace, and what is true of its messages.

use crate::key;
use edgehub_core::hub::{Direction, Hub, JournalEvent, LinkEvent, ModuleEvent};
use edgehub_core::trace::{Header, Recorder};
use edgehub_core::{Config, Input, Note, Now, Output};
use std::collections::BTreeMap;

/// As often as a small recorder would make them, so that runs have some.
const CHECKPOINT_EVERY: usize = 200_000;

/// How often something is true of a message, by its id's number.
pub(crate) type Counts = BTreeMap<u64, u64>;

/// What the world and its checks saw, which know nothing of traces.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Modules sent it.
    pub(crate) sent: Counts,
    /// It came from the cloud.
    pub(crate) received: Counts,
    /// The checks' own model of confirmation says that a pong confirmed it.
    pub(crate) confirmed: Counts,
    /// It was written to a link.
    pub(crate) written: Counts,
    /// It was taken up again from the journal.
    pub(crate) restored: Counts,
    /// A module got it.
    pub(crate) delivered: Counts,
    /// It was dropped, to the cloud and from it.
    pub(crate) dropped: [Counts; 2],
}

/// One hub's recording, from its start to its end or its crash.
#[derive(Debug)]
pub(crate) struct Flight {
    recorder: Recorder,
    pub(crate) file: Vec<u8>,
    pub(crate) node: usize,
    pub(crate) truth: Truth,
}

fn count(counts: &mut Counts, id: &str) {
    *counts.entry(key::of(id)).or_default() += 1;
}

impl Flight {
    /// A recording of the hub that begins now.
    pub(crate) fn begin(node: usize, name: &str, config: &Config, seed: u64, begin: Now) -> Flight {
        let header = Header { node: name.into(), seed, begin, config: config.clone(), ..Header::default() };
        let recorder = Recorder::new(header, seed, CHECKPOINT_EVERY);
        Flight { file: recorder.head(), recorder, node, truth: Truth::default() }
    }

    pub(crate) fn input(&mut self, now: Now, input: &Input) {
        self.recorder.input(now, input);
        match input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => {
                count(&mut self.truth.sent, message.msg_id());
            }
            Input::Journal(JournalEvent::Restored { message, .. }) => {
                count(&mut self.truth.restored, message.msg_id());
            }
            Input::Link { event: LinkEvent::Received(message), .. } => {
                count(&mut self.truth.received, message.msg_id());
            }
            _ => {}
        }
    }

    pub(crate) fn outputs(&mut self, outputs: &[Output], hub: &Hub, confirmed: &[u64]) {
        for output in outputs {
            self.recorder.output(output);
            match output {
                Output::Write { message, .. } => count(&mut self.truth.written, message.msg_id()),
                Output::Deliver { message, .. } => count(&mut self.truth.delivered, message.msg_id()),
                Output::Note(Note::Dropped { direction, msg_id, .. }) => {
                    count(&mut self.truth.dropped[usize::from(*direction == Direction::Down)], msg_id);
                }
                _ => {}
            }
        }
        for key in confirmed {
            *self.truth.confirmed.entry(*key).or_default() += 1;
        }
        self.recorder.drained(hub);
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
    use edgehub_core::trace::explain::{Story, What, stories};
    use edgehub_core::trace::{Trace, replay};
    use std::time::Duration;

    /// How often events of a kind happened, by message, over all stories of one way.
    fn told(stories: &[Story], direction: Direction, is: impl Fn(&What) -> bool) -> Counts {
        let mut counts = Counts::new();
        for story in stories.iter().filter(|story| story.direction == direction) {
            for _ in story.events.iter().filter(|event| is(&event.what)) {
                count(&mut counts, &story.msg_id);
            }
        }
        counts
    }

    /// Without what the hub makes itself, of which the world knows nothing.
    fn same(told: &Counts, true_of: &Counts, what: &str) {
        let keys = told.keys().chain(true_of.keys());
        let different = keys.filter(|key| told.get(key) != true_of.get(key)).count();
        assert_eq!(different, 0, "of {} messages that were {what}", true_of.len());
    }

    fn of_others(counts: &Counts, others: &Counts) -> Counts {
        counts.iter().filter(|(key, _)| others.contains_key(key)).map(|(&key, &count)| (key, count)).collect()
    }

    fn check(flight: &Flight, arrived: impl Fn(u64) -> bool) -> usize {
        let trace = Trace::open(&flight.file).unwrap();
        assert_eq!(trace.damage(), []);
        replay(&trace).unwrap_or_else(|why| panic!("{why}"));
        let all = stories(&trace, Story::is_from_outside).unwrap();
        let Truth { sent, restored, received, confirmed, written, delivered, dropped } = &flight.truth;
        let known: Counts = sent.iter().chain(restored).map(|(&key, &count)| (key, count)).collect();
        let up = |is: fn(&What) -> bool| told(&all, Direction::Up, is);
        let down = |is: fn(&What) -> bool| told(&all, Direction::Down, is);
        same(&up(|what| matches!(what, What::Sent { .. })), sent, "sent");
        same(&up(|what| matches!(what, What::Restored)), restored, "restored");
        same(&down(|what| matches!(what, What::Received { .. })), received, "received");
        same(&up(|what| matches!(what, What::Written { .. })), &of_others(written, &known), "written");
        let by_modules = down(|what| matches!(what, What::Delivered { .. }));
        same(&by_modules, &of_others(delivered, received), "delivered");
        same(
            &up(|what| matches!(what, What::Dropped { .. })),
            &of_others(&dropped[0], &known),
            "dropped, up",
        );
        let not_delivered = down(|what| matches!(what, What::Dropped { .. }));
        same(&not_delivered, &of_others(&dropped[1], received), "dropped, down");
        let by_pong = up(|what| matches!(what, What::Confirmed { pong: Some(_) }));
        same(&by_pong, &of_others(confirmed, &known), "confirmed");
        assert!(by_pong.keys().all(|&key| arrived(key)), "what is confirmed has arrived in the cloud");
        all.len()
    }

    #[test]
    fn explain_agrees_with_the_world_for_every_message() {
        let (mut compared, mut flights) = (0, 0);
        for seed in 0..60 {
            let scenario = generate(seed, Duration::from_secs(120));
            let mut world = World::new(&scenario, LogKind::Nothing).recorded();
            world.run(&scenario).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            for flight in world.land() {
                compared += check(&flight, |key| world.arrivals.contains(flight.node, key));
                flights += 1;
            }
        }
        assert!(compared > 10_000 && flights > 60, "{compared} messages of {flights} hubs");
    }
}
