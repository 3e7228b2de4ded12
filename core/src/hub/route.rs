//! Where a message from the cloud goes: the tables of both profiles, as data.
//!
//! Facts: KubeEdge `edge/pkg/edgehub/process.go` (`routeToEdge`, `dispatch`), current and of late 2019.

use super::note::DropReason;
use crate::config::Profile;

/// The module groups that learn about the link coming and going.
pub const CONNECT_INFO_GROUPS: [&str; 4] = ["meta", "twin", "bus", "taskmanager"];

/// Who receives a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// Every module of the group.
    Group(&'static str),
    /// The module of this name.
    Module(&'static str),
    /// Nobody, for this reason.
    Nobody(DropReason),
}

/// What the table says about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// An answer goes to the module that waits for it, and to nobody else.
    pub waiter_first: bool,
    /// Who receives it otherwise. Where `waiter_first` is false, a waiter outside receives its copy as well:
    /// a request that was answered never times out.
    pub receiver: Receiver,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `route.group`; `None` for any other.
    pub group: Option<&'static str>,
    /// `route.source`; `None` for any.
    pub source: Option<&'static str>,
    /// What happens to a message that answers nothing.
    pub unasked: Receiver,
    /// What happens to an answer.
    pub answer: Decision,
}

const WAITER_ONLY: Decision =
    Decision { waiter_first: true, receiver: Receiver::Nobody(DropReason::NoWaiter) };

const fn rule(group: &'static str, unasked: Receiver, answer: Decision) -> Rule {
    Rule { group: Some(group), source: None, unasked, answer }
}

const fn user(source: &'static str, module: &'static str) -> Rule {
    Rule { group: Some("user"), source: Some(source), unasked: Receiver::Module(module), answer: WAITER_ONLY }
}

const fn always(receiver: Receiver) -> Decision {
    Decision { waiter_first: false, receiver }
}

const OTHERWISE: Rule = Rule {
    group: None,
    source: None,
    unasked: Receiver::Nobody(DropReason::UnknownGroup),
    answer: WAITER_ONLY,
};

const CURRENT: [Rule; 8] = [
    rule("resource", Receiver::Group("meta"), WAITER_ONLY),
    rule("func", Receiver::Group("meta"), WAITER_ONLY),
    rule("twin", Receiver::Group("twin"), always(Receiver::Group("twin"))),
    user("router_eventbus", "eventbus"),
    user("router_servicebus", "servicebus"),
    rule("user", Receiver::Nobody(DropReason::UnknownSource), WAITER_ONLY),
    rule("taskmanager", Receiver::Module("taskmanager"), always(Receiver::Module("taskmanager"))),
    OTHERWISE,
];

const CLASSIC: [Rule; 6] = [
    rule("resource", Receiver::Group("meta"), WAITER_ONLY),
    rule("func", Receiver::Group("meta"), WAITER_ONLY),
    rule("twin", Receiver::Group("twin"), Decision { waiter_first: true, receiver: Receiver::Group("twin") }),
    rule("user", Receiver::Group("bus"), WAITER_ONLY),
    rule("taskmanager", Receiver::Module("taskmanager"), always(Receiver::Module("taskmanager"))),
    OTHERWISE,
];

/// A profile's table; the first line that fits counts, and the last one always fits.
pub fn table(profile: Profile) -> &'static [Rule] {
    match profile {
        Profile::Current => &CURRENT,
        Profile::Classic => &CLASSIC,
    }
}

/// What a profile's table says about a message.
pub fn decide(profile: Profile, group: &str, source: &str, is_answer: bool) -> Decision {
    let fits = |rule: &&Rule| {
        rule.group.is_none_or(|wanted| wanted == group) && rule.source.is_none_or(|wanted| wanted == source)
    };
    let rule = table(profile).iter().find(fits).unwrap_or(&OTHERWISE);
    if is_answer { rule.answer } else { always(rule.unasked) }
}

/// Whether a module's message is meant for the cloud: addressed to nobody else.
pub fn is_for_the_cloud(destination: &str) -> bool {
    matches!(destination, "" | "websocket" | "hub" | "edgehub")
}
