//! Makes runs: a strategy of plausible and hostile steps, and a driver that turns them into legal inputs.
//!
//! A step says what to do *next* (“answer the second waiting request”), and the driver, which knows from the outputs
//! which link is current and which pings are on their way, makes the input of it. It never reads a note: law 7 is how it
//! works. What comes out is a [`Run`], the list of `(now, input)` with the outputs of each.

#[path = "world/act.rs"]
mod act;
#[path = "world/config.rs"]
mod config;
#[path = "world/disk.rs"]
mod disk;
#[path = "world/plan.rs"]
mod plan;
#[path = "world/run.rs"]
mod run;
#[path = "world/words.rs"]
mod words;

pub(crate) use config::config;
pub(crate) use plan::{Plan, plan};
pub(crate) use run::{Moment, Run, drain, replay, start};

use edgehub_core::{Config, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleId, Now, Output, UnixMillis};
use edgehub_sim::faithful::Faithful;
use plan::{Step, When};
use run::WALL;
use std::collections::VecDeque;

/// The driver: what a driver knows, and nothing that it was only told in a note.
pub(crate) struct World {
    pub(crate) hub: Hub,
    config: Config,
    seed: u64,
    now: Now,
    epoch: LinkEpoch,
    opening: bool,
    open: bool,
    pings: Vec<u64>,
    unflushed: VecDeque<usize>,
    modules: Vec<ModuleId>,
    joined: Vec<ModuleId>,
    requests: Vec<Message>,
    disk: Faithful,
    made: u64,
    drops_notes: bool,
    moments: Vec<Moment>,
}

impl World {
    pub(crate) fn new(config: Config, seed: u64) -> World {
        let mut world = World {
            hub: start(&config, seed),
            config,
            seed,
            now: Now::new(1_000_000, WALL),
            epoch: LinkEpoch(0),
            opening: false,
            open: false,
            pings: Vec::new(),
            unflushed: VecDeque::new(),
            modules: Vec::new(),
            joined: Vec::new(),
            requests: Vec::new(),
            disk: Faithful::default(),
            made: 0,
            drops_notes: false,
            moments: Vec::new(),
        };
        for output in drain(&mut world.hub) {
            world.carry_out(&output);
        }
        world
    }

    /// Runs a plan; `watch` sees every moment with the hub that it led to.
    pub(crate) fn run(plan: &Plan, mut watch: impl FnMut(&Hub, &Moment)) -> Run {
        let mut world = World::new(config(plan.config), plan.seed);
        for input in disk::opened() {
            world.feed(input);
            if let Some(moment) = world.moments.last() {
                watch(&world.hub, moment);
            }
        }
        for step in &plan.steps {
            world.step(step, &mut watch);
        }
        world.into_run()
    }

    /// The same driver, which throws notes away before it looks at the rest.
    pub(crate) fn dropping_notes(self) -> World {
        World { drops_notes: true, ..self }
    }

    pub(crate) fn into_run(self) -> Run {
        Run { config: self.config, seed: self.seed, moments: self.moments }
    }

    /// Takes one step, which may be many inputs.
    pub(crate) fn step(&mut self, step: &Step, watch: &mut impl FnMut(&Hub, &Moment)) {
        self.pass(step.when);
        self.now.wall = UnixMillis(self.now.wall.0 + step.wall);
        for input in self.inputs_of(&step.act) {
            self.feed(input);
            if let Some(moment) = self.moments.last() {
                watch(&self.hub, moment);
            }
        }
    }

    fn pass(&mut self, when: When) {
        let due = self.hub.next_deadline().map_or(self.now.mono.0, |deadline| deadline.at.0);
        let mono = self.now.mono.0;
        let next = match when {
            When::Same => mono,
            When::Plus(us) => mono + us,
            When::Deadline => due.max(mono),
            When::JustBefore => due.saturating_sub(1).max(mono),
            When::Late(days) => due.max(mono) + days * 86_400_000_000,
            When::Back(us) => mono.saturating_sub(us),
        };
        self.now = Now::new(next, self.now.wall.0 + (next.saturating_sub(mono) / 1000) as i64);
    }

    fn feed(&mut self, input: Input) {
        self.hub.handle(self.now, input.clone());
        let mut outputs = drain(&mut self.hub);
        if self.drops_notes {
            outputs.retain(|output| !matches!(output, Output::Note(_)));
        }
        match &input {
            Input::Link { epoch, event } if *epoch == self.epoch => match event {
                LinkEvent::Opened if self.opening => (self.opening, self.open) = (false, true),
                LinkEvent::OpenFailed if self.opening => self.opening = false,
                LinkEvent::Closed => self.lost(),
                _ => {}
            },
            _ => {}
        }
        for output in &outputs {
            self.carry_out(output);
        }
        self.moments.push(Moment { now: self.now, input, outputs });
    }

    fn lost(&mut self) {
        (self.opening, self.open) = (false, false);
        self.pings.clear();
        self.unflushed.clear();
    }

    fn carry_out(&mut self, output: &Output) {
        match output {
            Output::Open { epoch, .. } => {
                self.lost();
                (self.epoch, self.opening) = (*epoch, true);
            }
            Output::Write { message, .. } => self.unflushed.push_back(message.bytes()),
            Output::Ping { number, .. } => self.pings.push(*number),
            Output::Close { .. } => self.lost(),
            Output::JoinRefused { module } => self.joined.retain(|joined| joined != module),
            _ => self.disk.observe(output),
        }
    }
}
