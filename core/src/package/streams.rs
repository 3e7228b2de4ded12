//! Several streams as one lane: which message goes where, and what a pong confirms.
//!
//! Streams do not wait for each other: a lost packet of one holds up that one alone. What is urgent (answers, keepalives,
//! link control) has a stream of its own, everything else shares the other. So the messages of one source, group and resource keep
//! their order, and only an answer may pass by them, as it may in the outbox: the class `control` leaves first.
//!
//! A ping goes over the control lane and says how many messages were written on each stream before it. It is answered
//! when so many were handed on from each of them; so its pong confirms all that came before it, as the pong of a WebSocket does.

use super::control::Ping;
use crate::canary::{LaneCanary, Planted};
use crate::limits::{MESSAGE_STREAMS_MAX, PINGS_MAX};
use crate::message::{Message, operation};
use crate::violation::Violation;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Streams that we write messages on.
pub const STREAMS: usize = 2;

/// The two streams, in the order in which they are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Answers, keepalives and link control.
    Urgent = 0,
    /// Everything else.
    Bulk = 1,
}

impl Class {
    /// The stream of a message.
    pub fn of(message: &Message) -> Class {
        let urgent =
            message.is_response() || message.is_link_control() || message.operation() == operation::KEEPALIVE;
        if urgent { Class::Urgent } else { Class::Bulk }
    }
}

/// What a lane's own end has written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    messages: [u64; STREAMS],
}

impl Written {
    /// A message was written on its stream.
    pub fn wrote(&mut self, class: Class) {
        self.messages[class as usize] += 1;
    }

    /// The ping that covers everything so far.
    pub fn ping(&self, number: u64) -> Ping {
        Ping { number, written: self.messages.to_vec() }
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
    fn each_message_has_its_stream() {
        let check =
            |draft: Draft<'_>, class| assert_eq!(Class::of(&draft.encode().unwrap()), class, "{draft:?}");
        let draft = Draft::default();
        check(Draft { parent_msg_id: "1", ..draft }, Class::Urgent);
        check(Draft { operation: "keepalive", ..draft }, Class::Urgent);
        check(Draft { operation: "config", ..draft }, Class::Urgent);
        check(Draft { operation: "query", ..draft }, Class::Bulk);
        check(draft, Class::Bulk);
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

    proptest! {
        /// Streams that run at any pace against each other: a pong comes when all before its ping has arrived, and
        /// not before; at the end every ping has its pong.
        #[test]
        fn a_pong_confirms_what_was_written_on_every_stream(
            steps in prop::collection::vec((0..3_u8, 0..3_u8), 0..60),
        ) {
            let (mut written, mut arrived) = (Written::default(), Arrived::default());
            let mut order: Vec<Option<Class>> = Vec::new();
            let mut lanes = [VecDeque::new(), VecDeque::new()];
            let (mut pings, mut answered) = (0, 0);
            let deliver = |stream: usize, lanes: &mut [VecDeque<usize>; 2], arrived: &mut Arrived, seen: &mut Vec<usize>| {
                if let Some(at) = lanes[stream].pop_front() {
                    seen.push(at);
                    arrived.read(stream, 1);
                }
            };
            let mut seen = Vec::new();
            let mut ends = Vec::new();
            let drain: Vec<_> = (0..steps.len()).flat_map(|_| [(3, 0), (3, 1)]).collect();
            for (write, read) in steps.into_iter().chain(drain) {
                match write {
                    0 | 1 => {
                        let class = if write == 0 { Class::Urgent } else { Class::Bulk };
                        lanes[class as usize].push_back(order.len());
                        order.push(Some(class));
                        written.wrote(class);
                    }
                    2 => {
                        pings += 1;
                        ends.push(order.len());
                        arrived.asked(written.ping(pings)).unwrap();
                    }
                    _ => {}
                }
                if read < 2 {
                    deliver(usize::from(read), &mut lanes, &mut arrived, &mut seen);
                }
                while let Some(number) = arrived.next_pong() {
                    answered += 1;
                    prop_assert_eq!(number, answered);
                    let end = ends[answered as usize - 1];
                    prop_assert!((0..end).all(|at| seen.contains(&at)), "{} is not there", end);
                }
                let due = ends.get(answered as usize).is_some_and(|&end| (0..end).all(|at| seen.contains(&at)));
                prop_assert!(!due, "a pong is withheld");
            }
            prop_assert_eq!(answered, pings);
        }
    }
}
