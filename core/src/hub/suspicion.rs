//! What is probably wrong when a link behaves as no healthy one does: named, with its causes, so that nobody has to guess.
//!
//! A CloudHub tells a node that it turns away nothing: a rejected one keeps a link that answers pings, and one whose name
//! another node has, too, loses its link whenever the other dials. The hub decides nothing by these guesses but what the
//! probe finds out; they are notes.

use super::{Hub, LinkEnd, Note};
use crate::canary::Canary;
use crate::limits::{KEEPALIVE_CLOSE_TOLERANCE, KICKED_LINKS};
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What is probably wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suspicion {
    /// The cloud reads and answers pings, and does not answer the probe.
    NoSession,
    /// So many links in a row were closed by the cloud right after they had opened.
    DuplicateName {
        /// How many.
        links: u32,
    },
    /// Two heartbeats are longer than the cloud waits for one.
    HeartbeatTooSlow,
    /// The cloud closed the link about as long after the last keepalive as it waits for one.
    KeepaliveUnheard,
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suspicion::NoSession => f.write_str(
                "the cloud answers pings and has no session for this node; probable causes: its node limit is reached, \
                 the certificate is of another node, or the session was ended; or it is too old to be asked, and then \
                 edgehub.probe.resource can name something that it answers for",
            ),
            Suspicion::DuplicateName { links } => write!(
                f,
                "the cloud closed {links} links in a row right after they had opened; probable cause: another node \
                 uses the same name; otherwise CloudHub is overloaded or restarts",
            ),
            Suspicion::HeartbeatTooSlow => f.write_str(
                "one late keepalive ends the link: twice the heartbeat is longer than the cloud waits; set a shorter \
                 heartbeat here or a longer keepaliveInterval there",
            ),
            Suspicion::KeepaliveUnheard => f.write_str(
                "the cloud closed the link as long after the last keepalive as it waits for the next; its \
                 keepaliveInterval and the heartbeat of this node do not go together",
            ),
        }
    }
}

impl Hub {
    pub(super) fn suspect(&mut self, cause: Suspicion) {
        self.findings.suspects(cause);
        self.note(Note::Suspected { epoch: self.epoch, cause });
    }

    /// A link is up: does this node speak often enough?
    pub(super) fn suspect_heartbeat(&mut self) {
        if self.beats_too_slowly() && !self.planted.is(Canary::SlowHeartbeatUntold) {
            self.suspect(Suspicion::HeartbeatTooSlow);
        }
    }

    pub(super) fn beats_too_slowly(&self) -> bool {
        self.config.heartbeat.saturating_mul(2) > self.config.cloud_keepalive
    }

    /// An open link has ended after so long.
    pub(super) fn suspect_end(&mut self, end: LinkEnd, lived: Duration) {
        if end != LinkEnd::Closed || lived >= self.config.stable_after {
            self.kicked = 0;
        } else {
            self.kicked = self.kicked.saturating_add(1);
        }
        let unheard = self.now.mono.since(self.keepalive.last_beat());
        if end == LinkEnd::Closed
            && !self.planted.is(Canary::UnheardKeepaliveUntold)
            && unheard.abs_diff(self.config.cloud_keepalive) <= KEEPALIVE_CLOSE_TOLERANCE
        {
            self.suspect(Suspicion::KeepaliveUnheard);
        } else if self.kicked >= KICKED_LINKS && !self.planted.is(Canary::KickedUnnamed) {
            self.suspect(Suspicion::DuplicateName { links: self.kicked });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn each_names_what_an_operator_can_look_at() {
        let named = |cause: Suspicion, words: &[&str]| {
            let text = cause.to_string();
            assert!(words.iter().all(|word| text.contains(word)) && !text.contains('\n'), "{text}");
        };
        named(Suspicion::NoSession, &["session", "node limit", "certificate"]);
        named(Suspicion::DuplicateName { links: 3 }, &["3 links", "same name"]);
        named(Suspicion::HeartbeatTooSlow, &["heartbeat", "keepaliveInterval"]);
        named(Suspicion::KeepaliveUnheard, &["heartbeat", "keepaliveInterval"]);
    }
}
