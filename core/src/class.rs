//! Classes of messages: what is kept, for how long, how much of it, and what gives way.
//!
//! A rule table says which class a message of a module belongs to; the class says everything else. What the hub writes
//! on its own account (keepalives, answers to link control) belongs to none: it leaves first and is never kept.
//!
//! Within a class messages leave in the order in which they were accepted, also when they are sent again. Between classes the priority
//! decides, and among those of one priority the age. But messages of one source, group and resource keep their order whatever
//! their classes (answers and link control aside): for the sake of that a class lends its turn to another one.

mod defaults;
mod rule;

pub use rule::{Candidate, Kind, Rule};

use crate::limits::{CLASS_RULES_MAX, CLASSES_MAX};
use crate::message::Message;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How hard the hub tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Delivery {
    /// Written once, settled with the writing, and never sent again.
    AtMostOnce,
    /// Kept until a pong confirms it, and sent again on the next link otherwise: the cloud may see it twice. The window
    /// for that is what was written and not confirmed when a link ended, at most `barrier_messages` messages or
    /// `barrier_after` plus a round trip on a link that works.
    #[default]
    AtLeastOnce,
}

/// What happens to a message for which its class has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Overflow {
    /// The oldest queued messages of the class make room.
    #[default]
    DropOldest,
    /// The new message is dropped.
    DropNewest,
    /// The new message is dropped, and its sender is told, asked or not.
    Reject,
}

/// What is done with the messages of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its name, unique among the classes.
    pub name: Box<str>,
    /// Lower numbers leave first. Classes of the same priority keep the order in which messages were accepted.
    pub priority: u8,
    /// How hard the hub tries.
    pub delivery: Delivery,
    /// How long a message may wait to be written, from its acceptance on; `None` for any time.
    pub time_to_live: Option<Duration>,
    /// Messages of this class that the outbox holds, unconfirmed ones included; `None` leaves it to the outbox' bound.
    pub messages: Option<usize>,
    /// … and their bytes. One larger message may be there alone.
    pub bytes: Option<usize>,
    /// What happens when there is no room.
    pub overflow: Overflow,
    /// Whether a new message takes the place of the queued one of the same source, group and resource, as long as that
    /// was never written. The new one goes to the end of the queue: what leaves is always in the order of acceptance.
    /// Requests neither take a place nor lose it.
    pub coalesce: bool,
    /// Whether it survives the process, in the journal, if the hub has one. Requests do not: after a start nobody would
    /// wait for their answer.
    pub persistent: bool,
    /// Whether what is dropped is kept as a dead letter.
    pub dead_letters: bool,
    /// Largest message in bytes, in the form in which it leaves; `None` for the protocol's own limit.
    pub message_bytes: Option<usize>,
    /// Whether the rate limit applies.
    pub rate_limited: bool,
}

impl Default for Class {
    /// Kept until confirmed, for any time, in memory.
    fn default() -> Class {
        Class {
            name: Box::from(""),
            priority: 1,
            delivery: Delivery::AtLeastOnce,
            time_to_live: None,
            messages: None,
            bytes: None,
            overflow: Overflow::DropOldest,
            coalesce: false,
            persistent: false,
            dead_letters: false,
            message_bytes: None,
            rate_limited: true,
        }
    }
}

/// The classes and the table that gives each message its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// The classes; at most [`CLASSES_MAX`], the rest is ignored.
    pub classes: Vec<Class>,
    /// The rules: the first that fits counts. At most [`CLASS_RULES_MAX`].
    pub rules: Vec<Rule>,
    /// The class of what no rule fits; the last class when there is none of this number.
    pub otherwise: usize,
}

impl Classes {
    /// The place of a message's class among the classes. The message is as its module sent it, so that a request is
    /// known for one.
    pub fn of(&self, message: &Message) -> usize {
        let candidate = Candidate::from(message);
        let rule = self.rules.iter().find(|rule| rule.fits(candidate));
        rule.map_or(self.otherwise, |rule| rule.class)
    }

    /// The place of the class of this name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|class| &*class.name == name)
    }

    /// The same with every number in its range.
    pub(crate) fn clamped(mut self) -> Classes {
        if self.classes.is_empty() {
            return Classes::default();
        }
        self.classes.truncate(CLASSES_MAX);
        self.rules.truncate(CLASS_RULES_MAX);
        let last = self.classes.len() - 1;
        self.rules.retain(|rule| rule.class <= last);
        self.otherwise = self.otherwise.min(last);
        for class in &mut self.classes {
            class.messages = class.messages.map(|messages| messages.max(1));
            class.time_to_live = class.time_to_live.map(|length| length.max(Duration::from_micros(1)));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;

    /// The name of the class that the default rules give a message.
    fn class_of(draft: Draft<'_>) -> Box<str> {
        let classes = Classes::default();
        classes.classes[classes.of(&draft.encode().unwrap())].name.clone()
    }

    #[test]
    fn the_defaults_know_kubeedges_traffic() {
        let check = |draft: Draft<'_>, class: &str| assert_eq!(&*class_of(draft), class, "{draft:?}");
        let draft = Draft::default();
        check(Draft { parent_msg_id: "1", group: "user", operation: "upload", ..draft }, "control");
        check(Draft { operation: "response", sync: true, ..draft }, "control");
        check(Draft { operation: "keepalive", ..draft }, "control");
        check(Draft { operation: "ping", ..draft }, "control");
        check(Draft { operation: "query", sync: true, ..draft }, "sync");
        check(Draft { operation: "query", ..draft }, "state");
        check(
            Draft { group: "meta", operation: "update", resource: "default/podstatus/web", ..draft },
            "state",
        );
        check(Draft { group: "user", operation: "upload", ..draft }, "telemetry");
        check(Draft { group: "user", operation: "update", ..draft }, "state");
    }

    #[test]
    fn numbers_out_of_range_are_brought_into_it() {
        let only = |rules, otherwise| Classes { classes: alloc::vec![Class::default()], rules, otherwise };
        let wrong = only(alloc::vec![Rule { class: 1, ..Rule::default() }, Rule::default()], 7).clamped();
        assert_eq!((wrong.rules.len(), wrong.otherwise), (1, 0));
        assert_eq!(Classes { classes: Vec::new(), ..wrong }.clamped(), Classes::default());
        let many = alloc::vec![Class::default(); CLASSES_MAX + 1];
        let many = Classes { classes: many, rules: Vec::new(), otherwise: CLASSES_MAX }.clamped();
        assert_eq!((many.classes.len(), many.otherwise), (CLASSES_MAX, CLASSES_MAX - 1));
    }
}
