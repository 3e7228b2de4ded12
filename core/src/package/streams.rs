//! Several streams as one lane: which message goes where, and what a pong confirms.
//!
//! Streams do not wait for each other: a lost packet of one holds up that one alone. So there are
//!
//! - one for what is urgent (answers, keepalives, link control): it may pass by everything, as it may in the outbox;
//! - one for questions (`query`), for which somebody waits;
//! - a few for the rest, each thing that messages are about on its own: what source, group and resource are, says which.
//!
//! Messages about one thing keep their order. So a question goes apart only if nothing about the same thing is on its way elsewhere, and what
//! follows it follows it there, until a pong has confirmed it: [`Written`] remembers where what is about each thing went last, of many
//! things together in one place. On a way without pings nothing is ever known to have arrived, and a question goes with the rest.
//!
//! That is the way down: CloudHub sends no pings, as its messages are acknowledged one by one, and none are sent for this alone. So a question of the
//! cloud may wait for a lost packet of what is about other things, a third of the bulk. Few come down, and no more than configuration beside them; what
//! people wait for on that way are answers, and those have their stream.
//!
//! A ping goes over the control lane and says how many messages were written on each stream before it. It is answered
//! when so many were handed on from each of them; so its pong confirms all that came before it, as the pong of a WebSocket does. How many streams
//! there are, the ping says; whoever answers it needs to know no more than their limit.

use super::control::Ping;
use crate::canary::{LaneCanary, Planted};
use crate::limits::{MESSAGE_STREAMS_MAX, PINGS_MAX};
use crate::message::{Message, operation};
use crate::violation::Violation;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Streams for what is neither urgent nor a question. Each that is compressed costs a compressor.
const BULK_STREAMS: usize = 3;

/// The first of them.
const BULK: usize = 2;

/// Streams that we write messages on, in the order in which they are opened: that of [`Class::Urgent`], that of [`Class::Question`], and those of
/// [`Class::Bulk`].
pub const STREAMS: usize = BULK + BULK_STREAMS;

/// Places for all things: with two hundred of them on their way about every other place is free for a question.
const PLACES: usize = 256;

/// What a message is to a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Answers, keepalives and link control.
    Urgent,
    /// What somebody waits for the answer to.
    Question,
    /// Everything else.
    Bulk,
}

impl Class {
    /// The class of a message.
    pub fn of(message: &Message) -> Class {
        let urgent =
            message.is_response() || message.is_link_control() || message.operation() == operation::KEEPALIVE;
        match message.operation() {
            _ if urgent => Class::Urgent,
            operation::QUERY => Class::Question,
            _ => Class::Bulk,
        }
    }

    /// The class of the messages that a stream is for.
    pub fn of_stream(stream: usize) -> Class {
        match stream {
            0 => Class::Urgent,
            1 => Class::Question,
            _ => Class::Bulk,
        }
    }
}

/// Where the last message about some things went.
#[derive(Debug, Clone, Copy)]
struct Place {
    stream: usize,
    /// How many messages were written with it.
    written: u64,
}

/// The place of what a message is about.
fn place_of(message: &Message) -> usize {
    // Names that differ in a digit spread as well as any.
    let mixed = (message.subject_hash() >> 16).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize % PLACES
}

/// What a lane's own end has written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    messages: [u64; STREAMS],
    /// Those of which it matters, on all these streams together.
    ordered: u64,
    /// … and how many of them have arrived.
    confirmed: u64,
    /// The pings on their way, and what each will confirm.
    pings: VecDeque<(u64, u64)>,
    /// There once a question was asked.
    places: Vec<Place>,
    planted: Planted<LaneCanary>,
}

impl Written {
    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: Planted<LaneCanary>) {
        self.planted = planted;
    }

    /// A message is written. Returns the number of its stream.
    pub fn wrote(&mut self, message: &Message) -> usize {
        let stream = self.stream(message);
        self.messages[stream] += 1;
        stream
    }

    fn stream(&mut self, message: &Message) -> usize {
        let class = Class::of(message);
        if class == Class::Urgent {
            return 0;
        }
        let place = place_of(message);
        let usual = match self.planted.is(LaneCanary::BulkScattered) {
            true => BULK + self.ordered as usize % BULK_STREAMS,
            false => BULK + place % BULK_STREAMS,
        };
        if class == Class::Question && self.places.is_empty() {
            // What was written before may all be on its way.
            let written = self.ordered;
            let place = |place| Place { stream: BULK + place % BULK_STREAMS, written };
            self.places = (0..PLACES).map(place).collect();
        }
        self.ordered += 1;
        let Some(last) = self.places.get_mut(place) else { return usual };
        let stream = match class {
            _ if last.written > self.confirmed && !self.planted.is(LaneCanary::QuestionUnordered) => {
                last.stream
            }
            Class::Question => 1,
            _ => usual,
        };
        *last = Place { stream, written: self.ordered };
        stream
    }

    /// The ping that covers everything so far.
    pub fn ping(&mut self, number: u64) -> Ping {
        // Beyond the limit a later pong confirms less.
        if self.pings.len() < PINGS_MAX {
            self.pings.push_back((number, self.ordered));
        }
        Ping { number, written: self.messages.to_vec() }
    }

    /// The pong to the ping of this number came, and with it, or before, those to all earlier ones.
    pub fn answered(&mut self, number: u64) {
        while let Some((_, ordered)) = self.pings.pop_front_if(|(ping, _)| *ping <= number) {
            self.confirmed = ordered;
        }
    }
}

/// What has arrived from the other end, and the pings that wait for more.
#[derive(Debug, Clone, Default)]
pub struct Arrived {
    messages: Vec<u64>,
    pings: VecDeque<Ping>,
    planted: Planted<LaneCanary>,
}

impl Arrived {
    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: Planted<LaneCanary>) {
        self.planted = planted;
    }

    /// So many messages of a stream, by the order in which the streams were opened, were handed on. A refused one counts, too.
    pub fn read(&mut self, stream: usize, messages: u64) {
        if stream < MESSAGE_STREAMS_MAX {
            if self.messages.len() <= stream {
                self.messages.resize(stream + 1, 0);
            }
            self.messages[stream] = self.messages[stream].saturating_add(messages);
        }
    }

    /// A ping came. Fails for one of more streams than there may be, and for too many that wait.
    pub fn asked(&mut self, ping: Ping) -> Result<(), Violation> {
        if ping.written.len() > MESSAGE_STREAMS_MAX || self.pings.len() >= PINGS_MAX {
            return Err(Violation::ControlLane);
        }
        self.pings.push_back(ping);
        Ok(())
    }

    /// The number of the next ping that can be answered, in the order in which they came.
    pub fn next_pong(&mut self) -> Option<u64> {
        let ping = self.pings.front()?;
        let arrived = |stream: usize| self.messages.get(stream).copied().unwrap_or(0);
        let more = u64::from(self.planted.is(LaneCanary::PongWithheld));
        let ignored = match () {
            () if self.planted.is(LaneCanary::PongForOneStream) => 1,
            () if self.planted.is(LaneCanary::PongUnawaited) => 0,
            () => usize::MAX,
        };
        let mut streams = ping.written.iter().enumerate().take(ignored);
        let complete = streams.all(|(stream, &written)| arrived(stream) >= written.saturating_add(more));
        if complete { self.pings.pop_front().map(|ping| ping.number) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn each_message_has_its_class() {
        let check =
            |draft: Draft<'_>, class| assert_eq!(Class::of(&draft.encode().unwrap()), class, "{draft:?}");
        let draft = Draft::default();
        check(Draft { parent_msg_id: "1", ..draft }, Class::Urgent);
        check(Draft { operation: "keepalive", ..draft }, Class::Urgent);
        check(Draft { operation: "config", ..draft }, Class::Urgent);
        check(Draft { parent_msg_id: "1", operation: "query", ..draft }, Class::Urgent);
        check(Draft { operation: "query", ..draft }, Class::Question);
        check(draft, Class::Bulk);
    }

    fn about(resource: &str, operation: &str) -> Message {
        Draft { resource, operation, ..Draft::default() }.encode().unwrap()
    }

    #[test]
    fn streams_have_the_class_of_their_messages() {
        let mut written = Written::default();
        for operation in ["keepalive", "query", "update"] {
            let message = about(operation, operation);
            assert_eq!(Class::of_stream(written.wrote(&message)), Class::of(&message));
        }
        const { assert!(STREAMS <= MESSAGE_STREAMS_MAX, "a peer counts them all") };
    }

    #[test]
    fn things_have_streams_of_their_own() {
        let mut written = Written::default();
        let names: Vec<_> = (0..60).map(|number| alloc::format!("default/pod/{number}")).collect();
        let streams: Vec<_> = names.iter().map(|name| written.wrote(&about(name, "update"))).collect();
        for stream in BULK..STREAMS {
            let share = streams.iter().filter(|&&other| other == stream).count();
            assert!(share * BULK_STREAMS * 2 > names.len(), "{share} on {stream}");
        }
        let again: Vec<_> = names.iter().map(|name| written.wrote(&about(name, "update"))).collect();
        assert_eq!(streams, again);
    }

    #[test]
    fn a_question_goes_apart_once_nothing_about_the_same_is_on_its_way() {
        let (question, update) = (about("r", "query"), about("r", "update"));
        let mut written = Written::default();
        let bulk = written.wrote(&update);
        assert_eq!(written.wrote(&question), bulk, "behind the update");
        written.ping(1);
        written.answered(1);
        assert_eq!(written.wrote(&question), 1);
        assert_eq!(written.wrote(&update), 1, "behind the question");
        written.ping(2);
        assert_eq!(written.wrote(&update), 1);
        written.answered(2);
        assert_eq!(written.wrote(&update), 1, "behind the one after the ping");
        written.ping(3);
        written.answered(3);
        assert_eq!(written.wrote(&update), bulk);
    }

    #[test]
    fn on_a_way_without_pings_a_question_goes_with_the_rest() {
        let mut written = Written::default();
        let bulk = written.wrote(&about("r", "update"));
        assert_eq!(written.wrote(&about("r", "query")), bulk);
        assert_eq!(Class::of_stream(written.wrote(&about("s", "query"))), Class::Bulk);
    }

    #[test]
    fn pings_without_pongs_are_bounded() {
        let mut written = Written::default();
        for number in 0..=PINGS_MAX as u64 {
            written.wrote(&about("r", "update"));
            written.ping(number);
        }
        assert_eq!(written.pings.len(), PINGS_MAX);
        written.answered(u64::MAX);
        assert_eq!(
            (written.pings.len(), written.confirmed),
            (0, PINGS_MAX as u64),
            "the last one is not known"
        );
    }

    #[test]
    fn limits_are_exact() {
        let ping = |streams| Ping { number: 1, written: vec![0; streams] };
        assert_eq!(Arrived::default().asked(ping(MESSAGE_STREAMS_MAX)), Ok(()));
        assert_eq!(Arrived::default().asked(ping(MESSAGE_STREAMS_MAX + 1)), Err(Violation::ControlLane));
        let mut arrived = Arrived::default();
        for _ in 0..PINGS_MAX {
            arrived.asked(ping(1)).unwrap();
        }
        assert_eq!(arrived.asked(ping(1)), Err(Violation::ControlLane));
        arrived.read(MESSAGE_STREAMS_MAX, 1);
        assert!(arrived.messages.is_empty(), "a stream that may not be counts for nothing");
    }

    /// A message that arrived, or is on its way: its number, and what it is about unless it may pass by others.
    type Sent = (usize, Option<u8>);

    proptest! {
        /// Streams that run at any pace against each other: a pong comes when all before its ping has arrived, and not before; at the end
        /// every ping has its pong; and what is about one thing arrives in order, however late pongs come back.
        #[test]
        fn a_pong_confirms_every_stream_and_things_keep_their_order(
            steps in prop::collection::vec((0..6_u8, 0..3_u8, 0..STREAMS + 1), 0..90),
        ) {
            let (mut written, mut arrived) = (Written::default(), Arrived::default());
            let mut lanes: [VecDeque<Sent>; STREAMS] = Default::default();
            let mut seen: Vec<Sent> = Vec::new();
            // How many messages were written before each ping.
            let mut ends = Vec::new();
            let (mut messages, mut answered) = (0, 0);
            let mut pongs = VecDeque::new();
            let drain: Vec<_> = (0..steps.len()).flat_map(|_| (0..=STREAMS).map(|stream| (9, 0, stream))).collect();
            for (write, thing, read) in steps.into_iter().chain(drain) {
                match write {
                    0..4 => {
                        let operation = ["keepalive", "query", "update", "insert"][usize::from(write)];
                        let resource = ["a", "b", "c"][usize::from(thing)];
                        let stream = written.wrote(&about(resource, operation));
                        lanes[stream].push_back((messages, (write > 0).then_some(thing)));
                        messages += 1;
                    }
                    4 | 5 => {
                        ends.push(messages);
                        arrived.asked(written.ping(ends.len() as u64)).unwrap();
                    }
                    _ => {}
                }
                match lanes.get_mut(read) {
                    Some(lane) => if let Some(sent) = lane.pop_front() {
                        let after = |other: &&Sent| sent.1.is_some() && other.1 == sent.1 && other.0 > sent.0;
                        prop_assert_eq!(seen.iter().find(after), None, "passed by {:?}", sent);
                        seen.push(sent);
                        arrived.read(read, 1);
                    },
                    None => if let Some(number) = pongs.pop_front() {
                        written.answered(number);
                    }
                }
                let is_there = |&end: &usize| (0..end).all(|at| seen.iter().any(|(number, _)| *number == at));
                while let Some(number) = arrived.next_pong() {
                    answered += 1;
                    prop_assert_eq!(number, answered as u64);
                    prop_assert!(is_there(&ends[answered - 1]), "not all of it is there");
                    pongs.push_back(number);
                }
                prop_assert!(!ends.get(answered).is_some_and(is_there), "a pong is withheld");
            }
            prop_assert_eq!(answered, ends.len());
        }
    }
}
