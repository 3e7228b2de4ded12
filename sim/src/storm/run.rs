//! The event loop of a storm.

use super::Storm;
use super::cloud::{Attempt, Cloud, Knock};
use super::curve::Curve;
use super::node::{Event, Node, Waiting, Wish};
use crate::dice::Dice;
use std::collections::BTreeSet;

/// Nodes start within the first heartbeat, and by the restart every link counts as stable.
const STARTS_US: u64 = 15_000_000;
const RESTART_US: u64 = 60_000_000;
const LONGEST_US: u64 = 30 * 60_000_000;
/// A lost connection request is repeated after one second, then twice as long, so many times (Linux repeats six times).
const REPEATS: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A node's deadline.
    Node(usize),
    /// A connection request arrives for the so-many-eth time.
    Knock(Attempt, u32),
    /// A handshake is complete.
    Opened(Attempt),
}

struct Run {
    nodes: Vec<Node>,
    /// The attempt that each node makes, if it makes one, and how many it has made.
    dialling: Vec<(Option<u32>, u32)>,
    /// What is due, in order of time; what is due at one instant comes in a fixed order.
    due: BTreeSet<(u64, Due)>,
    timers: Vec<Option<u64>>,
    cloud: Cloud,
    curve: Curve,
}

/// Runs a storm to its end.
pub(super) fn run(storm: &Storm, waiting: Waiting) -> Curve {
    let mut dice = Dice::new(storm.seed);
    let mut run = Run {
        nodes: Vec::new(),
        dialling: Vec::new(),
        due: BTreeSet::new(),
        timers: Vec::new(),
        cloud: Cloud::new(storm, RESTART_US),
        curve: Curve::default(),
    };
    for at in 0..storm.nodes as usize {
        let starts_us = dice.number(0, STARTS_US);
        run.nodes.push(Node::new(waiting, &mut dice, starts_us));
        run.dialling.push((None, 0));
        run.timers.push(None);
        run.handle(starts_us, at, Event::Tick);
        // Before the restart, who dials is let in.
        run.handle(starts_us, at, Event::Opened);
    }
    run.until(RESTART_US - 1);
    for at in 0..run.nodes.len() {
        run.handle(RESTART_US, at, Event::Lost);
    }
    run.until(RESTART_US + LONGEST_US);
    run.curve
}

impl Run {
    fn until(&mut self, end_us: u64) {
        let all = self.nodes.len() as u32;
        while let Some(&(now_us, due)) = self.due.first()
            && now_us <= end_us
            && self.curve.connected() < all
        {
            self.due.pop_first();
            match due {
                Due::Node(at) => self.handle(now_us, at, Event::Tick),
                Due::Knock(attempt, repeats) => self.knock(now_us, attempt, repeats),
                Due::Opened(attempt) => {
                    self.cloud.done();
                    if self.goes_on(attempt) {
                        self.curve.opened(now_us - RESTART_US);
                        self.dialling[attempt.node].0 = None;
                        self.handle(now_us, attempt.node, Event::Opened);
                    } else {
                        self.curve.wasted += 1;
                    }
                    self.accept(now_us);
                }
            }
        }
    }

    fn goes_on(&self, attempt: Attempt) -> bool {
        self.dialling[attempt.node].0 == Some(attempt.number)
    }

    fn handle(&mut self, now_us: u64, at: usize, event: Event) {
        let wishes = self.nodes[at].handle(now_us, event);
        let deadline = self.nodes[at].deadline_us().map(|deadline| deadline.max(now_us));
        if let Some(old) = std::mem::replace(&mut self.timers[at], deadline) {
            self.due.remove(&(old, Due::Node(at)));
        }
        self.due.extend(deadline.map(|deadline| (deadline, Due::Node(at))));
        for wish in wishes {
            match wish {
                Wish::Dial => self.dial(now_us, at),
                Wish::GiveUp => self.dialling[at].0 = None,
            }
        }
    }

    fn dial(&mut self, now_us: u64, at: usize) {
        if now_us < RESTART_US {
            return;
        }
        let (current, made) = &mut self.dialling[at];
        *made += 1;
        *current = Some(*made);
        let attempt = Attempt { node: at, number: *made };
        self.due.insert((now_us, Due::Knock(attempt, 0)));
    }

    fn knock(&mut self, now_us: u64, attempt: Attempt, repeats: u32) {
        if !self.goes_on(attempt) {
            return;
        }
        let knock = self.cloud.knock(now_us, attempt);
        if repeats == 0 {
            self.curve.attempt(now_us - RESTART_US, knock == Knock::Refused);
        }
        match knock {
            Knock::Refused => {
                self.dialling[attempt.node].0 = None;
                self.handle(now_us, attempt.node, Event::Refused);
            }
            Knock::Queued => self.accept(now_us),
            Knock::Lost if repeats < REPEATS => {
                self.due.insert((now_us + (1_000_000 << repeats), Due::Knock(attempt, repeats + 1)));
            }
            // The node's own time-out ends it.
            Knock::Lost => {}
        }
    }

    fn accept(&mut self, now_us: u64) {
        let dialling = &self.dialling;
        let goes_on = |attempt: Attempt| dialling[attempt.node].0 == Some(attempt.number);
        if let Some((done_us, attempt)) = self.cloud.accept(now_us, goes_on) {
            self.due.insert((done_us, Due::Opened(attempt)));
        }
    }
}
