//! The rule table, read a second time: nothing of the core's code is asked.

use edgehub_core::Message;
use edgehub_core::class::{Classes, Kind, Rule};

/// The place of a message's class. The message is as its module sent it.
pub(crate) fn class_of(classes: &Classes, message: &Message) -> usize {
    classes.rules.iter().find(|rule| fits(rule, message)).map_or(classes.otherwise, |rule| rule.class)
}

fn fits(rule: &Rule, message: &Message) -> bool {
    let kind = match rule.kind {
        None => true,
        Some(Kind::Answer) => !message.parent_msg_id().is_empty() || message.operation() == "response",
        Some(Kind::Request) => message.is_sync(),
        Some(Kind::LinkControl) => ["ping", "pong", "config"].contains(&message.operation()),
    };
    let pairs = [
        (&rule.group, message.group()),
        (&rule.source, message.source()),
        (&rule.operation, message.operation()),
    ];
    let resource = match rule.resource.as_deref() {
        None => true,
        Some(pattern) if pattern.ends_with('*') => {
            message.resource().starts_with(pattern.trim_end_matches('*'))
        }
        Some(text) => text == message.resource(),
    };
    kind && resource
        && pairs.iter().all(|(wanted, found)| wanted.as_deref().is_none_or(|text| text == *found))
}
