//! What a run came to, for a comparison of two.

use crate::hub::{Direction, Note, Output};
use crate::time::Instant;
use crate::trace::Moment;
use crate::trace::explain::{Biographer, Fate, Story, What};
use crate::trace::stats::{Lengths, Spread};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
use core::time::Duration;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Links that came up.
    pub links: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Time with a link.
    pub uptime: Duration,
    /// Messages of modules that the cloud has.
    pub confirmed: u64,
    /// Messages of modules that the journal has said to be durable.
    pub stored: u64,
    /// Messages of the cloud that their modules have.
    pub delivered: u64,
    /// Messages that are on their way at the end.
    pub pending: u64,
    /// Dropped messages by direction and reason.
    pub drops: BTreeMap<String, u64>,
    /// From the module to the confirmation.
    pub confirmed_after: Spread,
    /// From the link to the module.
    pub delivered_after: Spread,
    /// Messages written to links, those that were sent again and the hub's own included.
    pub written: u64,
    /// … and their bytes.
    pub written_bytes: u64,
    /// Pings.
    pub pings: u64,
    /// Most messages in the outbox at one moment.
    pub outbox_most: usize,
}

#[derive(Debug, Default)]
struct Told {
    confirmed: Lengths,
    delivered: Lengths,
    pending: u64,
    stored: u64,
}

impl Told {
    fn take(&mut self, story: &Story) {
        if !story.is_from_outside() {
            return;
        }
        let is_stored = story.events.iter().any(|event| matches!(event.what, What::Stored));
        self.stored += u64::from(is_stored);
        self.pending += u64::from(story.fate() == Fate::Pending);
        let Some(took) = story.took().filter(|_| story.fate() == Fate::Arrived) else { return };
        match story.direction {
            Direction::Up => self.confirmed.add(took),
            Direction::Down => self.delivered.add(took),
        }
    }
}

/// Gathers what a run comes to.
pub(super) struct Tally {
    outcome: Outcome,
    told: Rc<RefCell<Told>>,
    biographer: Biographer<alloc::boxed::Box<dyn FnMut(Story)>>,
    up_since: Option<Instant>,
    now: Instant,
}

impl Tally {
    pub(super) fn new() -> Tally {
        let told = Rc::new(RefCell::new(Told::default()));
        let ended = told.clone();
        let take: alloc::boxed::Box<dyn FnMut(Story)> =
            alloc::boxed::Box::new(move |story: Story| ended.borrow_mut().take(&story));
        Tally {
            outcome: Outcome::default(),
            told,
            biographer: Biographer::new(take),
            up_since: None,
            now: Instant(0),
        }
    }

    pub(super) fn watch(&mut self, moment: &Moment<'_>) {
        self.biographer.watch(moment);
        self.now = moment.now.mono;
        if moment.resumed && moment.hub.link_state().is_open() {
            self.up_since = Some(self.now);
        }
        let outcome = &mut self.outcome;
        outcome.outbox_most = outcome.outbox_most.max(moment.hub.queued() + moment.hub.unconfirmed());
        for output in moment.outputs {
            match output {
                Output::Write { message, .. } => {
                    outcome.written += 1;
                    outcome.written_bytes += message.bytes() as u64;
                }
                Output::Ping { .. } => outcome.pings += 1,
                Output::Note(Note::LinkUp { .. }) => {
                    outcome.links += 1;
                    self.up_since = Some(self.now);
                }
                Output::Note(Note::LinkDown { .. }) => match self.up_since.take() {
                    Some(since) => outcome.uptime += self.now.since(since),
                    None => outcome.failed_attempts += 1,
                },
                Output::Note(Note::Dropped { direction, reason, .. }) => {
                    let way = if *direction == Direction::Up { "to the cloud" } else { "from the cloud" };
                    *outcome.drops.entry(format!("{way}: {reason}")).or_default() += 1;
                }
                _ => {}
            }
        }
    }

    pub(super) fn end(mut self) -> Outcome {
        self.biographer.finish();
        if let Some(since) = self.up_since {
            self.outcome.uptime += self.now.since(since);
        }
        let told = core::mem::take(&mut *self.told.borrow_mut());
        let (confirmed_after, delivered_after) = (told.confirmed.spread(), told.delivered.spread());
        Outcome {
            confirmed: confirmed_after.count as u64,
            delivered: delivered_after.count as u64,
            pending: told.pending,
            stored: told.stored,
            confirmed_after,
            delivered_after,
            ..self.outcome
        }
    }
}
