//! The two kinds of nodes, as somebody sees them who carries out their dialling.

use crate::dice::Dice;
use crate::original::{AFTER_LOSS, HEARTBEAT, Tries};
use edgehub_core::{Config, Hub, Input, LinkEpoch, LinkEvent, Now, Output};
use std::time::Duration;

/// How a node waits before it dials again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Ours: the hub's exponential backoff with full jitter. The loss is noticed at once, for the link is always read.
    Backoff,
    /// The original's fixed waits, on nodes that send all the time and so notice the loss at once.
    FixedBusy,
    /// The same on nodes that send nothing but keepalives and notice the loss at the next one of them.
    FixedIdle,
}

impl Waiting {
    /// All of them.
    pub const ALL: [Waiting; 3] = [Waiting::Backoff, Waiting::FixedBusy, Waiting::FixedIdle];

    /// As it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Waiting::Backoff => "backoff (ours)",
            Waiting::FixedBusy => "fixed wait, busy nodes",
            Waiting::FixedIdle => "fixed wait, idle nodes",
        }
    }
}

/// What a node wants from its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Dial,
    /// The attempt has taken too long.
    GiveUp,
}

/// A node.
#[derive(Debug)]
pub(super) enum Node {
    Hub(Box<HubNode>),
    Fixed(FixedNode),
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Opened,
    Refused,
    Lost,
    Tick,
}

impl Node {
    /// A node that starts now and is connected as soon as it dials.
    pub(super) fn new(waiting: Waiting, dice: &mut Dice, now_us: u64) -> Node {
        match waiting {
            Waiting::Backoff => Node::Hub(Box::new(HubNode::new(dice.seed(), now_us))),
            Waiting::FixedBusy => Node::Fixed(FixedNode::new(false, now_us)),
            Waiting::FixedIdle => Node::Fixed(FixedNode::new(true, now_us)),
        }
    }

    /// Lets something happen to the node; says what it wants done, in order.
    pub(super) fn handle(&mut self, now_us: u64, event: Event) -> Vec<Wish> {
        match self {
            Node::Hub(node) => node.handle(now_us, event),
            Node::Fixed(node) => node.handle(now_us, event).into_iter().collect(),
        }
    }

    /// When it wants its next tick.
    pub(super) fn deadline_us(&self) -> Option<u64> {
        match self {
            Node::Hub(node) => node.hub.next_deadline().map(|deadline| deadline.at.0),
            Node::Fixed(node) => node.due_us,
        }
    }
}

/// A real hub whose cloud answers every ping at once.
#[derive(Debug)]
pub(super) struct HubNode {
    hub: Hub,
}

impl HubNode {
    fn new(seed: u64, now_us: u64) -> HubNode {
        let hub = Hub::new(Config::default(), seed, Now::new(now_us, 0));
        HubNode { hub }
    }

    fn handle(&mut self, now_us: u64, event: Event) -> Vec<Wish> {
        let epoch = self.hub.epoch();
        self.input(
            now_us,
            match event {
                Event::Opened => Input::Link { epoch, event: LinkEvent::Opened },
                Event::Refused => Input::Link { epoch, event: LinkEvent::OpenFailed },
                Event::Lost => Input::Link { epoch, event: LinkEvent::Closed },
                Event::Tick => Input::Tick,
            },
        );
        let mut wishes = Vec::new();
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Open { .. } => wishes.push(Wish::Dial),
                Output::Close { .. } => wishes.push(Wish::GiveUp),
                Output::Write { epoch, message } => {
                    self.link(now_us, epoch, LinkEvent::Flushed { messages: 1, bytes: message.bytes() });
                }
                Output::Ping { epoch, number } => self.link(now_us, epoch, LinkEvent::Pong(number)),
                _ => {}
            }
        }
        wishes
    }

    fn link(&mut self, now_us: u64, epoch: LinkEpoch, event: LinkEvent) {
        self.input(now_us, Input::Link { epoch, event });
    }

    fn input(&mut self, now_us: u64, input: Input) {
        self.hub.handle(Now::new(now_us, (now_us / 1000) as i64), input);
    }
}

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// The original's waiting, and nothing else of it.
#[derive(Debug)]
pub(super) struct FixedNode {
    /// Whether only keepalives are sent.
    idle: bool,
    /// When the first keepalive was due.
    started_us: u64,
    tries: Tries,
    dialling: bool,
    due_us: Option<u64>,
}

impl FixedNode {
    fn new(idle: bool, now_us: u64) -> FixedNode {
        FixedNode { idle, started_us: now_us, tries: Tries::default(), dialling: false, due_us: Some(now_us) }
    }

    fn handle(&mut self, now_us: u64, event: Event) -> Option<Wish> {
        match event {
            Event::Opened => {
                self.tries.opened();
                (self.dialling, self.due_us) = (false, None);
                None
            }
            Event::Lost => {
                self.due_us = Some(self.notices_us(now_us) + micros(AFTER_LOSS));
                None
            }
            Event::Refused => {
                self.failed(now_us);
                None
            }
            Event::Tick if self.due_us.is_none_or(|due| due > now_us) => None,
            Event::Tick if self.dialling => {
                self.failed(now_us);
                Some(Wish::GiveUp)
            }
            Event::Tick => {
                self.dialling = true;
                self.due_us = Some(now_us + micros(HANDSHAKE_TIMEOUT));
                Some(Wish::Dial)
            }
        }
    }

    /// When the loss of now is noticed.
    fn notices_us(&self, now_us: u64) -> u64 {
        let heartbeat = micros(HEARTBEAT);
        let beats = (now_us - self.started_us).div_ceil(heartbeat);
        if self.idle { self.started_us + beats * heartbeat } else { now_us }
    }

    fn failed(&mut self, now_us: u64) {
        self.dialling = false;
        self.due_us = Some(now_us + micros(self.tries.failed()));
    }
}

fn micros(length: Duration) -> u64 {
    length.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which a node dials after a loss at 100 s, while everything is refused.
    fn check(idle: bool, dials: &[u64]) {
        let second = 1_000_000;
        let mut node = FixedNode::new(idle, 2 * second);
        assert_eq!(node.handle(2 * second, Event::Tick), Some(Wish::Dial));
        node.handle(2 * second, Event::Opened);
        node.handle(100 * second, Event::Lost);
        let mut found = Vec::new();
        while found.len() < dials.len() {
            let now = node.due_us.unwrap();
            assert_eq!(node.handle(now, Event::Tick), Some(Wish::Dial));
            node.handle(now, Event::Refused);
            found.push(now / second);
        }
        assert_eq!(found, dials);
    }

    #[test]
    fn the_originals_waits_are_as_its_source_has_them() {
        check(false, &[130, 135, 140, 145, 150, 215, 220]);
        check(true, &[137, 142, 147, 152, 157, 222, 227]);
    }

    #[test]
    fn an_attempt_that_hangs_is_given_up() {
        let mut node = FixedNode::new(false, 0);
        assert_eq!(node.handle(0, Event::Tick), Some(Wish::Dial));
        assert_eq!(node.handle(29_999_999, Event::Tick), None);
        assert_eq!(node.handle(30_000_000, Event::Tick), Some(Wish::GiveUp));
        assert_eq!(node.due_us, Some(35_000_000));
    }
}
