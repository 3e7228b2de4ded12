//! The life of the link, as a table.
//!
//! ```text
//!              ┌───────────────── wait over ─────────────────┐
//!              ▼                                             │
//!          ┌─Opening── failed, timeout, closed, renew ────▶ Waiting
//!   opened │   │                                             ▲  │
//!          ▼   └─ shutdown ──────────┐                       │  │
//!          Up ── closed, lost ───────┼───────────────────────┤  │
//!          ├─ renew ─▶ Renewing ── drained, closed, lost ────┘  │
//!          │              │          │                          │
//!          │           shutdown      │                          │
//!          │              ▼          ▼                          │
//!          └─ shutdown ─▶ Draining ─▶ Stopped ◀──────── shutdown┘
//! ```
//!
//! What waits because of another certificate waits for nothing: it dials at once.
//!
//! One link exists at a time, and each has a number of its own, its epoch. Events that carry another epoch never reach
//! this table (defect D6: two failures at once cannot reconnect twice).

use serde::{Deserialize, Serialize};

/// Where the link is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// Waiting for the backoff to end.
    Waiting,
    /// The driver is opening it.
    Opening,
    /// Messages flow.
    Up,
    /// Shutting down: what is queued still leaves.
    Draining,
    /// Shut down.
    Stopped,
    /// There is another certificate: what is written is waited for, and nothing new of a module's follows it.
    Renewing,
}

/// What can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    /// The backoff is over.
    WaitOver,
    /// The handshake is complete.
    Opened,
    /// The handshake failed, or took too long, or the link ended before it was complete.
    OpenFailed,
    /// The open link ended, or was found dead.
    Lost,
    /// The operator wants to stop.
    Shutdown,
    /// Nothing is left to be sent or confirmed, or the grace is over.
    Drained,
    /// There is another certificate.
    Renew,
}

impl LinkState {
    /// Every state, for tests and pictures.
    pub const ALL: [LinkState; 6] = [
        LinkState::Waiting,
        LinkState::Opening,
        LinkState::Up,
        LinkState::Draining,
        LinkState::Stopped,
        LinkState::Renewing,
    ];

    /// The state after a change, or `None` when the change has no place in this state.
    pub fn after(self, change: LinkChange) -> Option<LinkState> {
        use LinkChange as C;
        use LinkState as S;
        Some(match (self, change) {
            (S::Waiting, C::WaitOver) => S::Opening,
            (S::Opening, C::Opened) => S::Up,
            (S::Opening, C::OpenFailed | C::Renew) => S::Waiting,
            (S::Up, C::Lost) => S::Waiting,
            (S::Up, C::Renew) => S::Renewing,
            (S::Renewing, C::Drained | C::Lost) => S::Waiting,
            (S::Up | S::Renewing, C::Shutdown) => S::Draining,
            (S::Waiting | S::Opening, C::Shutdown) => S::Stopped,
            (S::Draining, C::Drained | C::Lost) => S::Stopped,
            _ => return None,
        })
    }

    /// Whether there is a link that frames can be written to and come from.
    pub fn is_open(self) -> bool {
        matches!(self, LinkState::Up | LinkState::Draining | LinkState::Renewing)
    }

    /// Whether messages of modules may leave.
    pub fn takes_messages(self) -> bool {
        matches!(self, LinkState::Up | LinkState::Draining)
    }
}

impl LinkChange {
    /// Every change, for tests and pictures.
    pub const ALL: [LinkChange; 7] = [
        LinkChange::WaitOver,
        LinkChange::Opened,
        LinkChange::OpenFailed,
        LinkChange::Lost,
        LinkChange::Shutdown,
        LinkChange::Drained,
        LinkChange::Renew,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// The whole table, every state × change.
    #[test]
    fn the_table_is_pinned() {
        let mut table = String::new();
        for state in LinkState::ALL {
            for change in LinkChange::ALL {
                if let Some(next) = state.after(change) {
                    table += &format!("{state:?} + {change:?} = {next:?}\n");
                }
            }
        }
        assert_eq!(
            table,
            "Waiting + WaitOver = Opening\n\
             Waiting + Shutdown = Stopped\n\
             Opening + Opened = Up\n\
             Opening + OpenFailed = Waiting\n\
             Opening + Shutdown = Stopped\n\
             Opening + Renew = Waiting\n\
             Up + Lost = Waiting\n\
             Up + Shutdown = Draining\n\
             Up + Renew = Renewing\n\
             Draining + Lost = Stopped\n\
             Draining + Drained = Stopped\n\
             Renewing + Lost = Waiting\n\
             Renewing + Shutdown = Draining\n\
             Renewing + Drained = Waiting\n"
        );
    }
}
