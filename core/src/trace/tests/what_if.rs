//! The recorded environment with another configuration.

use super::world::recording;
use crate::config::Config;
use crate::hub::{Hub, Input, JournalEvent, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Output};
use crate::journal::EntryNumber;
use crate::message::{Content, Draft, Message};
use crate::rng::Rng;
use crate::time::{Instant, Now};
use crate::trace::cut::cut;
use crate::trace::what_if::{WhatIf, what_if};
use crate::trace::{Contents, Header, Recorder, Trace};
use core::ops::Range;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

fn asked(file: &[u8], change: impl Fn(&mut Config)) -> WhatIf {
    what_if(&Trace::open(file).unwrap(), change).unwrap()
}

#[test]
fn the_same_configuration_changes_nothing() {
    for seed in 0..20 {
        let file = recording(seed, 3000, Contents::Redacted);
        let WhatIf { parting, recorded, other } = asked(&file, |_| {});
        assert_eq!((parting, &recorded), (None, &other), "seed {seed}");
        assert!(recorded.links > 0 && recorded.confirmed > 0);
    }
}

#[test]
fn any_other_configuration_accounts_for_every_message() {
    for seed in 0..20 {
        let file = recording(seed, 3000, Contents::Redacted);
        let WhatIf { parting, recorded, other } = asked(&file, |config| {
            config.heartbeat = Duration::from_secs(2);
            config.ping_misses = 1;
            config.outbox_messages = 5;
        });
        assert!(parting.is_some());
        let all = |outcome: &crate::trace::what_if::Outcome| {
            let settled = outcome.confirmed + outcome.delivered + outcome.pending;
            (settled, settled + outcome.drops.values().sum::<u64>())
        };
        // What was refused or dropped twice over is in both sums, or in neither.
        let sent = all(&recorded).1;
        assert!(all(&other).0 <= sent, "seed {seed}: {other:?}");
        assert!(all(&other).1 * 2 > sent, "seed {seed}: {other:?}");
    }
}

#[test]
fn a_part_that_begins_behind_a_checkpoint_goes_on_with_what_the_hub_held() {
    let file = recording(4, 20_000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let blocks = trace.blocks();
    let (from, to) = (blocks[blocks.len() / 3].begin(), blocks[blocks.len() / 2].begin());
    let part = cut(&trace, from..=to, 99).unwrap();
    let WhatIf { parting, recorded, other } = asked(&part, |_| {});
    assert_eq!((parting, recorded.links), (None, other.links));
    assert!(recorded.confirmed > 0 && other.confirmed > 0);
}

/// A hub whose cloud cannot be reached in some seconds, and a module that sends every 100 ms.
struct Site {
    hub: Hub,
    recorder: Recorder,
    file: Vec<u8>,
    now: u64,
    away: Range<u64>,
    epoch: LinkEpoch,
    owed: VecDeque<(u64, Input)>,
    journal: BTreeMap<EntryNumber, Message>,
}

impl Site {
    fn new(away: Range<u64>, config: Config) -> Site {
        let begin = Now::new(0, 0);
        let header = Header { seed: 3, config: config.clone(), begin, ..Header::default() };
        let recorder = Recorder::new(header, 1, 20_000);
        Site {
            hub: Hub::new(config, 3, begin),
            file: recorder.head(),
            recorder,
            now: 0,
            away,
            epoch: LinkEpoch(0),
            owed: VecDeque::new(),
            journal: BTreeMap::new(),
        }
    }

    /// Stores in 5 ms, reads back in 3 ms.
    fn journal(&mut self, output: &Output) {
        let (after, event) = match output {
            Output::Store { number, message, .. } => {
                self.journal.insert(*number, message.clone());
                (5_000, JournalEvent::Stored { up_to: *number })
            }
            Output::Forget { first, last } => {
                return self.journal.retain(|number, _| !(first..=last).contains(&number));
            }
            Output::Fetch { number } => {
                let message = self.journal[number].clone();
                (3_000, JournalEvent::Fetched { number: *number, message })
            }
            _ => return,
        };
        self.owed.push_back((self.now + after, Input::Journal(event)));
    }

    fn is_away(&self) -> bool {
        self.away.contains(&(self.now / 1_000_000))
    }

    fn handle(&mut self, input: Input) {
        let now = Now::new(self.now, (self.now / 1000) as i64);
        self.recorder.input(now, &input, &self.hub);
        self.hub.handle(now, input);
        self.drain();
    }

    fn drain(&mut self) {
        let away = self.is_away();
        while let Some(output) = self.hub.poll_output() {
            self.recorder.output(&output);
            let (after, event) = match &output {
                Output::Open { epoch, .. } => {
                    self.epoch = *epoch;
                    self.owed.retain(|(_, owed)| matches!(owed, Input::Journal(_)));
                    (10_000, if away { LinkEvent::OpenFailed } else { LinkEvent::Opened })
                }
                Output::Write { message, .. } => {
                    (100, LinkEvent::Flushed { messages: 1, bytes: message.bytes() })
                }
                Output::Ping { number, .. } => (2_000, LinkEvent::Pong(*number)),
                other => {
                    self.journal(other);
                    continue;
                }
            };
            self.owed.push_back((self.now + after, Input::Link { epoch: self.epoch, event }));
        }
        self.recorder.drained(&self.hub);
        while let Some(block) = self.recorder.next_block() {
            self.file.extend_from_slice(&block.pack());
        }
    }

    fn until(&mut self, at: u64) {
        loop {
            let owed = self.owed.iter().map(|&(at, _)| at).min();
            let deadline = self.hub.next_deadline().map(|deadline| deadline.at.0);
            let Some(next) = owed.into_iter().chain(deadline).min().filter(|&next| next <= at) else { break };
            self.now = self.now.max(next);
            match self.owed.iter().position(|&(due, _)| due <= self.now) {
                Some(due) => {
                    let (_, input) = self.owed.remove(due).unwrap();
                    self.handle(input);
                }
                None => self.handle(Input::Tick),
            }
        }
        self.now = at;
    }

    fn live(self, seconds: u64) -> Vec<u8> {
        self.live_with(seconds, "x", false)
    }

    fn live_with(mut self, seconds: u64, text: &str, stores: bool) -> Vec<u8> {
        self.drain();
        if stores {
            let opened = JournalEvent::Opened { unused: EntryNumber(1), frame_bytes_max: 1 << 20 };
            self.handle(Input::Journal(opened));
        }
        let module = ModuleId(0);
        let joined = ModuleEvent::Joined { name: "twin".into(), groups: Vec::new(), credit: 9 };
        self.handle(Input::Module { module, event: joined });
        let mut rng = Rng::new(1);
        for tenth in 1..seconds * 10 {
            let was_away = self.is_away();
            self.until(tenth * 100_000);
            if !was_away && self.is_away() {
                self.owed.retain(|(_, owed)| matches!(owed, Input::Journal(_)));
                self.handle(Input::Link { epoch: self.epoch, event: LinkEvent::Closed });
            }
            let id = rng.uuid();
            let draft = Draft {
                msg_id: id.as_str(),
                group: "resource",
                content: Content::Text(text),
                ..Draft::default()
            };
            let message = draft.encode().unwrap();
            let sent = ModuleEvent::Sent { message, timeout: None, receipt: None };
            self.handle(Input::Module { module, event: sent });
        }
        self.recorder.finish_block();
        self.drain();
        self.file
    }
}

fn site() -> Vec<u8> {
    Site::new(100..400, Config { rate: None, drain: None, ..Config::default() }).live(600)
}

#[test]
fn a_longer_backoff_comes_back_later_and_says_from_where_it_is_a_model() {
    let WhatIf { parting, recorded, other } =
        asked(&site(), |config| config.backoff_max = Duration::from_secs(600));
    let parting = parting.unwrap();
    // The first waits are the same; the cap of 60 s is first missed in the outage.
    assert!((Instant(100_000_000)..Instant(400_000_000)).contains(&parting.at), "{parting:?}");
    assert!(matches!(parting.recorded, Some(Output::Note(_))), "{parting:?}");
    assert!(other.failed_attempts < recorded.failed_attempts, "{other:?}");
    assert_eq!(recorded.links, 2);
    assert_eq!(recorded.confirmed + recorded.pending, other.confirmed + other.pending, "none is dropped");
}

#[test]
fn a_smaller_outbox_drops_more() {
    let WhatIf { recorded, other, .. } = asked(&site(), |config| config.outbox_messages = 500);
    assert_eq!(recorded.drops.len(), 0);
    let dropped: u64 = other.drops.values().sum();
    assert!((1000..=3000).contains(&dropped), "{other:?}");
    assert!(other.outbox_most <= 500 + 1 && recorded.outbox_most > 2000);
}

#[test]
fn a_shorter_heartbeat_sends_more() {
    let WhatIf { parting, recorded, other } =
        asked(&site(), |config| config.heartbeat = Duration::from_secs(3));
    assert!(parting.unwrap().at < Instant(4_000_000), "the first keepalive that the recording does not have");
    assert!(
        other.written > recorded.written + 60 && other.written_bytes > recorded.written_bytes,
        "{other:?}"
    );
    assert_eq!((other.links, other.confirmed), (recorded.links, recorded.confirmed));
}

/// Ten megabytes pile up in the outage, and all but the newest of it only in the journal.
#[test]
fn what_is_stored_comes_back_in_the_model_too() {
    let mut config = Config { rate: None, drain: None, spool_above: 64 * 1024, ..Config::default() };
    config.classes.classes.iter_mut().for_each(|class| class.persistent = true);
    let file = Site::new(100..400, config).live_with(600, &"x".repeat(3000), true);
    let WhatIf { parting, recorded, other } =
        asked(&file, |config| config.backoff_max = Duration::from_secs(200));
    assert!((Instant(100_000_000)..Instant(400_000_000)).contains(&parting.unwrap().at));
    assert!(recorded.drops.is_empty() && recorded.stored == 5998, "{recorded:?}");
    // What is not stored would be refused after 4 MiB; what is not read back would never leave.
    assert!(other.drops.is_empty() && other.stored >= 5997, "{other:?}");
    assert!(recorded.confirmed > 5990 && other.confirmed > 5990, "{other:?}");
}
