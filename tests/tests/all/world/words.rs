//! The few words of which generated messages and modules are made, so that they meet each other.

pub(super) const GROUPS: [&str; 7] = ["resource", "func", "twin", "user", "taskmanager", "nosuch", ""];
pub(super) const SOURCES: [&str; 4] = ["router_eventbus", "router_servicebus", "edgecontroller", "nobody"];
pub(super) const DOWN_OPERATIONS: [&str; 7] =
    ["insert", "update", "response", "error", "ping", "pong", "config"];
pub(super) const UP_OPERATIONS: [&str; 5] = ["update", "query", "response", "keepalive", "ping"];
pub(super) const DESTINATIONS: [&str; 5] = ["websocket", "", "hub", "edged", "edgehub"];
pub(super) const NAMES: [&str; 6] = ["metamanager", "twin", "eventbus", "servicebus", "taskmanager", "edged"];
pub(super) const MODULE_GROUPS: [&str; 5] = ["meta", "twin", "bus", "taskmanager", "other"];
