//! What of each moment and each story of a trace becomes an action.

use super::Imported;
use crate::catalogue::verb;
use crate::scenario::settings::{self, EDGE, allows};
use crate::scenario::{Action, DURATION_MAX, Scenario, Subject};
use edgehub_core::config::Lane;
use edgehub_core::hub::{Direction, JournalEvent, LinkEnd, ModuleId, SyncOutcome};
use edgehub_core::journal::Health;
use edgehub_core::trace::Moment;
use edgehub_core::trace::explain::{Story, What};
use edgehub_core::trace::stats::Lengths;
use edgehub_core::{Config, Input, Instant, LinkEvent, ModuleEvent, Note, Output};
use std::collections::BTreeMap;
use std::time::Duration;

/// A scenario that is being made.
#[derive(Default)]
pub(super) struct Importer {
    begin: Instant,
    pub(super) end: Instant,
    pub(super) actions: Vec<Action>,
    changed: BTreeMap<String, u64>,
    /// The places of modules in the world's list.
    places: BTreeMap<ModuleId, u64>,
    /// The recorded hub's, as operators have changed it so far.
    config: Config,
    round_trips: Lengths,
    heard: Instant,
    lost: Option<Instant>,
    failed: u64,
    hung: u64,
    stalled: BTreeMap<ModuleId, Instant>,
    /// How the journal is, if it is not good, and since when.
    sick: Option<(Health, Instant)>,
}

impl Importer {
    /// For a trace that begins then, of a hub with this configuration.
    pub(super) fn new(begin: Instant, config: Config) -> Importer {
        Importer { begin, lost: Some(begin), config, ..Importer::default() }
    }

    fn at(&self, now: Instant) -> Instant {
        Instant(0) + now.since(self.begin)
    }

    fn is_changed(&mut self, what: &str) {
        *self.changed.entry(what.into()).or_default() += 1;
    }

    /// Adds an action; values are brought into the ranges that its parameters have.
    fn act(&mut self, now: Instant, name: &str, values: &[u64]) {
        let Some(verb) = verb(Subject::Node, name) else { return };
        let mut action = Action::simplest(self.at(now), 0, verb);
        for ((value, parameter), wanted) in action.values.iter_mut().zip(verb.parameters).zip(values) {
            *value = (*wanted).clamp(parameter.low, parameter.high);
        }
        self.actions.push(action);
    }

    pub(super) fn watch(&mut self, moment: &Moment<'_>) {
        let now = moment.now.mono;
        self.end = self.end.max(now);
        match moment.input {
            Some(Input::Module { module, event: ModuleEvent::Joined { name, groups, .. } }) => {
                self.places.insert(*module, place_of(name, groups));
            }
            Some(Input::Module { event: ModuleEvent::Left, .. }) => {
                self.is_changed("a module left: the modules of the scenario stay");
            }
            Some(Input::Link {
                event: LinkEvent::Received(_) | LinkEvent::Pong(_) | LinkEvent::Opened,
                ..
            }) => {
                self.heard = now;
            }
            Some(Input::Link { event: LinkEvent::Malformed(_), .. }) => {
                self.is_changed("a frame that was no message: the link is closed in its place");
            }
            Some(Input::Reconfigure(config)) => self.reconfigured(now, config),
            Some(Input::Renewed) => self.act(now, "renew", &[0, 0, 0, 0]),
            Some(Input::Journal(event)) => self.journal(event, now),
            _ => {}
        }
        for output in moment.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => self.dials_end(),
                Output::Note(Note::LinkDown { end, .. }) => self.link_down(now, *end),
                Output::Note(Note::RoundTrip { rtt }) => self.round_trips.add(*rtt),
                Output::Note(Note::ModuleStalled { module }) => drop(self.stalled.insert(*module, now)),
                Output::Note(Note::PeerStalled { .. }) => {
                    self.is_changed("a cloud that lived and answered no ping: the scenario's answers each");
                }
                Output::Open { endpoint, lane, .. } => self.dialled(*endpoint, *lane),
                Output::Note(Note::ModuleRecovered { module }) => self.recovered(*module, now),
                _ => {}
            }
        }
    }

    fn link_down(&mut self, now: Instant, end: LinkEnd) {
        match end {
            LinkEnd::OpenFailed => return self.failed += 1,
            LinkEnd::OpenTimeout => return self.hung += 1,
            LinkEnd::Closed | LinkEnd::Violation => self.act(now, "close", &[2]),
            LinkEnd::Silent | LinkEnd::Stalled => self.act(self.heard, "silence", &[0]),
            LinkEnd::NoSession => self.act(self.heard, "zombie", &[]),
            LinkEnd::Shutdown | LinkEnd::Moved | LinkEnd::Renewed => {}
        }
        self.lost = Some(now);
    }

    /// The dials that failed since the last loss are told before it: they are the next ones.
    fn dials_end(&mut self) {
        let Some(lost) = self.lost.take() else { return };
        // Before the loss in the list, so that a dial at once is one of them.
        let before = Instant(lost.0.saturating_sub(1)).max(self.begin);
        for (word, count) in [(0, self.failed), (3, self.hung)] {
            for _ in 0..count.div_ceil(10) {
                self.act(before, "dial", &[word, count]);
            }
        }
        (self.failed, self.hung) = (0, 0);
    }

    /// The world's nodes have a journal of their own, which does what a healthy disk does; how the disk was is taken over.
    fn journal(&mut self, event: &JournalEvent, now: Instant) {
        match event {
            JournalEvent::Health(health) => self.disk(*health, now),
            JournalEvent::Restored { .. } => {
                self.is_changed("a message from the journal of an earlier run: the scenario's begins empty");
            }
            JournalEvent::Lost { .. } | JournalEvent::LetterLost { .. } => {
                self.is_changed("an entry that could not be read back from the journal");
            }
            JournalEvent::LettersDiscarded { .. } => {
                self.is_changed("dead letters that made room for newer ones");
            }
            JournalEvent::Opened { .. }
            | JournalEvent::Stored { .. }
            | JournalEvent::Refused { .. }
            | JournalEvent::Fetched { .. }
            | JournalEvent::LettersOpened
            | JournalEvent::LetterStored { .. } => {}
        }
    }

    fn disk(&mut self, health: Health, now: Instant) {
        if let Some((sick, since)) = self.sick.take() {
            let length = now.since(since).as_micros() as u64;
            match sick {
                Health::Failing => self.act(since, "disk-fails", &[length, 1]),
                Health::Full(_) => self.act(since, "disk-full", &[length]),
                Health::Good => {}
            }
        }
        self.sick = (health != Health::Good).then_some((health, now));
    }

    fn dialled(&mut self, endpoint: usize, lane: Lane) {
        if endpoint > 0 {
            self.is_changed("a dial of another endpoint than the first: the scenario's are its own choice");
        }
        if lane == Lane::Quic {
            self.is_changed("a dial over QUIC: the scenario's lanes are its own choice");
        }
    }

    fn recovered(&mut self, module: ModuleId, now: Instant) {
        let Some(since) = self.stalled.remove(&module) else { return };
        let begun = (since - self.config.stall_limit).max(self.begin);
        let place = self.places.get(&module).copied().unwrap_or_default();
        self.act(begun, "slow-module", &[place, now.since(begun).as_micros() as u64]);
    }

    fn reconfigured(&mut self, now: Instant, config: &Config) {
        let before = core::mem::replace(&mut self.config, config.clone());
        for (number, setting) in EDGE.iter().enumerate() {
            let to = (setting.read)(config);
            if to != (setting.read)(&before) {
                self.act(now, "reconfigure", &[number as u64, to]);
            }
        }
    }

    pub(super) fn take_story(&mut self, story: &Story) {
        let Some(first) = story.events.first() else { return };
        let now = first.now.mono;
        let bytes = story.bytes.saturating_sub(OVERHEAD) as u64;
        match (&first.what, story.direction) {
            (What::Sent { module, request, .. }, _) => {
                let place = self.places.get(module).copied().unwrap_or_default();
                if *request {
                    self.ask(now, story, place, bytes);
                } else if !is_answer(story) {
                    self.act(now, "send", &[place, bytes, 1]);
                }
                // The world's modules acknowledge and answer on their own.
            }
            (What::Received { .. }, Direction::Down) => self.command(now, story, bytes),
            (What::There { .. }, _) => self.is_changed("a message that was there before the trace begins"),
            _ => {}
        }
    }

    fn ask(&mut self, now: Instant, story: &Story, place: u64, bytes: u64) {
        let ended = story.events.iter().find_map(|event| match event.what {
            What::RequestEnded { outcome } => Some((outcome, event.now.mono.since(now))),
            _ => None,
        });
        let answer = match ended {
            Some((SyncOutcome::Response, _)) => 0,
            Some((SyncOutcome::Error, _)) => 1,
            Some((SyncOutcome::Timeout | SyncOutcome::Rejected(_), _)) | None => 2,
        };
        let timeout = match ended {
            Some((SyncOutcome::Timeout, after)) => after.as_micros() as u64,
            _ => 0,
        };
        self.act(now, "ask", &[place, bytes, answer, 0, timeout]);
    }

    fn command(&mut self, now: Instant, story: &Story, bytes: u64) {
        if !story.parent_msg_id.is_empty() {
            // An answer: the world's cloud gives its own.
            return;
        }
        let [source, group, operation, _] = &story.route;
        if matches!(&**operation, "ping" | "pong" | "config" | "connect") {
            return self.is_changed("link control: the scenario's cloud sends none of its own");
        }
        let to = match (&**group, &**source) {
            ("resource", _) => 0,
            ("twin", _) => 1,
            ("user", "router_eventbus") => 2,
            ("user", "router_servicebus") => 3,
            ("taskmanager", _) => 4,
            ("func", _) => 5,
            ("user", _) => 6,
            _ => 7,
        };
        let is_acknowledged =
            story.events.iter().any(|event| matches!(event.what, What::Acknowledged { .. }));
        self.act(now, "command", &[to, bytes, 1, u64::from(is_acknowledged)]);
    }

    pub(super) fn bring_into_ranges(&mut self, config: &mut Config) {
        for setting in &EDGE {
            let value = (setting.read)(config);
            if !allows(&setting.parameter, value) {
                let parameter = &setting.parameter;
                (setting.change)(config, value.clamp(parameter.low, parameter.high));
                self.is_changed(&format!("{}: brought into the scenario's range", parameter.name));
            }
        }
    }

    pub(super) fn finish(mut self, name: &str, edge: Config) -> Imported {
        // Dials that still fail, disks that are still sick, and modules that still stall, when the trace ends.
        self.dials_end();
        self.disk(Health::Good, self.end);
        for module in self.stalled.keys().copied().collect::<Vec<_>>() {
            self.recovered(module, self.end);
        }
        let shortest = Duration::from_secs(1);
        let mut duration = self.end.since(self.begin).max(shortest);
        if duration > DURATION_MAX {
            self.is_changed("what comes after 30 days");
            duration = DURATION_MAX;
            self.actions.retain(|action| action.at.since(Instant(0)) <= DURATION_MAX);
        }
        let round_trips = self.round_trips.spread();
        let latency = Some(round_trips.p50).filter(|_| round_trips.count > 0);
        let latency = latency.map_or(settings::LATENCY, |rtt| {
            let micros =
                (rtt.as_micros() as u64 / 2).clamp(settings::LATENCY_RANGE.low, settings::LATENCY_RANGE.high);
            Duration::from_micros(micros)
        });
        let mut scenario =
            Scenario { latency, edge, actions: merged(self.actions), ..Scenario::quiet(name, duration) };
        scenario.sort();
        let told =
            |(what, times): (String, u64)| if times == 1 { what } else { format!("{what} ({times} times)") };
        Imported { scenario, changed: self.changed.into_iter().map(told).collect() }
    }
}

/// Whether a module's message answers another one, or keeps the link alive.
fn is_answer(story: &Story) -> bool {
    let [_, _, operation, _] = &story.route;
    !story.parent_msg_id.is_empty() || matches!(&**operation, "response" | "keepalive")
}

/// What a frame is longer than its content, about.
const OVERHEAD: usize = 230;

/// The module of the world that is most like a recorded one.
fn place_of(name: &str, groups: &[Box<str>]) -> u64 {
    let by_name = crate::world::MODULES.iter().position(|known| known.eq_ignore_ascii_case(name));
    let by_group = || {
        groups.iter().find_map(|group| {
            ["meta", "twin", "bus", "", "taskmanager"].iter().position(|known| **known == **group)
        })
    };
    by_name.or_else(by_group).unwrap_or(1) as u64
}

/// Messages of one moment and kind are one action with a count.
pub(super) fn merged(mut actions: Vec<Action>) -> Vec<Action> {
    actions.sort_by_key(|action| action.at);
    let mut merged: Vec<Action> = Vec::new();
    for action in actions {
        let same = merged.last_mut().filter(|last| {
            let same_values = || {
                last.values
                    .iter()
                    .zip(action.values)
                    .enumerate()
                    .all(|(at, (one, other))| at == 2 || *one == other)
            };
            matches!(last.verb.name, "send" | "command")
                && last.verb.name == action.verb.name
                && last.at == action.at
                && last.values[2] + action.values[2] <= 200
                && same_values()
        });
        match same {
            Some(last) => last.values[2] += action.values[2],
            None => merged.push(action),
        }
    }
    merged
}
