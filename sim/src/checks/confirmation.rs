//! A pong confirms exactly what modules had written before its ping, on the same link. What the hub writes on its own
//! account is settled with the writing, and so is what is delivered at most once.

use super::{Outcome, Step, broken, class_of};
use crate::key;
use edgehub_core::class::{Classes, Delivery};
use edgehub_core::hub::JournalEvent;
use edgehub_core::limits::PINGS_MAX;
use edgehub_core::{Config, Input, LinkEvent, ModuleEvent, Note, Output};
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
}

#[derive(Debug)]
enum Written {
    Message(u64),
    Ping(u64),
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
        }
    }

    /// Whether a pong is to confirm a message that is written now.
    pub(super) fn is_kept(&self, id: u64) -> bool {
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
    fn reconfigure(&mut self, classes: &Classes) {
        let otherwise = &classes.classes[classes.otherwise].name;
        for name in self.sent.values_mut() {
            if !classes.classes.iter().any(|class| class.name == *name) {
                name.clone_from(otherwise);
            }
        }
        self.classes = classes.clone();
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
        if let Input::Module { event: ModuleEvent::Sent { message, .. }, .. } = step.input {
            let class = class_of(&self.classes, message);
            self.sent.insert(key::of(message.msg_id()), self.classes.classes[class].name.clone());
        }
        if let Input::Journal(JournalEvent::Restored { message, .. }) = step.input {
            let class = class_of(&self.classes, message);
            self.sent.insert(key::of(message.msg_id()), self.classes.classes[class].name.clone());
        }
        if let Input::Reconfigure(config) = step.input {
            self.reconfigure(&config.classes);
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
