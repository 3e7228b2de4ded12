//! The event loop, and who is in the world.

mod arrivals;
mod bound;
mod clock;
mod cloud;
mod cloud_modules;
mod dial;
mod driver;
mod edge;
mod event;
mod flow;
mod harm;
mod heal;
mod idle;
mod lane;
mod module;
mod network;
mod order;
mod store;
mod stream;

pub(crate) use clock::Swing;
pub(crate) use cloud_modules::{AskPlan, COMMAND_WORDS};
pub(crate) use dial::DialPlan;
pub(crate) use edge::{Crash, ENDPOINTS_MAX, TickFault, Udp};
pub(crate) use event::Event;
pub(crate) use harm::{DAMAGES, harmed};
pub(crate) use module::{GENEROUS, MODULES, Speech};
pub(crate) use network::{End, LinkId, Side, Way};
pub(crate) use stream::{Conduct, Damage};

use crate::chance::Salt;
use crate::checks::{Broken, Outcome};
use crate::faults::disk;
use crate::flight::Flight;
use crate::log::{Log, LogKind};
use crate::queue::Queue;
use crate::run::Report;
use crate::scenario::{Action, Scenario, Verb};
use crate::watchdog;
use arrivals::Arrivals;
use cloud::Cloud;
use edge::Edge;
use edgehub_core::cloud::CloudConfig;
use edgehub_core::{Config, Instant, Now};
use network::Network;
use std::collections::BTreeMap;
use std::time::Duration;

/// Every content begins with this; no note may show it.
pub(crate) const SECRET: &str = "s3cret-content-";

/// The longest content.
pub(crate) const CONTENT_MAX: usize = 100_000;

/// Events that may happen at one instant. A machine that wakes after days finds some thousands.
const EVENTS_PER_INSTANT_MAX: u64 = 200_000;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) salt: Salt,
    pub(crate) edge_config: Config,
    pub(crate) cloud_config: CloudConfig,
    pub(crate) latency: Duration,
    /// See [`Scenario::streams_apart`].
    pub(crate) streams_apart: Duration,
    pub(crate) now: Instant,
    pub(crate) queue: Queue<Event>,
    pub(crate) network: Network,
    pub(crate) edges: Vec<Edge>,
    pub(crate) clouds: Vec<Cloud>,
    /// Connections that any CloudHub has accepted.
    connections: u64,
    pub(crate) arrivals: Arrivals,
    /// What comes of the requests that were sent, by node and id.
    pub(super) asks: BTreeMap<(usize, u64), AskPlan>,
    pub(crate) log: Log,
    /// What contents are cut from.
    text: String,
    /// Links that come and go still do.
    pub(super) flapping: bool,
    /// When the faults stopped; what came before proves nothing.
    healed_at: Instant,
    /// The longest wait of any request so far.
    longest_wait: Duration,
    /// The time that machines slept: nobody counts that as simulated.
    slept: Duration,
    report: Report,
    /// Complete recordings, if there are to be any.
    flights: Option<Vec<Flight>>,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, kind: LogKind) -> World {
        let salt = Salt(scenario.salt);
        let mut text = SECRET.repeat(CONTENT_MAX / SECRET.len() + 1);
        text.truncate(CONTENT_MAX);
        World {
            salt,
            edge_config: scenario.edge.clone(),
            cloud_config: scenario.cloud.clone(),
            latency: scenario.latency,
            streams_apart: scenario.streams_apart,
            now: Instant(0),
            queue: Queue::new(),
            network: Network::default(),
            edges: (0..scenario.nodes).map(|node| Edge::new(node, &scenario.edge, salt)).collect(),
            clouds: (0..scenario.clouds).map(|number| Cloud::new(number, &scenario.cloud, salt)).collect(),
            connections: 0,
            arrivals: Arrivals::default(),
            asks: BTreeMap::new(),
            log: Log::new(kind),
            text,
            flapping: true,
            healed_at: Instant(0),
            longest_wait: scenario.edge.sync_timeout,
            slept: Duration::ZERO,
            report: Report::default(),
            flights: None,
        }
    }

    /// Records every hub.
    pub(crate) fn recorded(mut self) -> World {
        self.flights = Some(Vec::new());
        self
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn into_log(self) -> Log {
        self.log
    }

    /// The trouble, then the healing and an idle time, then the shutdown.
    pub(crate) fn run(&mut self, scenario: &Scenario) -> Outcome {
        let end = Instant(0) + scenario.duration;
        self.cloud_snapshots(scenario);
        for node in 0..self.edges.len() {
            self.begin_edge(node)?;
        }
        for action in scenario.actions.iter().take_while(|action| action.at <= end) {
            self.until(action.at)?;
            self.act(action)?;
        }
        self.until(end)?;
        if !scenario.ends_unhealed {
            self.heal()?;
            self.idle()?;
        }
        self.shut_down(scenario)
    }

    pub(crate) fn report(&self) -> Report {
        let mut report = self.report.clone();
        report.scenarios = 1;
        let all = self.now.since(Instant(0)) * self.edges.len() as u32;
        report.hub_time = all.saturating_sub(self.slept);
        for edge in &self.edges {
            let account = edge.hub.account();
            report.links += account.links;
            report.confirmed += account.up.confirmed;
            report.delivered += account.down.confirmed;
            report.requests += edge.requests_ended;
            for store in [&edge.store, &edge.letters] {
                for (verb, times) in [disk::SLOW, disk::FULL, disk::FAILS].iter().zip(store.struck) {
                    report.effects.count_some(verb, times);
                }
            }
        }
        report
    }

    pub(crate) fn plan_in(&mut self, delay: Duration, event: Event) {
        self.queue.plan(self.now + delay, event);
    }

    /// What a cloud's clocks show.
    pub(super) fn cloud_now(&mut self, cloud: usize) -> Now {
        self.clouds[cloud].clock.read(self.salt, self.now)
    }

    /// A content of about this length.
    pub(crate) fn content(&self, bytes: u64) -> &str {
        let bytes = (bytes as usize).clamp(SECRET.len(), CONTENT_MAX);
        self.text.get(..bytes).unwrap_or_default()
    }

    fn act(&mut self, action: &Action) -> Outcome {
        watchdog::beat(self.now);
        if !crate::traffic::is_traffic(action.verb) {
            self.log.transition(self.now, "action", || action);
        } else {
            self.log.detail(self.now, "action", || action);
        }
        if action.act(self)? {
            self.took_effect(action.verb);
        }
        Ok(())
    }

    /// What an action wanted has happened.
    pub(crate) fn took_effect(&mut self, verb: &Verb) {
        self.report.effects.count(verb);
    }

    /// Lets time pass.
    pub(crate) fn until(&mut self, end: Instant) -> Outcome {
        let mut at_once = 0;
        while self.queue.next_at().is_some_and(|at| at <= end)
            && let Some((at, event)) = self.queue.pop()
        {
            at_once = if at > self.now { 0 } else { at_once + 1 };
            if at_once > EVENTS_PER_INSTANT_MAX {
                return Err(Broken::new(
                    "livelock",
                    "instant",
                    format!("{at_once} events at one instant, and more to come: {event:?}"),
                ));
            }
            self.now = at.max(self.now);
            watchdog::beat(self.now);
            self.report.events += 1;
            self.happen(event)?;
        }
        self.now = end.max(self.now);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Outcome {
        if let Some(node) = event.node(&self.network)
            && self.edges[node].asleep_until > self.now
        {
            // A machine that sleeps notices nothing, and everything when it wakes, in the old order.
            self.queue.plan(self.edges[node].asleep_until, event);
            return Ok(());
        }
        match event {
            Event::Tick { node, sure } => self.tick(node, sure),
            Event::Drains { node } => self.drains(node),
            Event::Disk { node, incarnation, letters } => self.disk(node, incarnation, letters),
            Event::Dialled { link } => self.dialled(link),
            Event::DialFailed { node, incarnation, epoch, closed } => {
                self.dial_failed(node, incarnation, epoch, closed)
            }
            Event::Reached { node, incarnation, epoch } => self.reached(node, incarnation, epoch),
            Event::Accepted { link } => self.accepted(link),
            Event::Arrives { link, way } => self.arrives(link, way),
            Event::Flushed { link, way, messages, bytes } => self.flushed(link, way, messages, bytes),
            Event::Severed { link, end } => self.severed(link, end),
            Event::ModuleTook { node, module, credit, message } => {
                self.module_took(node, module, credit, message)
            }
            Event::ModuleRejoins { node, module } => self.join(node, module),
            Event::EdgeStarts { node } => self.edge_starts(node),
            Event::Flaps { node, times, silent_us, heard_us } => self.flap(node, times, silent_us, heard_us),
            Event::NatLooks { link } => {
                self.nat_looks(link);
                Ok(())
            }
            Event::CloudTick { cloud } => self.cloud_tick(cloud),
            Event::CloudAnswers { cloud, node, message } => {
                self.cloud_sends(cloud, node, *message, false).map(drop)
            }
            Event::CloudStarts { cloud } => self.cloud_starts(cloud),
            Event::Snapshot { cloud } => self.snapshot(cloud),
        }
    }
}
