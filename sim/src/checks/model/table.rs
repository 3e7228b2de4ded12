//! Who receives what, read from the protocol's description (`Routing`), not from the core.

use edgehub_core::Profile;
use edgehub_core::hub::DropReason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Group(&'static str),
    Module(&'static str),
    /// Nobody, for this reason.
    Nobody(DropReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// Whoever waits for it gets it, and nobody else does.
    pub(super) waiter_alone: bool,
    /// Who gets it when nobody waits, or besides the waiter.
    pub(super) otherwise: Target,
}

pub(super) fn target(profile: Profile, group: &str, source: &str, is_answer: bool) -> Route {
    let classic = profile == Profile::Classic;
    let (waiter_alone, otherwise) = match (group, is_answer) {
        ("resource" | "func", false) => (true, Target::Group("meta")),
        ("twin", _) => (classic, Target::Group("twin")),
        ("taskmanager", _) => (false, Target::Module("taskmanager")),
        ("user", false) if classic => (true, Target::Group("bus")),
        ("user", false) if source == "router_eventbus" => (true, Target::Module("eventbus")),
        ("user", false) if source == "router_servicebus" => (true, Target::Module("servicebus")),
        (_, true) => (true, Target::Nobody(DropReason::NoWaiter)),
        ("user", false) => (true, Target::Nobody(DropReason::UnknownSource)),
        _ => (true, Target::Nobody(DropReason::UnknownGroup)),
    };
    Route { waiter_alone, otherwise }
}
