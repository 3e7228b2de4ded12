//! Sets of classes that a scenario can name: KubeEdge's traffic, treated in different ways.
//!
//! What is exempt from the rate limit is the same in all of them, so that one message tells it.

use edgehub_core::class::{Class, Classes, Delivery, Overflow, Rule};
use std::time::Duration;

/// The words for them.
pub(crate) const WORDS: [&str; 9] = [
    "default",
    "coalescing",
    "short-lived",
    "at-most-once",
    "tight",
    "rejecting",
    "by-resource",
    "persistent",
    "persistent-tight",
];

fn changed(change: impl Fn(&mut Class)) -> Classes {
    let mut classes = Classes::default();
    for class in &mut classes.classes {
        if &*class.name != "control" {
            change(class);
        }
    }
    classes
}

/// The set that the word of this number stands for.
pub(crate) fn set(word: u64) -> Classes {
    of(WORDS.get(word as usize).copied().unwrap_or_default())
}

/// The set that a word stands for.
pub(crate) fn of(word: &str) -> Classes {
    match word {
        "coalescing" => changed(|class| class.coalesce = true),
        "short-lived" => changed(|class| {
            let seconds = if &*class.name == "state" { 3 } else { 20 };
            class.time_to_live = Some(Duration::from_secs(seconds));
        }),
        "at-most-once" => {
            let mut classes = changed(|_| {});
            // Requests and state are kept, what is told of the devices is not.
            classes.classes.push(Class { delivery: Delivery::AtMostOnce, priority: 1, ..named("devices") });
            classes.rules.push(Rule { group: Some("twin".into()), class: 4, ..Rule::default() });
            classes.rules.push(Rule { source: Some("eventbus".into()), class: 4, ..Rule::default() });
            classes
        }
        "tight" => changed(|class| {
            class.messages = Some(5);
            class.bytes = Some(20_000);
            class.message_bytes = Some(30_000);
            class.dead_letters = true;
            class.overflow = if &*class.name == "sync" { Overflow::DropNewest } else { Overflow::DropOldest };
        }),
        "rejecting" => changed(|class| {
            class.messages = Some(8);
            class.overflow = Overflow::Reject;
            class.coalesce = &*class.name == "state";
            class.dead_letters = true;
        }),
        "by-resource" => {
            let mut classes = changed(|class| class.priority += 1);
            let of =
                |resource: &str, class| Rule { resource: Some(resource.into()), class, ..Rule::default() };
            classes.classes.push(Class { priority: 1, coalesce: true, ..named("first") });
            classes.classes.push(Class {
                priority: 9,
                time_to_live: Some(Duration::from_secs(60)),
                messages: Some(30),
                ..named("last")
            });
            classes.rules.push(of("default/pod/p0*", 4));
            classes.rules.push(of("default/pod/p1", 5));
            classes
        }
        "persistent" => changed(|class| class.persistent = true),
        "persistent-tight" => changed(|class| {
            class.persistent = true;
            class.messages = Some(40);
            class.dead_letters = true;
            class.coalesce = &*class.name == "state";
            class.time_to_live = (&*class.name == "telemetry").then_some(Duration::from_secs(30));
        }),
        _ => Classes::default(),
    }
}

fn named(name: &str) -> Class {
    Class { name: name.into(), ..Class::default() }
}

/// The word for a set.
pub(crate) fn word_of(classes: &Classes) -> u64 {
    (0..WORDS.len() as u64).find(|word| set(*word) == *classes).unwrap_or_default()
}
