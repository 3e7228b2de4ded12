//! What the outputs were, in 64 bits.
//!
//! The outputs are written one after the other in a form of their own, and hashed. Of a message, what a redaction leaves as
//! it is enters by its hash, and the content by its length and, in a trace that keeps contents, by its hash: without them
//! the replay has filler in their place.

use super::hash::hash;
use super::header::Contents;
use super::secret::is_secret;
use super::wire::{put, put_bytes};
use crate::config::Lane;
use crate::hub::{Direction, Note, Output, Stage, Suspicion, SyncOutcome};
use crate::journal::{FullReason, Health};
use crate::message::Message;
use alloc::vec::Vec;
use core::time::Duration;

/// Bytes that are gathered before they are hashed.
const GATHER: usize = 4096;

/// Gathers outputs and tells their digest.
#[derive(Debug)]
pub struct Digest {
    contents: Contents,
    gathered: Vec<u8>,
    hash: u64,
    count: u64,
}

impl Digest {
    /// A digest of nothing.
    pub fn new(contents: Contents) -> Digest {
        Digest { contents, gathered: Vec::with_capacity(2 * GATHER), hash: 0, count: 0 }
    }

    /// Outputs so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes an output. This is the one place that must learn of a new one: it does not compile without.
    pub fn add(&mut self, output: &Output) {
        self.count += 1;
        let out = &mut self.gathered;
        match output {
            Output::Open { epoch, endpoint, lane, within: _ } => {
                tagged(out, 1, epoch.0);
                // The first one is dialled where there is only one, and always was.
                if *endpoint > 0 {
                    tagged(out, 60, *endpoint as u64);
                }
                // … and so was the WebSocket. The time for it follows from the configuration.
                if *lane == Lane::Quic {
                    out.push(61);
                }
            }
            Output::Reach { epoch, endpoint, lane, within: _ } => {
                tagged(out, 62, epoch.0);
                put(out, *endpoint as u64);
                out.push(*lane as u8);
            }
            Output::Write { epoch, message } => {
                tagged(out, 2, epoch.0);
                self.message(message);
            }
            Output::Ping { epoch, number } => {
                tagged(out, 3, epoch.0);
                put(out, *number);
            }
            Output::Pause { epoch } => tagged(out, 4, epoch.0),
            Output::Resume { epoch } => tagged(out, 5, epoch.0),
            Output::Close { epoch } => tagged(out, 6, epoch.0),
            Output::Intake { open } => tagged(out, 7, u64::from(*open)),
            Output::Deliver { module, message, answer } => {
                tagged(out, 8, u64::from(module.0));
                out.push(u8::from(*answer));
                self.message(message);
            }
            Output::JoinRefused { module } => tagged(out, 9, u64::from(module.0)),
            Output::Stopped => out.push(10),
            Output::Receipt { module, receipt, msg_id, stage } => {
                tagged(out, 11, u64::from(module.0));
                put(out, receipt.map_or(0, |receipt| receipt.0.wrapping_add(1)));
                put_bytes(out, msg_id.as_bytes());
                put_stage(out, *stage);
            }
            Output::Store { number, class, message } => {
                tagged(out, 12, number.0);
                out.push(*class);
                self.message(message);
            }
            Output::Forget { first, last } => {
                tagged(out, 13, first.0);
                put(out, last.0);
            }
            Output::Fetch { number } => tagged(out, 14, number.0),
            Output::Bury { letter, class, reason, message } => {
                tagged(out, 15, letter.0);
                out.extend([*class, *reason as u8]);
                self.message(message);
            }
            Output::Note(note) => put_note(out, note),
        }
        if self.gathered.len() >= GATHER {
            self.fold();
        }
    }

    /// The digest and the number of outputs since the last call; `None` when there were none.
    pub fn take(&mut self) -> Option<(u64, u64)> {
        if self.count == 0 {
            return None;
        }
        self.fold();
        let taken = (self.count, self.hash);
        (self.count, self.hash) = (0, 0);
        Some(taken)
    }

    fn fold(&mut self) {
        self.hash = hash(&self.gathered, self.hash);
        self.gathered.clear();
    }

    fn message(&mut self, message: &Message) {
        let out = &mut self.gathered;
        put(out, message.bytes() as u64);
        match message.around_content() {
            Some((before, behind)) => {
                out.extend_from_slice(&hash(before, 0).to_le_bytes());
                put_bytes(out, behind);
            }
            // There is more that a redaction changes: the fields alone count.
            None => {
                message.each_text(|text| put_bytes(out, text));
                put(out, message.timestamp().0 as u64);
                out.push(u8::from(message.is_sync()));
                put(out, message.content().len() as u64);
            }
        }
        if self.contents == Contents::Kept && !is_secret(message) {
            out.extend_from_slice(&hash(message.content().as_bytes(), 0).to_le_bytes());
        }
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag);
    put(out, number);
}

fn put_duration(out: &mut Vec<u8>, length: Duration) {
    put(out, length.as_secs());
    put(out, u64::from(length.subsec_nanos()));
}

fn put_note(out: &mut Vec<u8>, note: &Note) {
    match note {
        Note::LinkUp { epoch, backlog } => {
            tagged(out, 32, epoch.0);
            put(out, *backlog as u64);
        }
        Note::LinkDown { epoch, end, retry_in, unconfirmed } => {
            tagged(out, 33, epoch.0);
            out.push(*end as u8);
            out.push(u8::from(retry_in.is_some()));
            put_duration(out, retry_in.unwrap_or_default());
            put(out, *unconfirmed as u64);
        }
        Note::StaleLinkEvent { epoch } => tagged(out, 34, epoch.0),
        Note::UnexpectedLinkEvent { epoch } => tagged(out, 35, epoch.0),
        Note::BetterLane { epoch } => tagged(out, 63, epoch.0),
        Note::Violation { epoch, violation } => {
            tagged(out, 36, epoch.0);
            put_bytes(out, violation.name().as_bytes());
        }
        Note::Dropped { direction, msg_id, reason } => {
            out.push(37);
            out.push(match direction {
                Direction::Up => 0,
                Direction::Down => 1,
            });
            put_bytes(out, msg_id.as_bytes());
            out.push(*reason as u8);
        }
        Note::SyncEnded { msg_id, outcome } => {
            out.push(38);
            put_bytes(out, msg_id.as_bytes());
            put_outcome(out, *outcome);
        }
        Note::RoundTrip { rtt } => {
            out.push(39);
            put_duration(out, *rtt);
        }
        Note::PeerStalled { epoch } => tagged(out, 48, epoch.0),
        Note::PeerRecovered { epoch } => tagged(out, 49, epoch.0),
        Note::Suspected { epoch, cause } => {
            tagged(out, 51, epoch.0);
            let (number, links) = match *cause {
                Suspicion::NoSession => (0, 0),
                Suspicion::DuplicateName { links } => (1, links),
                Suspicion::HeartbeatTooSlow => (2, 0),
                Suspicion::KeepaliveUnheard => (3, 0),
            };
            out.push(number);
            put(out, u64::from(links));
        }
        Note::ModuleStalled { module } => tagged(out, 40, u64::from(module.0)),
        Note::ModuleRecovered { module } => tagged(out, 41, u64::from(module.0)),
        Note::TooLarge { msg_id, bytes, limit } => {
            out.push(43);
            put_bytes(out, msg_id.as_bytes());
            put(out, *bytes as u64);
            put(out, *limit as u64);
        }
        Note::JournalHealth { health } => tagged(out, 44, health_number(*health)),
        Note::NotStored { msg_id } => {
            out.push(45);
            put_bytes(out, msg_id.as_bytes());
        }
        Note::EntryLost { number } => tagged(out, 46, number.0),
        Note::UnexpectedJournalEvent => out.push(47),
        Note::LetterLost { reason } => tagged(out, 50, *reason as u64),
        Note::ClockBack { by } => {
            out.push(42);
            put_duration(out, *by);
        }
    }
}

fn health_number(health: Health) -> u64 {
    match health {
        Health::Good => 0,
        Health::Full(FullReason::Limit) => 1,
        Health::Full(FullReason::Disk) => 2,
        Health::Failing => 3,
    }
}

fn put_stage(out: &mut Vec<u8>, stage: Stage) {
    match stage {
        Stage::Written => out.push(0),
        Stage::Confirmed => out.push(1),
        Stage::Stored => out.push(3),
        Stage::Dropped { reason, limit } => {
            out.push(2);
            out.push(reason as u8);
            put(out, limit.map_or(0, |limit| limit as u64 + 1));
        }
    }
}

fn put_outcome(out: &mut Vec<u8>, outcome: SyncOutcome) {
    match outcome {
        SyncOutcome::Response => out.push(0),
        SyncOutcome::Error => out.push(1),
        SyncOutcome::Timeout => out.push(2),
        SyncOutcome::Rejected(reason) => {
            out.push(3);
            out.push(reason as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{DropReason, LinkEpoch, ModuleId};
    use crate::message::{Content, Draft};

    fn of(contents: Contents, outputs: &[Output]) -> Option<(u64, u64)> {
        let mut digest = Digest::new(contents);
        outputs.iter().for_each(|output| digest.add(output));
        digest.take()
    }

    fn write(text: &str) -> Output {
        let message =
            Draft { msg_id: "1", content: Content::Text(text), ..Draft::default() }.encode().unwrap();
        Output::Write { epoch: LinkEpoch(1), message }
    }

    #[test]
    fn a_content_counts_by_its_length_unless_it_is_kept() {
        let (one, other, longer) = ([write("a")], [write("b")], [write("ab")]);
        assert_eq!(of(Contents::Redacted, &one), of(Contents::Redacted, &other));
        assert_ne!(of(Contents::Redacted, &one), of(Contents::Redacted, &longer));
        assert_ne!(of(Contents::Kept, &one), of(Contents::Kept, &other));
    }

    #[test]
    fn everything_else_counts() {
        let drop =
            |reason| [Output::Note(Note::Dropped { direction: Direction::Up, msg_id: "1".into(), reason })];
        assert_ne!(
            of(Contents::Redacted, &drop(DropReason::OutboxFull)),
            of(Contents::Redacted, &drop(DropReason::LinkLost))
        );
        let pair = [Output::Stopped, Output::JoinRefused { module: ModuleId(1) }];
        let turned = [pair[1].clone(), pair[0].clone()];
        assert_ne!(of(Contents::Redacted, &pair), of(Contents::Redacted, &turned), "the order counts");
        assert_eq!(of(Contents::Redacted, &[]), None);
    }

    #[test]
    fn a_digest_does_not_depend_on_how_it_is_gathered() {
        let many: Vec<Output> = (0..200).map(|_| write("some text")).collect();
        let (mut digest, mut hash) = (Digest::new(Contents::Redacted), Vec::new());
        for output in &many {
            digest.add(output);
            hash.push(digest.count());
        }
        assert_eq!(digest.take(), of(Contents::Redacted, &many));
        assert_eq!(digest.take(), None, "taken is taken");
        assert_eq!(hash.last(), Some(&200));
    }
}
