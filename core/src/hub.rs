//! The edge side: one state machine between the node's modules and the cloud.
//!
//! | file | its one job |
//! |---|---|
//! | `input`, `output`, `note` | the two closed lists, and what is told about them |
//! | `lifecycle` | dialling, connect info, losing the link, shutting down |
//! | `renewal` | leaving a link because the node has another certificate |
//! | `upstream` | from a module into the outbox |
//! | `writing`, `barrier` | from the outbox onto the link, and its confirmation |
//! | `flight` | how much may be on its way |
//! | `downstream` | from the link to the modules |
//! | `timers` | every deadline with its reason |
//! | `link`, `backoff`, `keepalive` | the link's life, the wait between two, the signs of life on one |
//! | `probe`, `patience`, `suspicion` | whether the cloud has a session, how long to wait for the answer, and what is probably wrong |
//! | `health` | how it is, and what to do |
//! | `endpoints`, `lanes` | which of several is dialled, and over what |
//! | `route`, `sync_keeper` | who receives, who waits |
//! | `outbox`, `throttle`, `pace` | what is to be sent, and how fast, a backlog slower than the rest |
//! | `journaled` | what is stored, restored and fetched again |
//! | `letters` | what was dropped, and is kept as a dead letter |
//! | `duplicates` | what came lately, and may come again |
//! | `modules` | who has joined, and how much each can take |
//! | `account`, `view` | the books, and what there is at one moment |
//! | `consistent` | whether a state out of a file can be that of a hub |
//!
//! Behaviour: KubeEdge `edge/pkg/edgehub` (`edgehub.go`, `process.go`), less the defects named in each file.

mod account;
mod backoff;
mod barrier;
mod consistent;
mod downstream;
mod duplicates;
mod endpoints;
mod flight;
mod handed;
mod health;
mod input;
mod journaled;
mod keepalive;
mod lanes;
mod letters;
mod lifecycle;
pub mod link;
mod modules;
mod note;
mod outbox;
mod output;
mod pace;
mod patience;
mod probe;
mod receipt;
mod renewal;
pub mod route;
mod suspicion;
mod sync_keeper;
mod throttle;
mod timers;
mod upstream;
mod view;
mod writing;

pub use account::{Account, Ledger};
pub use health::Health as HubHealth;
pub use input::{Input, JournalEvent, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, ReceiptId};
pub use keepalive::keepalive_message;
pub use letters::LetterNumber;
pub use link::LinkState;
pub use note::{Direction, DropReason, LinkEnd, Note, SyncOutcome};
pub use outbox::Held;
pub use output::Output;
pub use probe::session_question;
pub use receipt::Stage;
pub use suspicion::Suspicion;
pub use timers::{Deadline, TimerKind};
pub use view::{ModuleView, RequestView, Standing, View};

use crate::canary::{Canary, Planted};
use crate::config::Config;
use crate::rng::Rng;
use crate::time::{Instant, Now};
use alloc::collections::VecDeque;
use backoff::Backoff;
use duplicates::Duplicates;
use endpoints::Selection;
use flight::Flight;
use health::Findings;
use journaled::Journal;
use keepalive::Keepalive;
use lanes::Lanes;
use letters::Letters;
use modules::Modules;
use outbox::{Amount, Outbox};
use pace::Pace;
use patience::Habits;
use probe::Session;
use serde::{Deserialize, Serialize};
use sync_keeper::SyncKeeper;
use throttle::Throttle;

/// The edge hub. See the crate's page for the five steps of driving it.
///
/// ```
/// use edgehub_core::{Config, Hub, Input, LinkEvent, Now, Output};
/// let mut hub = Hub::new(Config::default(), 7, Now::new(0, 1_700_000_000_000));
/// let Some(Output::Open { epoch, .. }) = hub.poll_output() else { panic!("dials at once") };
/// hub.handle(Now::new(1_000, 1_700_000_000_001), Input::Link { epoch, event: LinkEvent::Opened });
/// let written = core::iter::from_fn(|| hub.poll_output())
///     .find_map(|output| match output { Output::Write { message, .. } => Some(message), _ => None });
/// assert_eq!(written.map(|message| message.operation().to_string()), Some("keepalive".into()));
/// ```
/// Serialisable as a whole: a checkpoint of a [`trace`](crate::trace) holds all that is needed to go on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hub {
    config: Config,
    rng: Rng,
    now: Now,
    outputs: VecDeque<Output>,
    account: Account,
    // The link.
    state: LinkState,
    epoch: LinkEpoch,
    backoff: Backoff,
    /// When the present state ends by itself: opening, waiting, draining, renewing.
    state_ends: Option<Instant>,
    opened_at: Option<Instant>,
    keepalive: Keepalive,
    session: Session,
    habits: Habits,
    findings: Findings,
    selection: Selection,
    lanes: Lanes,
    /// Links in a row that the cloud closed right after they had opened.
    kicked: u32,
    /// Since when the link is not read, because modules are slow.
    paused: Option<Instant>,
    /// Written, not yet flushed.
    in_flight: Amount,
    // Upstream.
    outbox: Outbox,
    journal: Option<Journal>,
    letters: Letters,
    throttle: Throttle,
    pace: Pace,
    intake_open: bool,
    flight: Flight,
    /// The peer lives, and has not answered a ping for so long that it has been said.
    peer_stalled: bool,
    // Downstream.
    modules: Modules,
    duplicates: Duplicates,
    sync_keeper: SyncKeeper,
    planted: Planted,
}

impl Hub {
    /// A hub that wants to dial. `seed` decides every jitter and message id.
    pub fn new(config: Config, seed: u64, now: Now) -> Hub {
        let config = config.clamped();
        let mut rng = Rng::new(seed);
        let selection = Selection::new(&config.endpoints, &mut rng);
        let mut hub = Hub {
            rng,
            selection,
            lanes: Lanes::default(),
            now,
            outputs: VecDeque::new(),
            account: Account::default(),
            state: LinkState::Waiting,
            epoch: LinkEpoch(0),
            backoff: Backoff::default(),
            state_ends: None,
            opened_at: None,
            keepalive: Keepalive::new(now.mono, &config),
            session: Session::new(now.mono),
            habits: Habits::default(),
            findings: Findings::default(),
            kicked: 0,
            paused: None,
            in_flight: Amount::default(),
            outbox: Outbox::new(&config.classes, bounds(&config), config.spool_above),
            journal: None,
            letters: Letters::default(),
            throttle: Throttle::new(config.rate, now.mono),
            pace: Pace::off(),
            intake_open: true,
            flight: Flight::new(),
            peer_stalled: false,
            modules: Modules::default(),
            duplicates: Duplicates::default(),
            sync_keeper: SyncKeeper::default(),
            planted: Planted::default(),
            config,
        };
        hub.open();
        hub
    }

    /// Takes one input. Never fails, never panics, and does a bounded amount of work.
    ///
    /// Deadlines that have come are settled first: an answer that arrives at its deadline is late.
    pub fn handle(&mut self, now: Now, input: Input) {
        if self.advance(now) && !(self.planted.is(Canary::AnswerAtDeadline) && is_message(&input)) {
            self.settle_timers();
        }
        match input {
            Input::Tick => {}
            Input::Link { epoch, event } => self.link_event(epoch, event),
            Input::Module { module, event } => self.module_event(module, event),
            Input::Journal(event) => self.journal_event(event),
            Input::Shutdown => self.shutdown(),
            Input::Reconfigure(config) => self.reconfigure(*config),
            Input::Renewed => self.renew(),
        }
        if self.planted.is(Canary::AnswerAtDeadline) {
            self.settle_timers();
        }
        self.pump();
    }

    /// Whether modules may send: what the last [`Output::Intake`] said or will say.
    pub fn takes_messages(&self) -> bool {
        self.intake_open
    }

    /// The next thing to do, in order, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.planted.is(Canary::NeverDrained) && self.outputs.is_empty() {
            self.outputs.push_back(Output::Close { epoch: self.epoch });
        }
        self.outputs.pop_front()
    }

    /// The books: where every accepted message is.
    pub fn account(&self) -> Account {
        let mut account = self.account;
        account.up.pending = self.outbox.len() as u64;
        account.down.pending = self.modules.queued() as u64;
        account
    }

    /// Where the link is in its life.
    pub fn link_state(&self) -> LinkState {
        self.state
    }

    /// The epoch of the latest link.
    pub fn epoch(&self) -> LinkEpoch {
        self.epoch
    }

    /// Sync requests that wait for an answer.
    pub fn pending_requests(&self) -> usize {
        self.sync_keeper.len()
    }

    /// Moves the clocks on. A monotonic clock that goes back is held; the wall clock may do as it likes. Returns whether
    /// time has passed: if not, no deadline can have come, for every deadline lies behind the moment that made it.
    fn advance(&mut self, now: Now) -> bool {
        if now.mono < self.now.mono {
            let by = self.now.mono.since(now.mono);
            self.note(Note::ClockBack { by });
        }
        // At the very end of time no deadline could be later than now.
        let mono = now.mono.max(self.now.mono).min(END_OF_TIME);
        let passed = mono > self.now.mono;
        self.now = Now { mono, wall: now.wall };
        passed
    }

    fn module_event(&mut self, module: ModuleId, event: ModuleEvent) {
        match event {
            ModuleEvent::Joined { name, groups, credit } => {
                let stopped = self.state == LinkState::Stopped;
                if stopped || !self.modules.join(module, name, groups, credit) {
                    self.outputs.push_back(Output::JoinRefused { module });
                }
            }
            ModuleEvent::Left => self.module_left(module),
            ModuleEvent::Sent { message, timeout, receipt } => {
                self.sent(module, message, timeout, receipt);
            }
            ModuleEvent::Ready { credit } => self.module_ready(module, credit),
        }
    }

    fn reconfigure(&mut self, config: Config) {
        let config = config.clamped();
        if config.rate != self.config.rate {
            self.throttle = Throttle::new(config.rate, self.now.mono);
        }
        if config.drain != self.config.drain {
            // Another pace is for the next link.
            self.end_drain();
        }
        if config.lanes != self.config.lanes {
            self.lanes.forget();
        }
        if config.endpoints != self.config.endpoints {
            self.lanes.elsewhere();
            self.selection.reconfigure(&config.endpoints, &mut self.rng);
            self.habits.forget();
            if self.state == LinkState::Up {
                self.selection.up(self.now.mono, &config.endpoints, &mut self.rng);
            }
        }
        self.outbox.set_bounds(bounds(&config), config.spool_above);
        if config.classes != self.config.classes {
            self.outbox.set_classes(&config.classes);
        }
        self.config = config;
        // A shorter patience begins now, and what a shorter limit makes due is due now.
        self.keepalive.heard(self.now.mono);
        self.settle_timers();
    }

    /// Leaves nothing ready behind: writes what can be written, and opens or closes the taps on both sides.
    fn pump(&mut self) {
        self.write_ready();
        self.finish_draining();
        self.finish_renewing();
        self.adjust_intake();
        self.adjust_reading();
        self.fetch_ahead();
        self.fetch_letters();
        self.forget_settled();
        if self.planted.is(Canary::SpeaksAfterStop) && self.state == LinkState::Stopped {
            self.outputs.push_back(Output::Intake { open: false });
        }
    }

    /// Gives the hub a bug; only ever called with the feature `canaries`.
    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
        self.outbox.plant(planted);
        self.throttle.plant(planted);
        self.modules.plant(planted);
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }
}

/// 290,000 years after the start.
const END_OF_TIME: Instant = Instant(u64::MAX / 2);

fn is_message(input: &Input) -> bool {
    matches!(input, Input::Link { event: LinkEvent::Received(_), .. })
}

fn bounds(config: &Config) -> Amount {
    Amount { messages: config.outbox_messages, bytes: config.outbox_bytes }
}
