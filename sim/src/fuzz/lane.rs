//! Several streams as one lane, in any order and in any pieces.

use bytes::BytesMut;
use edgehub_core::limits::{MESSAGE_STREAMS_MAX, PINGS_MAX};
use edgehub_core::package::{Arrived, Class, Control, Incoming, MESSAGES, STREAMS, Written, encode, pong};
use edgehub_core::{Draft, Message, Violation};
use std::collections::VecDeque;

/// Half of the input is what a peer of any kind sends on its streams, the other half what ours does, and how its streams run.
pub fn lane(data: &[u8]) {
    let (any, ours) = data.split_at(data.len() / 2);
    any_peer(any);
    our_peer(ours);
}

/// One stream more than may have messages: each input names one, how long its next piece is, and the piece.
const ANY_STREAMS: usize = MESSAGE_STREAMS_MAX + 1;

/// What is found on the streams of any peer, piece by piece and at once, is the same; and no more waits than has come.
fn any_peer(data: &[u8]) {
    for compressed in [false, true] {
        let open =
            || -> Vec<_> { (0..ANY_STREAMS).map(|number| Incoming::new(number, compressed)).collect() };
        let mut streams = open();
        let mut found: Vec<_> = (0..ANY_STREAMS).map(|_| Vec::new()).collect();
        let mut said: Vec<Vec<u8>> = vec![Vec::new(); ANY_STREAMS];
        let mut rest = data;
        while let [head, after @ ..] = rest {
            let number = usize::from(*head) % ANY_STREAMS;
            let (piece, after) = after.split_at((usize::from(*head) / ANY_STREAMS).min(after.len()));
            streams[number].push(piece);
            said[number].extend_from_slice(piece);
            found[number].extend(messages(&mut streams[number]));
            if !compressed {
                assert!(streams[number].waiting_bytes() <= said[number].len(), "more waits than came");
            }
            rest = after;
        }
        for (number, mut whole) in open().into_iter().enumerate() {
            whole.push(&said[number]);
            let mut at_once = messages(&mut whole);
            // Whoever asks again hears of the same violation again.
            found[number].dedup_by(|one, other| matches!(one, Found::End(_)) && one == other);
            at_once.dedup_by(|one, other| matches!(one, Found::End(_)) && one == other);
            assert_eq!(found[number], at_once, "stream {number} depends on its pieces");
            assert_eq!(streams[number].finish(), whole.finish());
            assert_eq!(streams[number].is_for(), whole.is_for());
        }
    }
}

/// What is found on a stream.
#[derive(Debug, PartialEq)]
enum Found {
    Message(Result<Message, Violation>),
    End(Violation),
}

fn messages(stream: &mut Incoming) -> Vec<Found> {
    let mut found = Vec::new();
    loop {
        match stream.next_message() {
            Ok(Some(message)) => found.push(Found::Message(message)),
            Ok(None) if stream.is_large() => stream.let_in(),
            Ok(None) => return found,
            Err(violation) => {
                found.push(Found::End(violation));
                return found;
            }
        }
    }
}

/// What is on the way of one peer of ours.
#[derive(Default)]
struct Way {
    written: Written,
    arrived: Arrived,
    /// Bytes under way on each stream, and on the control lane.
    under_way: [VecDeque<u8>; STREAMS],
    control: VecDeque<u8>,
    /// Pongs on their way back.
    pongs: VecDeque<u64>,
    /// Messages written, by number, each with what it is about unless it may pass by others.
    sent: Vec<Option<u8>>,
    /// … and those that have arrived.
    received: Vec<bool>,
    /// How many were written before each ping.
    pings: Vec<usize>,
    answered: usize,
}

/// A peer of ours breaks no rule however its streams run; what is about one thing keeps its order, and a pong says that all before its ping
/// has come.
fn our_peer(data: &[u8]) {
    let mut way = Way::default();
    way.under_way.iter_mut().for_each(|stream| stream.extend(MESSAGES));
    let mut streams: Vec<_> = (0..STREAMS).map(|number| Incoming::new(number, false)).collect();
    let mut control = Incoming::control_lane();
    for &octet in data {
        let (what, which) = (octet & 7, usize::from(octet >> 3));
        match what {
            0..3 => way.write(usize::from(what), which as u8 % 5),
            3 => way.ping(),
            4 => drop(way.pongs.pop_front().map(|number| way.written.answered(number))),
            5 => way.control_arrives(which, &mut control),
            _ => way.arrives(which % STREAMS, which * 3 + 1, &mut streams),
        }
    }
    way.control_arrives(usize::MAX, &mut control);
    (0..STREAMS).for_each(|stream| way.arrives(stream, usize::MAX, &mut streams));
    assert!(way.received.iter().all(|arrived| *arrived), "something never comes");
    assert_eq!(way.answered, way.pings.len(), "a pong is withheld");
}

/// What a peer of ours did, who breaks no rule.
fn sound<T>(done: Result<T, Violation>) -> Option<T> {
    assert!(done.is_ok(), "a peer of ours breaks a rule: {:?}", done.as_ref().err());
    done.ok()
}

impl Way {
    fn write(&mut self, class: usize, thing: u8) {
        let operation = ["keepalive", "query", "update"][class];
        let (id, resource) = (self.sent.len().to_string(), format!("default/pod/{thing}"));
        let draft = Draft { msg_id: &id, operation, resource: &resource, ..Draft::default() };
        let Ok(message) = draft.encode() else { return };
        let stream = self.written.wrote(&message);
        let mut package = BytesMut::new();
        encode(&message, &mut package);
        self.under_way[stream].extend(package);
        self.sent.push((Class::of(&message) != Class::Urgent).then_some(thing));
        self.received.push(false);
    }

    fn ping(&mut self) {
        if self.pings.len() - self.answered == PINGS_MAX {
            return;
        }
        self.pings.push(self.sent.len());
        let Some(ping) = sound(self.written.ping(self.pings.len() as u64).to_message()) else { return };
        let mut package = BytesMut::new();
        encode(&ping, &mut package);
        self.control.extend(package);
    }

    fn control_arrives(&mut self, bytes: usize, control: &mut Incoming) {
        let piece: Vec<u8> = self.control.drain(..bytes.min(self.control.len())).collect();
        control.push(&piece);
        while let Some(read) = sound(control.next_message()).flatten() {
            let Some(message) = sound(read) else { return };
            let control = sound(Control::of(&message));
            assert!(matches!(control, Some(Control::Ping(_))), "not a ping: {message:?}");
            if let Some(Control::Ping(ping)) = control {
                sound(self.arrived.asked(ping));
            }
        }
        self.answer();
    }

    fn arrives(&mut self, number: usize, bytes: usize, streams: &mut [Incoming]) {
        let under_way = &mut self.under_way[number];
        let piece: Vec<u8> = under_way.drain(..bytes.min(under_way.len())).collect();
        streams[number].push(&piece);
        while let Some(read) = sound(streams[number].next_message()).flatten() {
            let Some(message) = sound(read) else { return };
            // What is no number is no place.
            let at: usize = message.msg_id().parse().unwrap_or(usize::MAX);
            let thing = self.sent[at];
            let passed_by = self.received[at..].iter().zip(&self.sent[at..]);
            let passed_by = passed_by.filter(|(arrived, _)| **arrived).any(|(_, other)| *other == thing);
            assert!(thing.is_none() || !passed_by, "{at} is passed by");
            assert!(!std::mem::replace(&mut self.received[at], true), "{at} comes twice");
            self.arrived.read(number, 1);
        }
        self.answer();
    }

    fn answer(&mut self) {
        while let Some(number) = self.arrived.next_pong() {
            assert!(self.received[..self.pings[self.answered]].iter().all(|arrived| *arrived), "too early");
            self.answered += 1;
            assert_eq!(number, self.answered as u64);
            let told = pong(number).map(|pong| Control::of(&pong));
            assert_eq!(told, Ok(Ok(Control::Answer { to: number.to_string(), accepted: true })));
            self.pongs.push_back(number);
        }
    }
}
