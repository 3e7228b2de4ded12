//! A way of several streams that do not wait for each other, as QUIC has them: both ends of the core's own accounts.

use super::stream::Frame;
use crate::canary;
use edgehub_core::Instant;
use edgehub_core::package::{Arrived, STREAMS, Written};

/// The accounts of one way of a link.
#[derive(Debug)]
pub(crate) struct Lane {
    written: Written,
    arrived: Arrived,
    /// When the latest message of each stream arrives.
    latest: [Instant; STREAMS],
}

impl Default for Lane {
    fn default() -> Lane {
        let (written, arrived) = canary::lane();
        Lane { written, arrived, latest: [Instant(0); STREAMS] }
    }
}

impl Lane {
    /// What is written takes its stream: a ping says what came before it. Returns the stream of a message.
    pub(super) fn write(&mut self, frame: Frame) -> (Frame, Option<usize>) {
        match frame {
            Frame::Message(message) => {
                let stream = self.written.wrote(&message);
                (Frame::Message(message), Some(stream))
            }
            Frame::Ping(number) => (Frame::CountedPing(self.written.ping(number)), None),
            other => (other, None),
        }
    }

    /// A pong came back.
    pub(super) fn answered(&mut self, number: u64) {
        self.written.answered(number);
    }

    /// When a message arrives that would arrive then, if nothing of its stream were later.
    pub(super) fn arrival(&mut self, stream: usize, at: Instant) -> Instant {
        let latest = &mut self.latest[stream];
        *latest = at.max(*latest);
        *latest
    }

    /// A frame was handed on. Returns the numbers of the pings that can be answered now.
    pub(super) fn handed_on(&mut self, frame: &Frame, stream: Option<usize>) -> Vec<u64> {
        match (frame, stream) {
            (_, Some(stream)) => self.arrived.read(stream, 1),
            // Our own end breaks no rule; a ping that did would never be answered.
            (Frame::CountedPing(ping), None) => drop(self.arrived.asked(ping.clone())),
            _ => {}
        }
        std::iter::from_fn(|| self.arrived.next_pong()).collect()
    }
}
