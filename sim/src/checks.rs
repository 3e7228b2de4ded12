//! What must hold after every single event, one file each.
//!
//! A check sees what the hub was told and what it answered, keeps a small model of its own, and says what is wrong.
//! The checks know nothing of the world: the fuzz targets use the same ones.

mod amount;
mod answers;
mod backoff;
mod better_lane;
mod books;
mod broken;
mod cloud;
mod confirmation;
mod deadline;
mod drain;
mod duplicates;
mod endpoints;
mod flight;
mod heartbeat;
mod intake;
mod lanes;
mod letters;
mod link;
mod model;
mod pace;
mod pings;
mod rate;
mod reading;
mod reasons;
mod receipts;
mod requests;
mod secret;
mod stored;
mod suspicions;
mod timely;
mod upstream;

pub use broken::{Broken, Outcome};
pub use cloud::CloudChecks;

pub(crate) use timely::is_probe;
pub(crate) use upstream::class_of;

use broken::broken;
use confirmation::Confirmation;
use drain::drain;
use edgehub_core::hub::{Deadline, JournalEvent};
use edgehub_core::journal::EntryNumber;
use edgehub_core::{Config, Hub, Input, Instant, LinkEpoch, Message, ModuleEvent, Note, Now, Output};
use flight::Flight;
use intake::Intake;
use model::Model;
use pace::Pace;
use rate::RateLimit;
use reading::Reading;
use receipts::Receipts;
use std::collections::{BTreeMap, BTreeSet};
use stored::Stored;
use timely::Timely;
use upstream::Upstream;

/// One input and what it led to.
#[derive(Debug)]
pub struct Step<'a> {
    /// The hub, after the input.
    pub hub: &'a Hub,
    /// When.
    pub now: Now,
    /// The input.
    pub input: &'a Input,
    /// The latest link before it.
    pub epoch: LinkEpoch,
    /// What the hub wanted before.
    pub deadline_before: Option<Deadline>,
    /// What it wants now.
    pub deadline: Option<Deadline>,
    /// Everything that it answered.
    pub outputs: &'a [Output],
}

impl Step<'_> {
    /// Whether a deadline had come: then outputs may have another cause than the input.
    pub fn was_due(&self) -> bool {
        self.deadline_before.is_some_and(|deadline| deadline.at <= self.now.mono)
    }

    /// The message that the hub has just taken for the cloud: of a module, or, with its number, out of the journal.
    pub(crate) fn accepted(&self) -> Option<(&Message, Option<EntryNumber>)> {
        match self.input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => Some((message, None)),
            Input::Journal(JournalEvent::Restored { number, message }) => {
                let refused = Output::Note(Note::UnexpectedJournalEvent);
                (!self.outputs.contains(&refused)).then_some((message, Some(*number)))
            }
            _ => None,
        }
    }

    /// Whether the hub did anything but take notes.
    pub fn acted(&self) -> bool {
        self.outputs.iter().any(|output| !matches!(output, Output::Note(_)))
    }
}

/// One rule.
trait Check: std::fmt::Debug {
    fn name(&self) -> &'static str;
    fn after(&mut self, step: &Step<'_>) -> Outcome;
}

/// All rules for one edge hub.
#[derive(Debug)]
pub struct EdgeChecks {
    checks: Vec<Box<dyn Check>>,
    model: Model,
    reading: Reading,
    confirmation: Confirmation,
    upstream: Upstream,
    receipts: Receipts,
    stored: Stored,
    rate: RateLimit,
    pace: Pace,
    flight: Flight,
    intake: Intake,
    timely: Timely,
    latest: Instant,
}

impl EdgeChecks {
    /// The rules for a hub with this configuration, which must be within its bounds.
    pub fn new(config: &Config) -> EdgeChecks {
        EdgeChecks {
            checks: vec![
                Box::new(link::Link::new(config)),
                Box::new(link::ConnectInfo::default()),
                Box::new(link::OldEpochs::default()),
                Box::new(books::Books::new(config)),
                Box::new(deadline::Progress),
                Box::new(heartbeat::Heartbeat::new(config)),
                Box::new(reasons::Refusals::default()),
                Box::new(requests::Requests::new(config)),
                Box::new(answers::Answers::new(config)),
                Box::new(backoff::Backoff::new(config)),
                Box::new(duplicates::Duplicates::new(config)),
                Box::new(endpoints::Endpoints::new(config)),
                Box::new(suspicions::Suspicions::new(config)),
                Box::new(secret::Secret),
            ],
            model: Model::new(config),
            reading: Reading::default(),
            confirmation: Confirmation::new(config),
            upstream: Upstream::new(config),
            receipts: Receipts::new(config),
            stored: Stored::new(config),
            rate: RateLimit::new(config),
            pace: Pace::new(config),
            flight: Flight::new(),
            intake: Intake::new(config),
            timely: Timely::new(config),
            latest: Instant(0),
        }
    }

    /// Hands an input to the hub and checks what comes of it. Returns the outputs.
    pub fn handle(&mut self, hub: &mut Hub, now: Now, input: Input) -> Result<Vec<Output>, Broken> {
        let (deadline_before, epoch) = (hub.next_deadline(), hub.epoch());
        // A hub holds a clock that goes back, and so does whoever judges it.
        self.latest = self.latest.max(now.mono);
        let before = drain::held(hub);
        hub.handle(now, input.clone());
        let now = Now { mono: self.latest, ..now };
        let outputs = drain(before, || hub.poll_output())?;
        let deadline = hub.next_deadline();
        self.after(&Step { hub, now, input: &input, epoch, deadline_before, deadline, outputs: &outputs })?;
        Ok(outputs)
    }

    /// Checks what a new hub did by itself. Returns the outputs.
    pub fn begin(&mut self, hub: &mut Hub, now: Now) -> Result<Vec<Output>, Broken> {
        let outputs = drain(drain::held(hub), || hub.poll_output())?;
        self.latest = now.mono;
        let deadline_before = Some(Deadline { at: now.mono, kind: edgehub_core::hub::TimerKind::Backoff });
        let deadline = hub.next_deadline();
        let (input, epoch) = (&Input::Tick, LinkEpoch(0));
        self.after(&Step { hub, now, input, epoch, deadline_before, deadline, outputs: &outputs })?;
        Ok(outputs)
    }

    /// Messages that the last step confirmed, in order, each by its id's number.
    pub(crate) fn confirmed(&self) -> &[u64] {
        self.confirmation.confirmed()
    }

    /// Number and id of what the journal has reported as stored and the hub has not brought to its end.
    pub(crate) fn promised(&self) -> BTreeMap<u64, u64> {
        self.stored.promised()
    }

    /// Numbers of what the hub has left to the journal.
    pub(crate) fn kept(&self) -> BTreeSet<u64> {
        self.stored.kept()
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        for check in &mut self.checks {
            check.after(step).map_err(|broken| broken.by(check.name()))?;
        }
        self.model.after(step).map_err(|broken| broken.by("model"))?;
        self.reading.after(step, self.model.fill()).map_err(|broken| broken.by("reading"))?;
        self.confirmation.after(step).map_err(|broken| broken.by("confirmation"))?;
        self.stored.after(step, &self.confirmation).map_err(|broken| broken.by("stored"))?;
        self.receipts.after(step, &self.confirmation).map_err(|broken| broken.by("receipts"))?;
        let confirmed = self.confirmation.confirmed();
        self.pace.after(step, &self.upstream).map_err(|broken| broken.by("pace"))?;
        let (unstored, before) = self.stored.unstored();
        self.upstream.after(step, confirmed, before).map_err(|broken| broken.by("way up"))?;
        let intake = self.intake.after(step, &self.upstream, &self.pace, unstored);
        intake.map_err(|broken| broken.by("intake"))?;
        self.rate.after(step).map_err(|broken| broken.by("rate limit"))?;
        self.flight.after(step).map_err(|broken| broken.by("flight"))?;
        let EdgeChecks { confirmation, upstream, stored, rate, pace, flight, timely, .. } = self;
        let timely = timely.after(step, confirmation, upstream, stored, (rate, pace), flight);
        timely.map_err(|broken| broken.by("timely"))
    }
}
