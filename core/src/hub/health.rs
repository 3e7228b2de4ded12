//! How the hub is, for whoever asks: what is wrong, why, and what to do about it.

use super::{Hub, LinkEnd, LinkState, Suspicion};
use crate::canary::Canary;
use crate::journal;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How a hub is. Its text names what is wrong, one thing a line, each with what can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Where the link is in its life.
    pub link: LinkState,
    /// Why the last link ended, or could not be opened, while there is none.
    pub ended: Option<LinkEnd>,
    /// What is probably wrong that no peer tells, until something shows that it is over.
    pub suspicion: Option<Suspicion>,
    /// Whether the peer lives and has not answered a ping for long.
    pub peer_stalled: bool,
    /// How the journal is, if there is one.
    pub journal: Option<journal::Health>,
}

impl Health {
    /// Whether messages go both ways and nothing is known to be wrong.
    pub fn is_good(&self) -> bool {
        self.link.is_open()
            && self.suspicion.is_none()
            && !self.peer_stalled
            && self.journal.is_none_or(|journal| journal == journal::Health::Good)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.link, self.ended) {
            (LinkState::Stopped, _) => f.write_str("the hub has stopped")?,
            (link, _) if link.is_open() => f.write_str("the link is up")?,
            (_, None) => f.write_str("the link is being opened for the first time")?,
            (_, Some(end)) => write!(f, "there is no link: {}; run: edgehub check", told(end))?,
        }
        if let Some(suspicion) = self.suspicion {
            write!(f, "\n{suspicion}")?;
        }
        if self.peer_stalled {
            f.write_str("\nthe cloud reads and does not answer; look at its load")?;
        }
        match self.journal {
            None | Some(journal::Health::Good) => Ok(()),
            Some(journal::Health::Full(_)) => {
                f.write_str("\nthe journal is full; make room, or raise journal.bytes")
            }
            Some(journal::Health::Failing) => f.write_str("\nthe journal's disk fails; look at the disk"),
        }
    }
}

fn told(end: LinkEnd) -> &'static str {
    match end {
        LinkEnd::OpenFailed => "it cannot be opened",
        LinkEnd::OpenTimeout => "opening it takes too long",
        LinkEnd::Closed => "the cloud or the network closed it",
        LinkEnd::Silent => "nothing came any more",
        LinkEnd::Stalled => "the cloud did not answer any more",
        LinkEnd::Violation => "the cloud sent what breaks the framing",
        LinkEnd::Shutdown => "the hub shut down",
        LinkEnd::NoSession => "the cloud had no session for this node",
        LinkEnd::Moved => "the preferred endpoint is dialled",
        LinkEnd::Renewed => "it is opened anew, with another certificate or over the better lane",
    }
}

/// What is remembered for it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Findings {
    suspicion: Option<Suspicion>,
    ended: Option<LinkEnd>,
}

impl Findings {
    pub(super) fn suspects(&mut self, cause: Suspicion) {
        // Whether the heartbeat fits is a matter of the configuration, which is asked each time.
        if cause != Suspicion::HeartbeatTooSlow {
            self.suspicion = Some(cause);
        }
    }

    pub(super) fn link_up(&mut self) {
        self.ended = None;
    }

    pub(super) fn link_down(&mut self, end: LinkEnd) {
        self.ended = Some(end);
    }
}

impl Hub {
    /// How it is.
    pub fn health(&self) -> Health {
        let slow = self.state.is_open() && self.beats_too_slowly();
        Health {
            link: self.state,
            ended: self.findings.ended,
            suspicion: self.findings.suspicion.or(slow.then_some(Suspicion::HeartbeatTooSlow)),
            peer_stalled: self.peer_stalled,
            journal: self.journal_health(),
        }
    }

    /// A message of a session came: there is one. What ends link after link is over only when a link has held, for the cloud
    /// serves each of them in between.
    pub(super) fn is_served(&mut self) {
        let lived = self.opened_at.map(|opened| self.now.mono.since(opened)).unwrap_or_default();
        let holds = lived >= self.config.stable_after.max(self.config.cloud_keepalive.saturating_mul(2));
        let is_over = match self.findings.suspicion {
            Some(Suspicion::DuplicateName { .. } | Suspicion::KeepaliveUnheard) => {
                holds || self.planted.is(Canary::HealthGoodBetweenKicks)
            }
            _ => true,
        };
        if is_over && !self.planted.is(Canary::HealthStale) {
            self.findings.suspicion = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::FullReason;
    use std::string::ToString;
    use std::vec::Vec;

    const GOOD: Health = Health {
        link: LinkState::Up,
        ended: None,
        suspicion: None,
        peer_stalled: false,
        journal: Some(journal::Health::Good),
    };

    fn check(health: Health, words: &[&str]) {
        let text = health.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), words.len(), "{text}");
        assert!(lines.iter().zip(words).all(|(line, word)| line.contains(word)), "{text}");
        assert_eq!(health.is_good(), health == GOOD, "{text}");
    }

    #[test]
    fn it_names_everything_that_is_wrong_and_what_to_do() {
        check(GOOD, &["up"]);
        let ended = Some(LinkEnd::OpenFailed);
        check(Health { link: LinkState::Waiting, ended, ..GOOD }, &["run: edgehub check"]);
        check(Health { link: LinkState::Opening, ..GOOD }, &["first time"]);
        check(Health { link: LinkState::Stopped, ended, ..GOOD }, &["stopped"]);
        check(Health { suspicion: Some(Suspicion::NoSession), ..GOOD }, &["up", "node limit"]);
        check(Health { peer_stalled: true, ..GOOD }, &["up", "load"]);
        let journal = Some(journal::Health::Full(FullReason::Disk));
        check(Health { journal, peer_stalled: true, ..GOOD }, &["up", "load", "journal"]);
        check(Health { journal: Some(journal::Health::Failing), ..GOOD }, &["up", "disk"]);
    }

    #[test]
    fn every_end_has_words_of_its_own() {
        let ends = [
            LinkEnd::OpenFailed,
            LinkEnd::OpenTimeout,
            LinkEnd::Closed,
            LinkEnd::Silent,
            LinkEnd::Stalled,
            LinkEnd::Violation,
            LinkEnd::Shutdown,
            LinkEnd::NoSession,
            LinkEnd::Moved,
            LinkEnd::Renewed,
        ];
        let texts: std::collections::BTreeSet<_> = ends.map(told).into();
        assert_eq!(texts.len(), ends.len());
    }
}
