//! The event loop, and who is in the world.

mod cloud;
mod dial;
mod edge;
mod event;
mod heal;
mod module;
mod network;

pub(crate) use event::Event;

use crate::checks::Outcome;
use crate::dice::Dice;
use crate::log::{Log, LogKind};
use crate::plan::Plan;
use crate::queue::Queue;
use crate::run::Report;
use cloud::Cloud;
use edge::Edge;
use edgehub_core::{Instant, Now};
use network::Network;
use std::time::Duration;

/// Unix time at the start of every run, in milliseconds.
const START_WALL_MS: i64 = 1_700_000_000_000;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) now: Instant,
    pub(crate) queue: Queue<Event>,
    pub(crate) network: Network,
    pub(crate) edges: Vec<Edge>,
    pub(crate) cloud: Cloud,
    /// Modules, on both sides, still have something to say.
    pub(crate) busy: bool,
    pub(crate) log: Log,
    report: Report,
}

impl World {
    pub(crate) fn new(seed: u64, kind: LogKind) -> World {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(&mut dice);
        let now = Instant(0);
        let edges = (0..plan.nodes).map(|node| Edge::new(node, &plan, &mut dice)).collect();
        let cloud = Cloud::new(&plan, &mut dice, wall(now, 0));
        let mut world = World {
            dice,
            plan,
            now,
            queue: Queue::new(),
            network: Network::default(),
            edges,
            cloud,
            busy: true,
            log: Log::new(kind),
            report: Report::default(),
        };
        let World { plan, log, .. } = &mut world;
        log.transition(now, "plan", || format!("{plan:?}"));
        world
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn into_log(self) -> Log {
        self.log
    }

    /// Trouble for so long, then the healing, then the shutdown.
    pub(crate) fn run(&mut self, trouble: Duration) -> Outcome {
        self.begin()?;
        self.until(Instant(0) + trouble)?;
        if !self.plan.stops_unhealed {
            self.heal()?;
        }
        self.shut_down()
    }

    pub(crate) fn report(&self) -> Report {
        let mut report = self.report;
        report.hub_time = self.now.since(Instant(0)) * self.edges.len() as u32;
        for edge in &self.edges {
            let account = edge.hub.account();
            report.links += account.links;
            report.confirmed += account.up.settled;
            report.delivered += account.down.settled;
            report.requests += edge.requests_ended;
        }
        report
    }

    /// What a clock with this error shows.
    pub(crate) fn clock(&self, skew_ms: i64) -> Now {
        wall(self.now, skew_ms)
    }

    pub(crate) fn plan_in(&mut self, delay: Duration, event: Event) {
        self.queue.plan(self.now + delay, event);
    }

    fn begin(&mut self) -> Outcome {
        for node in 0..self.edges.len() {
            self.begin_edge(node)?;
        }
        self.plan_in(Duration::ZERO, Event::CloudActs);
        self.plan_fault();
        Ok(())
    }

    /// Lets time pass.
    pub(crate) fn until(&mut self, end: Instant) -> Outcome {
        while let Some((at, event)) = self.queue.pop(end) {
            self.now = at.max(self.now);
            self.report.events += 1;
            self.happen(event)?;
        }
        self.now = end;
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
            Event::Tick { node, number } => self.tick(node, number),
            Event::Spurious { node } => self.spurious_tick(node),
            Event::Dialled { link } => self.dialled(link),
            Event::DialFailed { node, epoch } => self.dial_failed(node, epoch),
            Event::Accepted { link } => self.accepted(link),
            Event::Arrives { link, way } => self.arrives(link, way),
            Event::Flushed { link, way, messages, bytes } => self.flushed(link, way, messages, bytes),
            Event::Severed { link, end } => self.severed(link, end),
            Event::ModuleActs { node, module } => self.module_acts(node, module),
            Event::ModuleTook { node, module, credit, message } => {
                self.module_took(node, module, credit, message)
            }
            Event::ModuleRejoins { node, module } => self.join(node, module),
            Event::CloudTick { number } => self.cloud_tick(number),
            Event::CloudActs => self.cloud_acts(),
            Event::CloudAnswers { node, message } => self.cloud_answers(node, message),
            Event::CloudRestarts => self.cloud_restarts(),
            Event::Fault => self.fault(),
        }
    }

    fn plan_fault(&mut self) {
        let pause = self.dice.between(self.plan.fault_pause);
        self.plan_in(pause, Event::Fault);
    }

    fn fault(&mut self) -> Outcome {
        if self.plan.faults.is_empty() {
            return Ok(());
        }
        self.plan_fault();
        let fault = self.plan.faults[self.dice.index(self.plan.faults.len())];
        self.log.transition(self.now, "fault", || fault.name);
        self.report.faults += 1;
        (fault.strike)(self)
    }
}

fn wall(now: Instant, skew_ms: i64) -> Now {
    Now::new(now.0, START_WALL_MS + (now.0 / 1000) as i64 + skew_ms)
}
