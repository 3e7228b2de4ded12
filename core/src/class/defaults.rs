//! The classes of KubeEdge's own traffic.

use super::{Class, Classes, Kind, Overflow, Rule};
use crate::message::operation;
use alloc::vec;

impl Default for Classes {
    /// | class | what | priority |
    /// |---|---|---|
    /// | `control` | answers, acknowledgements, keepalives, link probes: the cloud waits for them | first, exempt from the rate limit |
    /// | `sync` | requests whose sender waits | second |
    /// | `state` | everything else; it shares its priority with `sync`, so that a query cannot overtake the update before it | second |
    /// | `telemetry` | user data: `upload` of the group `user` | last |
    ///
    /// All of them are kept until they are confirmed. None is coalesced: since KubeEdge 1.12 a node's and a pod's status
    /// travel as patches, and the newest patch alone is not the newest state.
    fn default() -> Classes {
        let class = |name: &str, priority| Class { name: name.into(), priority, ..Class::default() };
        let classes = vec![
            Class { overflow: Overflow::DropNewest, rate_limited: false, ..class("control", 0) },
            class("sync", 1),
            class("state", 1),
            class("telemetry", 2),
        ];
        let of_kind = |kind, class| Rule { kind: Some(kind), class, ..Rule::default() };
        let rules = vec![
            of_kind(Kind::Answer, 0),
            Rule { operation: Some(operation::KEEPALIVE.into()), class: 0, ..Rule::default() },
            of_kind(Kind::LinkControl, 0),
            of_kind(Kind::Request, 1),
            Rule {
                operation: Some("upload".into()),
                group: Some("user".into()),
                class: 3,
                ..Rule::default()
            },
        ];
        Classes { classes, rules, otherwise: 2 }
    }
}
