//! Makes runs: a strategy of plausible and hostile steps, and a driver that turns them into legal inputs.
//!
//! A step says what to do *next* (“answer the second waiting request”), and the driver, which knows from the outputs
//! which link is current and which pings are on their way, makes the input of it. It never reads a note: law 7 is how it
//! works. What comes out is a [`Run`], the list of `(now, input)` with the outputs of each.

use edgehub_core::config::{Profile, Rate};
use edgehub_core::violation::Violation;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Now, Output,
    UnixMillis,
};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// The wall clock at the start of every run.
pub(crate) const WALL: i64 = 1_700_000_000_000;

/// When a step happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// At the same instant as the step before.
    Same,
    /// So many microseconds later.
    Plus(u64),
    /// When the hub wants it.
    Deadline,
    /// One microsecond before.
    JustBefore,
    /// Days late.
    Late(u64),
    /// The clock goes back by so many microseconds.
    Back(u64),
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Tick,
    /// What a good link does next: opens, or takes everything written and answers the last ping.
    Serve,
    Opened,
    OpenFailed,
    Closed,
    /// Takes so many of the messages that were written.
    Flush(usize),
    FlushTooMuch,
    /// Answers the so-many-th ping of those on their way.
    Pong(usize),
    PongOfNothing(u64),
    Receive(Downstream),
    /// Answers the so-many-th request that ever left.
    Answer {
        request: usize,
        group: usize,
        error: bool,
    },
    Malformed(usize),
    /// An event of another link: `back` generations ago, or of the future.
    Stale {
        back: u64,
        event: usize,
    },
    Join {
        name: usize,
        groups: u8,
        credit: u32,
    },
    Leave(usize),
    Send(Upstream),
    /// Many at once.
    Flood {
        module: usize,
        messages: usize,
        size: usize,
    },
    /// Many at once, the other way.
    Torrent {
        messages: usize,
        size: usize,
    },
    Ready {
        module: usize,
        credit: u32,
    },
    Shutdown,
    Reconfigure(usize),
}

/// A message from the cloud that answers nothing.
#[derive(Debug, Clone)]
pub(crate) struct Downstream {
    group: usize,
    source: usize,
    operation: usize,
    parent: bool,
    size: usize,
}

/// A message of a module.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    module: usize,
    destination: usize,
    operation: usize,
    sync: bool,
    same_id: bool,
    size: usize,
    timeout_ms: Option<u64>,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) when: When,
    /// A jump of the wall clock, in milliseconds.
    pub(crate) wall: i64,
    pub(crate) act: Act,
}

/// A generated run, before it has run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) config: usize,
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
}

pub(crate) const GROUPS: [&str; 7] = ["resource", "func", "twin", "user", "taskmanager", "nosuch", ""];
const SOURCES: [&str; 4] = ["router_eventbus", "router_servicebus", "edgecontroller", "nobody"];
const DOWN_OPERATIONS: [&str; 7] = ["insert", "update", "response", "error", "ping", "pong", "config"];
const UP_OPERATIONS: [&str; 5] = ["update", "query", "response", "keepalive", "ping"];
const DESTINATIONS: [&str; 5] = ["websocket", "", "hub", "edged", "edgehub"];
pub(crate) const NAMES: [&str; 6] = ["metamanager", "twin", "eventbus", "servicebus", "taskmanager", "edged"];
const MODULE_GROUPS: [&str; 5] = ["meta", "twin", "bus", "taskmanager", "other"];

/// Configurations worth a run: KubeEdge's own, a small and hasty one, one that allows almost nothing, one of zeros.
pub(crate) fn config(which: usize) -> Config {
    let ms = Duration::from_millis;
    match which % 5 {
        0 => Config::default(),
        1 => Config::classic(),
        2 => Config {
            heartbeat: ms(40),
            ping_interval: ms(10),
            ping_misses: 1,
            barrier_messages: 3,
            barrier_after: ms(2),
            backoff_base: ms(200),
            sync_timeout: ms(30),
            stall_limit: ms(50),
            rate: Some(Rate { per_second: 100, burst: 5 }),
            outbox_messages: 20,
            outbox_bytes: 4000,
            ..Config::default()
        },
        3 => Config { rate: None, outbox_messages: 600, outbox_bytes: 200_000, ..Config::default() },
        _ => Config {
            profile: Profile::Classic,
            heartbeat: Duration::ZERO,
            ping_interval: Duration::ZERO,
            ping_misses: 0,
            barrier_messages: 0,
            barrier_after: Duration::ZERO,
            open_timeout: Duration::ZERO,
            backoff_base: Duration::ZERO,
            backoff_max: Duration::ZERO,
            stable_after: Duration::ZERO,
            sync_timeout: Duration::ZERO,
            rate: Some(Rate { per_second: 0, burst: 0 }),
            outbox_messages: 0,
            outbox_bytes: 0,
            stall_limit: Duration::ZERO,
            shutdown_grace: Duration::ZERO,
        },
    }
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => Just(When::Same),
        6 => (0u64..2_000_000).prop_map(When::Plus),
        4 => Just(When::Deadline),
        2 => Just(When::JustBefore),
        1 => (1u64..10).prop_map(When::Late),
        1 => (1u64..100_000_000).prop_map(When::Back),
    ]
}

fn upstream() -> impl Strategy<Value = Upstream> {
    let timeout = prop_oneof![4 => Just(None), 1 => (0u64..5_000).prop_map(Some)];
    (0usize..8, 0usize..8, 0usize..5, any::<bool>(), 0u8..12, 0usize..400, timeout).prop_map(
        |(module, destination, operation, sync, same_id, size, timeout_ms)| Upstream {
            module,
            // Mostly to the cloud.
            destination: if destination < 5 { destination } else { 0 },
            operation,
            sync,
            same_id: same_id == 0,
            size,
            timeout_ms,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let receive = (0usize..7, 0usize..4, 0usize..7, any::<bool>(), 0usize..400).prop_map(
        |(group, source, operation, parent, size)| {
            Act::Receive(Downstream { group, source, operation, parent, size })
        },
    );
    let credit = prop_oneof![Just(0u32), 1u32..5, Just(1_000_000)];
    prop_oneof![
        10 => Just(Act::Tick),
        16 => Just(Act::Serve),
        2 => Just(Act::Opened),
        1 => Just(Act::OpenFailed),
        2 => Just(Act::Closed),
        5 => (0usize..10).prop_map(Act::Flush),
        1 => Just(Act::FlushTooMuch),
        5 => (0usize..4).prop_map(Act::Pong),
        1 => any::<u64>().prop_map(Act::PongOfNothing),
        14 => receive,
        8 => (0usize..20, 0usize..7, any::<bool>())
            .prop_map(|(request, group, error)| Act::Answer { request, group, error }),
        1 => (0usize..4).prop_map(Act::Malformed),
        3 => (0u64..4, 0usize..7).prop_map(|(back, event)| Act::Stale { back, event }),
        9 => (0usize..6, any::<u8>(), credit.clone())
            .prop_map(|(name, groups, credit)| Act::Join { name, groups, credit }),
        1 => (0usize..8).prop_map(Act::Leave),
        24 => upstream().prop_map(Act::Send),
        1 => (0usize..8, 1usize..700, 0usize..300)
            .prop_map(|(module, messages, size)| Act::Flood { module, messages, size }),
        1 => (1usize..700, 0usize..300).prop_map(|(messages, size)| Act::Torrent { messages, size }),
        5 => (0usize..8, credit).prop_map(|(module, credit)| Act::Ready { module, credit }),
        1 => Just(Act::Shutdown),
        1 => (0usize..5).prop_map(Act::Reconfigure),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wall = prop_oneof![12 => Just(0i64), 1 => -10_000_000_000i64..10_000_000_000];
    (when(), wall, act()).prop_map(|(when, wall, act)| Step { when, wall, act })
}

/// Runs of up to `longest` steps, after two that make most of them meaningful.
pub(crate) fn plan(longest: usize) -> impl Strategy<Value = Plan> {
    let opening = [
        Act::Join { name: 0, groups: 0b00001, credit: 1_000_000 },
        Act::Join { name: 1, groups: 0b00110, credit: 2 },
        Act::Serve,
    ];
    let opening = opening.map(|act| Step { when: When::Plus(1_000), wall: 0, act });
    (0usize..5, any::<u64>(), any::<bool>(), prop::collection::vec(step(), 1..longest)).prop_map(
        move |(config, seed, settled, steps)| {
            let first = if settled { opening.to_vec() } else { Vec::new() };
            Plan { config, seed, steps: first.into_iter().chain(steps).collect() }
        },
    )
}

/// One input of a run, and what it led to.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) now: Now,
    pub(crate) input: Input,
    pub(crate) outputs: Vec<Output>,
}

/// A run that has run: what law after law looks at.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) config: Config,
    pub(crate) seed: u64,
    pub(crate) moments: Vec<Moment>,
}

/// The hub at the start of a run, and its first outputs.
pub(crate) fn start(config: &Config, seed: u64) -> Hub {
    Hub::new(config.clone(), seed, Now::new(1_000_000, WALL))
}

/// Takes everything that waits to be taken.
pub(crate) fn drain(hub: &mut Hub) -> Vec<Output> {
    std::iter::from_fn(|| hub.poll_output()).collect()
}

impl Run {
    /// Every input, without the outputs.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (Now, Input)> + '_ {
        self.moments.iter().map(|moment| (moment.now, moment.input.clone()))
    }

    /// Every output, in order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.moments.iter().flat_map(|moment| &moment.outputs)
    }
}

/// Feeds inputs to a new hub, draining after each.
pub(crate) fn replay(config: &Config, seed: u64, inputs: impl Iterator<Item = (Now, Input)>) -> Run {
    let mut hub = start(config, seed);
    drain(&mut hub);
    let moments = inputs
        .map(|(now, input)| {
            hub.handle(now, input.clone());
            Moment { now, input, outputs: drain(&mut hub) }
        })
        .collect();
    Run { config: config.clone(), seed, moments }
}

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
            Output::Open { epoch } => {
                self.lost();
                (self.epoch, self.opening) = (*epoch, true);
            }
            Output::Write { message, .. } => self.unflushed.push_back(message.bytes()),
            Output::Ping { number, .. } => self.pings.push(*number),
            Output::Close { .. } => self.lost(),
            Output::JoinRefused { module } => self.joined.retain(|joined| joined != module),
            _ => {}
        }
    }

    fn link(&self, event: LinkEvent) -> Vec<Input> {
        vec![Input::Link { epoch: self.epoch, event }]
    }

    fn flush(&mut self, messages: usize) -> LinkEvent {
        let messages = messages.min(self.unflushed.len());
        LinkEvent::Flushed { messages, bytes: self.unflushed.drain(..messages).sum() }
    }

    fn inputs_of(&mut self, act: &Act) -> Vec<Input> {
        match act {
            Act::Tick => vec![Input::Tick],
            Act::Serve => self.serve(),
            Act::Opened => self.link(LinkEvent::Opened),
            Act::OpenFailed => self.link(LinkEvent::OpenFailed),
            Act::Closed => self.link(LinkEvent::Closed),
            Act::Flush(messages) => {
                let event = self.flush(*messages);
                self.link(event)
            }
            Act::FlushTooMuch => self.link(LinkEvent::Flushed { messages: usize::MAX, bytes: usize::MAX }),
            Act::Pong(at) => match self.pings.get(*at).copied() {
                Some(number) => {
                    self.pings.drain(..=at);
                    self.link(LinkEvent::Pong(number))
                }
                None => vec![Input::Tick],
            },
            Act::PongOfNothing(number) => self.link(LinkEvent::Pong(*number)),
            Act::Receive(message) => {
                let message = self.downstream(message);
                self.link(LinkEvent::Received(message))
            }
            Act::Answer { request, group, error } => self.answer(*request, GROUPS[*group], *error),
            Act::Malformed(which) => self.link(LinkEvent::Malformed(
                [
                    Violation::Empty,
                    Violation::NotUtf8,
                    Violation::Framing,
                    Violation::FrameTooLarge { bytes: 1 << 30 },
                ][*which],
            )),
            Act::Stale { back, event } => self.stale(*back, *event),
            Act::Join { name, groups, credit } => vec![self.join(*name, *groups, *credit)],
            Act::Leave(module) => self.module(*module, ModuleEvent::Left),
            Act::Send(message) => self.send(message),
            Act::Flood { module, messages, size } => (0..*messages)
                .flat_map(|_| {
                    let message = self.message("update", "twin", "", *size, "websocket", false);
                    self.module(*module, ModuleEvent::Sent { message, timeout: None })
                })
                .collect(),
            Act::Torrent { messages, size } => (0..*messages)
                .flat_map(|_| {
                    let message = self.message("update", "twin", "", *size, "", false);
                    self.link(LinkEvent::Received(message))
                })
                .collect(),
            Act::Ready { module, credit } => self.module(*module, ModuleEvent::Ready { credit: *credit }),
            Act::Shutdown => vec![Input::Shutdown],
            Act::Reconfigure(which) => vec![Input::Reconfigure(Box::new(config(*which)))],
        }
    }

    fn serve(&mut self) -> Vec<Input> {
        if self.opening {
            return self.link(LinkEvent::Opened);
        }
        let flushed = self.flush(usize::MAX);
        let mut inputs = self.link(flushed);
        if let Some(number) = self.pings.pop() {
            self.pings.clear();
            inputs.extend(self.link(LinkEvent::Pong(number)));
        }
        inputs
    }

    fn stale(&mut self, back: u64, event: usize) -> Vec<Input> {
        let epoch = match back {
            0 => LinkEpoch(self.epoch.0 + 1),
            back => LinkEpoch(self.epoch.0.saturating_sub(back)),
        };
        let event = match event {
            0 => LinkEvent::Opened,
            1 => LinkEvent::OpenFailed,
            2 => LinkEvent::Closed,
            3 => LinkEvent::Pong(self.pings.first().copied().unwrap_or(1)),
            4 => LinkEvent::Flushed { messages: 1, bytes: 100 },
            5 => LinkEvent::Malformed(Violation::Framing),
            _ => LinkEvent::Received(self.message("insert", "resource", "", 10, "", false)),
        };
        vec![Input::Link { epoch, event }]
    }

    /// Module numbers are never used twice, names are.
    fn join(&mut self, name: usize, groups: u8, credit: u32) -> Input {
        let module = ModuleId(self.modules.len() as u32);
        self.modules.push(module);
        self.joined.push(module);
        let groups =
            MODULE_GROUPS.iter().enumerate().filter(|(at, _)| groups >> at & 1 == 1).map(|(_, &g)| g.into());
        let event = ModuleEvent::Joined { name: NAMES[name].into(), groups: groups.collect(), credit };
        Input::Module { module, event }
    }

    /// An event of a module: mostly of one that has joined, else of one that left or never came.
    fn module(&mut self, which: usize, event: ModuleEvent) -> Vec<Input> {
        let module = match (self.joined.len(), which) {
            (joined @ 1.., 0..=6) => self.joined[which % joined],
            _ => self.modules.get(which).copied().unwrap_or(ModuleId(9999)),
        };
        if event == ModuleEvent::Left {
            self.joined.retain(|&joined| joined != module);
        }
        vec![Input::Module { module, event }]
    }

    fn send(&mut self, upstream: &Upstream) -> Vec<Input> {
        if upstream.same_id {
            self.made = self.made.saturating_sub(1);
        }
        let operation = UP_OPERATIONS[upstream.operation];
        let destination = DESTINATIONS[upstream.destination];
        let message = self.message(operation, "meta", "", upstream.size, destination, upstream.sync);
        if upstream.sync {
            self.requests.push(message.clone());
        }
        let timeout = upstream.timeout_ms.map(Duration::from_millis);
        self.module(upstream.module, ModuleEvent::Sent { message, timeout })
    }

    fn answer(&mut self, request: usize, group: &str, error: bool) -> Vec<Input> {
        // The latest first: those still wait.
        let Some(at) = self.requests.len().checked_sub(request + 1) else { return vec![Input::Tick] };
        let request = self.requests[at].clone();
        let operation = if error { "error" } else { "response" };
        let message = self.message(operation, group, request.msg_id(), 20, "", false);
        self.link(LinkEvent::Received(message))
    }

    fn downstream(&mut self, message: &Downstream) -> Message {
        self.made += 1;
        let id = format!("m-{}", self.made);
        let content = text(message.size, self.made);
        let draft = Draft {
            msg_id: &id,
            parent_msg_id: if message.parent { "nobody-asked" } else { "" },
            timestamp: UnixMillis(5),
            source: SOURCES[message.source],
            group: GROUPS[message.group],
            operation: DOWN_OPERATIONS[message.operation],
            resource: "default/configmap/c",
            content: Content::Text(&content),
            ..Draft::default()
        };
        draft.encode().unwrap()
    }

    fn message(
        &mut self,
        operation: &str,
        group: &str,
        parent: &str,
        size: usize,
        destination: &str,
        sync: bool,
    ) -> Message {
        self.made += 1;
        let id = format!("m-{}", self.made);
        let content = text(size, self.made);
        let draft = Draft {
            msg_id: &id,
            parent_msg_id: parent,
            timestamp: UnixMillis(5),
            source: "edged",
            destination,
            group,
            operation,
            resource: "default/pod/p",
            sync,
            content: Content::Text(&content),
            ..Draft::default()
        };
        draft.encode().unwrap()
    }
}

/// A text of a length of its own, unlike the others.
fn text(size: usize, number: u64) -> String {
    let mut text = format!("{number}-");
    text.extend(std::iter::repeat_n('x', size));
    text
}
