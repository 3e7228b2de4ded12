//! The classes of messages and the rules that give each message its own (`edgehub.classes`, `.rules`, `.otherwise`).
//!
//! What is written comes on top of the core's defaults: a class of a known name changes only what it says, and rules come
//! before the defaults' own, so that the first that fits counts.

use super::reader::Section;
use edgehub_core::class::{Class, Classes, Delivery, Kind, Overflow, Rule};
use edgehub_core::limits::{CLASS_RULES_MAX, CLASSES_MAX, FRAME_BYTES_MAX};

/// What a file says of classes, and which of them say themselves whether they are stored.
pub(super) struct Read {
    pub(super) classes: Classes,
    pub(super) says_persistent: Vec<bool>,
}

/// Reads the tables out of the section `edgehub`.
pub(super) fn read(hub: &Section<'_>) -> Read {
    let mut classes = Classes::default();
    let mut says_persistent = vec![false; classes.classes.len()];
    let table = hub.section("classes");
    for (name, section) in table.sections() {
        let place = classes.named(name).unwrap_or(classes.classes.len());
        if place == CLASSES_MAX {
            table.problem(format!("expected at most {CLASSES_MAX} classes, found {name:?} on top"));
            break;
        }
        if place == classes.classes.len() {
            if name.is_empty() || name.chars().any(char::is_control) || name.len() > 64 {
                table.problem(format!("expected names of 1 to 64 characters for classes, found {name:?}"));
                continue;
            }
            classes.classes.push(Class { name: name.into(), ..Class::default() });
            says_persistent.push(false);
        }
        says_persistent[place] = section.has_any(&["persistent"]);
        change(&mut classes.classes[place], &section);
        section.warn_of_unknown();
    }
    let mut rules = Vec::new();
    for section in hub.list("rules") {
        rules.extend(rule(&section, &classes));
        section.warn_of_unknown();
    }
    rules.append(&mut classes.rules);
    if rules.len() > CLASS_RULES_MAX {
        let own = CLASS_RULES_MAX - Classes::default().rules.len();
        hub.problem_at("rules", format!("expected at most {own} rules, found more"));
    }
    classes.rules = rules;
    if let Some(name) = hub.text("otherwise") {
        match classes.named(&name) {
            Some(place) => classes.otherwise = place,
            None => hub.problem_at("otherwise", unknown_class(&name, &classes)),
        }
    }
    Read { classes, says_persistent }
}

/// Changes what a section says of a class.
fn change(class: &mut Class, section: &Section<'_>) {
    class.priority = section.count("priority", class.priority.into(), 0..=u64::from(u8::MAX)) as u8;
    class.delivery = section.word(
        "delivery",
        class.delivery,
        &[("at-least-once", Delivery::AtLeastOnce), ("at-most-once", Delivery::AtMostOnce)],
    );
    if section.has_any(&["timeToLive"]) {
        class.time_to_live = Some(section.seconds("timeToLive", class.time_to_live.unwrap_or_default()));
    }
    let bound = |key, value: Option<usize>, most: u64| match section.has_any(&[key]) {
        true => usize::try_from(section.count(key, 1, 1..=most)).ok(),
        false => value,
    };
    class.messages = bound("messages", class.messages, 10_000_000);
    class.bytes = bound("bytes", class.bytes, 1 << 40);
    class.message_bytes = bound("messageBytes", class.message_bytes, FRAME_BYTES_MAX as u64);
    class.overflow = section.word(
        "overflow",
        class.overflow,
        &[
            ("drop-oldest", Overflow::DropOldest),
            ("drop-newest", Overflow::DropNewest),
            ("reject", Overflow::Reject),
        ],
    );
    class.coalesce = section.flag("coalesce", class.coalesce);
    class.persistent = section.flag("persistent", class.persistent);
    class.dead_letters = section.flag("deadLetters", class.dead_letters);
    class.rate_limited = section.flag("rateLimited", class.rate_limited);
}

fn rule(section: &Section<'_>, classes: &Classes) -> Option<Rule> {
    let kinds = [("answer", Kind::Answer), ("request", Kind::Request), ("link-control", Kind::LinkControl)];
    let text = |key| section.text(key).map(String::into_boxed_str);
    let rule = Rule {
        kind: section.word("kind", None, &kinds.map(|(word, kind)| (word, Some(kind)))),
        group: text("group"),
        source: text("source"),
        operation: text("operation"),
        resource: text("resource"),
        class: 0,
    };
    let Some(name) = section.text("class") else {
        section.problem_at("class", "expected the name of a class, found nothing");
        return None;
    };
    let class = classes.named(&name);
    if class.is_none() {
        section.problem_at("class", unknown_class(&name, classes));
    }
    Some(Rule { class: class?, ..rule })
}

fn unknown_class(name: &str, classes: &Classes) -> String {
    let names: Vec<&str> = classes.classes.iter().map(|class| &*class.name).collect();
    format!("expected one of the classes {}, found {name:?}", names.join(", "))
}
