//! One line of the table.

use crate::message::{Message, operation};
use alloc::boxed::Box;
use serde::{Deserialize, Serialize};

/// What a message is for, which its fields say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It has a parent: it answers or acknowledges.
    Answer,
    /// Its sender waits for an answer.
    Request,
    /// It is link control (`viaduct/pkg/mux`).
    LinkControl,
}

/// One line of the table: all that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rule {
    /// What the message is for; `None` for anything.
    pub kind: Option<Kind>,
    /// `route.group`; `None` for any.
    pub group: Option<Box<str>>,
    /// `route.source`; `None` for any.
    pub source: Option<Box<str>>,
    /// `route.operation`; `None` for any.
    pub operation: Option<Box<str>>,
    /// `route.resource`, where a `*` at the end stands for anything; `None` for any.
    pub resource: Option<Box<str>>,
    /// The place of the class among the classes.
    pub class: usize,
}

/// A message as rules look at it: what several of them ask for is found out once.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    message: &'a Message,
    operation: &'a str,
    group: &'a str,
    is_answer: bool,
    is_link_control: bool,
}

impl<'a> From<&'a Message> for Candidate<'a> {
    fn from(message: &'a Message) -> Candidate<'a> {
        let operation = message.operation();
        Candidate {
            message,
            operation,
            group: message.group(),
            is_answer: message.is_response() || operation == operation::RESPONSE,
            is_link_control: operation::LINK_CONTROL.contains(&operation),
        }
    }
}

impl Rule {
    /// Whether a message is one of these.
    pub fn fits<'a>(&self, candidate: impl Into<Candidate<'a>>) -> bool {
        let candidate = candidate.into();
        let is =
            |wanted: &Option<Box<str>>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        self.kind.is_none_or(|kind| kind.is(candidate))
            && is(&self.operation, candidate.operation)
            && is(&self.group, candidate.group)
            && self.source.as_deref().is_none_or(|source| source == candidate.message.source())
            && self.resource.as_deref().is_none_or(|pattern| matches(pattern, candidate.message.resource()))
    }
}

impl Kind {
    fn is(self, candidate: Candidate<'_>) -> bool {
        match self {
            Kind::Answer => candidate.is_answer,
            Kind::Request => candidate.message.is_sync(),
            Kind::LinkControl => candidate.is_link_control,
        }
    }
}

fn matches(pattern: &str, resource: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => resource.starts_with(beginning),
        None => pattern == resource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;

    #[test]
    fn a_star_at_the_end_stands_for_anything() {
        let check = |pattern: &str, resource: &str, fits: bool| {
            let rule = Rule { resource: Some(pattern.into()), ..Rule::default() };
            let message = Draft { resource, ..Draft::default() }.encode().unwrap();
            assert_eq!(rule.fits(&message), fits, "{pattern} and {resource}");
        };
        check("a/b", "a/b", true);
        check("a/b", "a/bc", false);
        check("a/*", "a/", true);
        check("a/*", "a/b/c", true);
        check("a/*", "a", false);
        check("*", "", true);
        check("a*b", "axb", false);
        check("a*b", "a*b", true);
    }

    #[test]
    fn everything_given_must_fit() {
        let rule = Rule {
            group: Some("g".into()),
            source: Some("s".into()),
            operation: Some("o".into()),
            ..Rule::default()
        };
        let check = |group, source, operation, fits: bool| {
            let message = Draft { group, source, operation, ..Draft::default() }.encode().unwrap();
            assert_eq!(rule.fits(&message), fits, "{group} {source} {operation}");
        };
        check("g", "s", "o", true);
        check("x", "s", "o", false);
        check("g", "x", "o", false);
        check("g", "s", "x", false);
    }
}
