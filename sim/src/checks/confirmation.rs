//! A pong confirms exactly what modules had written before its ping, on the same link. What the hub writes on its own
//! account is settled with the writing, and so is what is delivered at most once.

use super::{Outcome, Step, broken, class_of};
use crate::key;
use edgehub_core::class::{Classes, Delivery};
use edgehub_core::hub::Direction;
use edgehub_core::limits::PINGS_MAX;
use edgehub_core::{Config, Input, LinkEvent, Note, Output};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(super) struct Confirmation {
    classes: Classes,
    /// Ids of everything that modules have sent, and the names of their classes.
    sent: BTreeMap<u64, Box<str>>,
    /// Written on this link: messages, and the pings between them.
    written: VecDeque<Written>,
    pings: usize,
    confirmed: Vec<u64>,
    /// Confirmed and written, as the books had it.
    booked: (u64, u64),
    /// Written in this step, of which the classes before it and those after it do not say the same; and whether a pong is to
    /// confirm it.
    unsure: BTreeMap<u64, bool>,
}

#[derive(Debug)]
enum Written {
    Message(u64),
    Ping(u64),
}

/// Whether a message that was written in this step was not settled with that: the hub still holds it, or has lost it with the link.
pub(super) fn outlives_writing(id: u64, step: &Step<'_>) -> bool {
    let dropped = step.outputs.iter().any(|output| {
        matches!(output, Output::Note(Note::Dropped { direction: Direction::Up, msg_id, .. }) if key::of(msg_id) == id)
    });
    dropped || step.hub.outbox_messages().any(|held| key::of(&held.msg_id) == id)
}

impl Confirmation {
    pub(super) fn new(config: &Config) -> Confirmation {
        Confirmation {
            classes: config.classes.clone(),
            sent: BTreeMap::new(),
            written: VecDeque::new(),
            pings: 0,
            confirmed: Vec::new(),
            booked: (0, 0),
            unsure: BTreeMap::new(),
        }
    }

    /// Whether a pong is to confirm a message that is written now.
    pub(super) fn is_kept(&self, id: u64) -> bool {
        self.unsure.get(&id).copied().unwrap_or_else(|| self.is_kept_by_class(id))
    }

    fn is_kept_by_class(&self, id: u64) -> bool {
        let Some(name) = self.sent.get(&id) else { return false };
        let Classes { classes, otherwise, .. } = &self.classes;
        let class = classes.iter().find(|class| class.name == *name).unwrap_or(&classes[*otherwise]);
        class.delivery == Delivery::AtLeastOnce
    }

    /// Whether a module has sent a message of this id.
    pub(super) fn is_of_module(&self, id: u64) -> bool {
        self.sent.contains_key(&id)
    }

    /// Whether anything that a pong is to confirm is written and not confirmed.
    pub(super) fn awaits_any(&self) -> bool {
        self.written.iter().any(|written| matches!(written, Written::Message(_)))
    }

    pub(super) fn confirmed(&self) -> &[u64] {
        &self.confirmed
    }

    /// Everything up to the ping; the pongs of earlier ones are not needed any more.
    fn pong(&mut self, number: u64) {
        let covered = |written: &Written| matches!(written, Written::Ping(ping) if *ping <= number);
        let Some(at) = self.written.iter().rposition(covered) else { return };
        for written in self.written.drain(..=at) {
            match written {
                Written::Message(id) => self.confirmed.push(id),
                Written::Ping(_) => self.pings -= 1,
            }
        }
    }

    fn ping(&mut self, number: u64) {
        if self.pings >= PINGS_MAX
            && let Some(newest) = self.written.iter().rposition(|written| matches!(written, Written::Ping(_)))
        {
            self.written.remove(newest);
            self.pings -= 1;
        }
        self.written.push_back(Written::Ping(number));
        self.pings += 1;
    }

    /// A message keeps its class by name, or belongs to that of what no rule fits.
    ///
    /// What is due is done before the new classes count: then a message may have been written as the old ones say.
    fn reconfigure(&mut self, classes: &Classes, step: &Step<'_>) {
        let written = step.outputs.iter().filter_map(|output| match output {
            Output::Write { message, .. } if step.was_due() => Some(key::of(message.msg_id())),
            _ => None,
        });
        let before: Vec<(u64, bool)> = written.map(|id| (id, self.is_kept_by_class(id))).collect();
        let otherwise = &classes.classes[classes.otherwise].name;
        for name in self.sent.values_mut() {
            if !classes.classes.iter().any(|class| class.name == *name) {
                name.clone_from(otherwise);
            }
        }
        self.classes = classes.clone();
        let differs = |(id, before): &(u64, bool)| *before != self.is_kept_by_class(*id);
        self.unsure =
            before.into_iter().filter(differs).map(|(id, _)| (id, outlives_writing(id, step))).collect();
    }

    /// Returns how many messages were written that are settled with that.
    fn observe(&mut self, outputs: &[Output]) -> u64 {
        let mut once = 0;
        for output in outputs {
            match output {
                Output::Write { message, .. } if self.is_kept(key::of(message.msg_id())) => {
                    self.written.push_back(Written::Message(key::of(message.msg_id())));
                }
                Output::Write { .. } => once += 1,
                Output::Ping { number, .. } => self.ping(*number),
                Output::Note(Note::LinkUp { .. } | Note::LinkDown { .. }) => {
                    self.written.clear();
                    self.pings = 0;
                }
                _ => {}
            }
        }
        once
    }
}

impl Confirmation {
    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        self.confirmed.clear();
        self.unsure.clear();
        if let Some((message, _)) = step.accepted() {
            let class = class_of(&self.classes, message);
            self.sent.insert(key::of(message.msg_id()), self.classes.classes[class].name.clone());
        }
        if let Input::Reconfigure(config) = step.input {
            self.reconfigure(&config.classes, step);
        }
        let books = step.hub.account().up;
        let before = std::mem::replace(&mut self.booked, (books.confirmed, books.written));
        let newly = (books.confirmed - before.0, books.written - before.1);
        // A ping of this step has a higher number than any pong that can be true.
        let unexpected = |output: &Output| {
            matches!(output, Output::Note(Note::UnexpectedLinkEvent { .. } | Note::StaleLinkEvent { .. }))
        };
        if let Input::Link { epoch, event: LinkEvent::Pong(number) } = step.input
            && *epoch == step.epoch
            && !step.outputs.iter().any(unexpected)
        {
            self.pong(*number);
        }
        let written = self.observe(step.outputs);
        let expected = (self.confirmed.len() as u64, written);
        if newly == expected {
            Ok(())
        } else {
            broken(
                "settled",
                format!("so many were confirmed and written in the books: {newly:?}, not {expected:?}"),
            )
        }
    }
}
