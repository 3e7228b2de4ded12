//! An edge hub, a CloudHub, and the link between them as two queues.

mod link;
mod people;

use crate::checks::{Broken, CloudChecks, EdgeChecks};
use crate::faithful::Faithful;
use crate::key;
use edgehub_core::class::Classes;
use edgehub_core::cloud::{CloudConfig, CloudHub, CloudInput, CloudOutput, ConnectionId};
use edgehub_core::config::{LaneChoice, Probe, Rate};
use edgehub_core::hub::LinkState;
use edgehub_core::journal::EntryNumber;
use edgehub_core::{Config, Hub, Input, Instant, LinkEpoch, LinkEvent, Message, Now, Output, Profile};
use link::Link;
use people::People;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Both machines and their drivers. After a rule did not hold, nothing happens any more.
#[derive(Debug)]
pub(super) struct Pair {
    config: Config,
    cloud_config: CloudConfig,
    now: Instant,
    hub: Hub,
    checks: EdgeChecks,
    cloud: CloudHub,
    cloud_checks: CloudChecks,
    connections: u64,
    /// The link that the hub asked for and has no word of yet.
    dialled: Option<LinkEpoch>,
    link: Option<Link>,
    old: Option<LinkEpoch>,
    people: People,
    disk: Faithful,
    /// Ids that have reached the cloud.
    arrived: BTreeSet<u64>,
    /// The latest number of each sender that has.
    latest: BTreeMap<String, u64>,
    stopped: bool,
    /// The clocks are so far back, in microseconds.
    back: u64,
    /// Inputs that either machine was told so far.
    pub(super) told: u64,
    /// The rule that did not hold.
    pub(super) wrong: Option<String>,
}

/// Settings from two bytes: small limits in half of all runs, since large ones are not reached.
fn config(settings: &[u8]) -> Config {
    let [first, second] = [0, 1].map(|at| settings.get(at).copied().unwrap_or_default());
    let bit = |byte: u8, at: u8| byte >> at & 1 == 1;
    Config {
        profile: if bit(first, 0) { Profile::Classic } else { Profile::Current },
        rate: if bit(first, 1) { Some(Rate { per_second: 2, burst: 3 }) } else { None },
        outbox_messages: if bit(first, 2) { 8 } else { 8192 },
        outbox_bytes: if bit(first, 3) { 3000 } else { 1 << 24 },
        barrier_messages: u32::from(first >> 4) + 1,
        ping_misses: u32::from(second & 3) + 1,
        sync_timeout: Duration::from_secs(u64::from(second >> 2 & 7) * 5 + 1),
        stall_limit: Duration::from_secs(if bit(second, 5) { 3 } else { 30 }),
        backoff_max: Duration::from_secs(10),
        classes: if bit(second, 6) { kept(bit(second, 7)) } else { Classes::default() },
        spool_above: if bit(second, 7) { 300 } else { Config::default().spool_above },
        ..Config::default()
    }
}

/// Everything is stored; with `letters` what is dropped becomes a dead letter.
fn kept(letters: bool) -> Classes {
    let mut classes = Classes::default();
    for class in &mut classes.classes {
        (class.persistent, class.dead_letters) = (true, letters);
    }
    classes
}

impl Pair {
    pub(super) fn new(settings: &[u8]) -> Pair {
        let config = config(settings);
        let cloud_config = CloudConfig { sends_max: 3, ..CloudConfig::default() };
        let mut pair = Pair {
            now: Instant(0),
            hub: Hub::new(config.clone(), 7, Now::default()),
            checks: EdgeChecks::new(&config),
            cloud: CloudHub::new(cloud_config.clone(), 8, Now::default()),
            cloud_checks: CloudChecks::new(&cloud_config, Now::default()),
            config,
            cloud_config,
            connections: 0,
            dialled: None,
            link: None,
            old: None,
            people: People::default(),
            disk: Faithful::default(),
            arrived: BTreeSet::new(),
            latest: BTreeMap::new(),
            stopped: false,
            back: 0,
            told: 0,
            wrong: None,
        };
        let began = pair.checks.begin(&mut pair.hub, Now::default());
        pair.carry_out(began);
        Faithful::opened(EntryNumber(1)).into_iter().for_each(|input| pair.tell(input));
        for module in 0..people::MODULES.len() as u8 {
            pair.module_comes_or_goes(module);
        }
        pair
    }

    fn clock(&self) -> Now {
        let now = self.now.0.saturating_sub(self.back);
        Now::new(now, (now / 1000) as i64)
    }

    pub(super) fn tell(&mut self, input: Input) {
        if self.wrong.is_none() {
            self.told += 1;
            let now = self.clock();
            let outputs = self.checks.handle(&mut self.hub, now, input);
            let lost = self.checks.confirmed().iter().find(|id| !self.arrived.contains(*id));
            let lost = lost.map(|id| format!("the message of key {id:016x} is confirmed, and never arrived"));
            self.carry_out(outputs);
            self.wrong = self.wrong.take().or(lost);
        }
    }

    fn tell_link(&mut self, event: LinkEvent) {
        if let Some(epoch) = self.link.as_ref().map(|link| link.epoch) {
            self.tell(Input::Link { epoch, event });
        }
    }

    fn carry_out(&mut self, outputs: Result<Vec<Output>, Broken>) {
        match outputs {
            Ok(outputs) => outputs.into_iter().for_each(|output| self.carry_out_one(output)),
            Err(broken) => self.wrong = Some(broken.to_string()),
        }
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::Open { epoch, .. } => self.dialled = Some(epoch),
            Output::Close { epoch } => {
                self.dialled = self.dialled.filter(|&dialled| dialled != epoch);
                self.edge_closed();
            }
            Output::Stopped => self.stopped = true,
            Output::Deliver { module, message, answer } => self.people.delivered(module, message, answer),
            Output::JoinRefused { module } if !self.stopped => {
                self.wrong = Some(format!("{module:?} may not join"));
            }
            Output::Intake { open } => self.people.intake = open,
            Output::Store { .. } | Output::Forget { .. } | Output::Fetch { .. } | Output::Bury { .. } => {
                self.disk.observe(&output);
            }
            output => {
                if let Some(link) = &mut self.link {
                    link.carry_out(output);
                }
            }
        }
    }

    pub(super) fn tell_cloud(&mut self, input: CloudInput) {
        if self.wrong.is_some() {
            return;
        }
        self.told += 1;
        let now = self.clock();
        match self.cloud_checks.handle(&mut self.cloud, now, input) {
            Ok(outputs) => outputs.into_iter().for_each(|output| self.carry_out_for_cloud(output)),
            Err(broken) => self.wrong = Some(broken.to_string()),
        }
    }

    fn carry_out_for_cloud(&mut self, output: CloudOutput) {
        match output {
            CloudOutput::Write { connection, message } => {
                if let Some(link) = self.link.as_mut().filter(|link| link.connection == connection) {
                    link.cloud_writes(message);
                }
            }
            CloudOutput::Close { connection, .. } => {
                if let Some(link) = self.link.as_mut().filter(|link| link.connection == connection) {
                    link.cloud_closes();
                }
            }
            CloudOutput::Upstream { message, .. } => self.people.asked(&message),
            CloudOutput::Acknowledged { .. } | CloudOutput::Note(_) => {}
        }
    }

    /// A message reached the cloud: never one of a sender behind a later one of the same sender, the first time.
    fn arrives_at_cloud(&mut self, message: &Message) {
        let id = message.msg_id();
        if !self.arrived.insert(key::of(id)) {
            return;
        }
        let Some((sender, number)) = id.rsplit_once('/') else { return };
        let number = number.parse().unwrap_or_default();
        if let Some(before) =
            self.latest.insert(sender.to_string(), number).filter(|&before| before >= number)
        {
            self.wrong = Some(format!("order: {id} arrives after number {before}"));
        }
    }

    /// Time passes, by the byte: none, a little, much, or to just before, at or after a deadline of either machine.
    pub(super) fn pass(&mut self, pause: u8) {
        let left = |at: Option<Instant>| at.map_or(0, |at| at.0.saturating_sub(self.now.0));
        let edge = left(self.hub.next_deadline().map(|deadline| deadline.at));
        let cloud = left(self.cloud.next_deadline().map(|deadline| deadline.at));
        self.now.0 += match pause {
            0..64 => 0,
            64..128 => u64::from(pause - 63) * 1_000,
            128..160 => u64::from(pause - 127) * 1_000_000,
            160..164 => edge.saturating_sub(1),
            164..220 => edge,
            220..224 => edge + 1,
            224..250 => cloud,
            _ => 600_000_000,
        };
        if pause >= 160 {
            self.tick();
        }
    }

    /// The disk has done what it was told by now.
    fn disk_answers(&mut self) -> usize {
        let mut answers = 0;
        while let Some(input) = self.disk.answer() {
            answers += 1;
            self.tell(input);
        }
        answers
    }

    pub(super) fn tick(&mut self) {
        self.disk_answers();
        self.tell(Input::Tick);
        if self.cloud.next_deadline().is_some_and(|deadline| deadline.at <= self.now) {
            self.tell_cloud(CloudInput::Tick);
        }
    }

    pub(super) fn cloud_restarts(&mut self) {
        self.cloud = CloudHub::new(self.cloud_config.clone(), self.connections, self.clock());
        self.cloud_checks = CloudChecks::new(&self.cloud_config, self.clock());
        self.cut(0);
    }

    fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    pub(super) fn reconfigure(&mut self, argument: u8) {
        let other = config(&[argument, !argument]);
        let Config { backoff_max, probe, endpoints, lanes, .. } = self.config.clone();
        // What is kept for the end: a world that cannot heal in time proves nothing. How the cloud is reached is changed elsewhere.
        self.config = Config { backoff_max, probe, endpoints, lanes, ..other };
        self.tell(Input::Reconfigure(Box::new(self.config.clone())));
    }

    /// Another way to the cloud: with a probe or without, over other endpoints, over another lane.
    pub(super) fn reach_otherwise(&mut self, argument: u8) {
        let (after, limit) = (Duration::from_secs(10), Duration::from_secs(5));
        self.config.probe = (argument & 1 == 1).then(|| Probe { after, limit, ..Probe::default() });
        self.config.endpoints.weights = (1..=u32::from(argument >> 1 & 3) + 1).collect();
        self.config.endpoints.return_after = Duration::from_secs(20);
        self.config.lanes.choice =
            [LaneChoice::WebSocket, LaneChoice::Auto, LaneChoice::Quic][usize::from(argument >> 3) % 3];
        self.tell(Input::Reconfigure(Box::new(self.config.clone())));
    }

    /// The clocks go back for one moment, in which something is looked at.
    pub(super) fn clock_goes_back(&mut self, argument: u8) {
        self.back = u64::from(argument) * 50_000;
        self.tick();
        self.back = 0;
    }

    pub(super) fn certificate_is_renewed(&mut self) {
        self.tell(Input::Renewed);
    }

    /// Links that came up so far.
    pub(super) fn links(&self) -> u64 {
        self.hub.account().links
    }

    pub(super) fn shut_down(&mut self) {
        self.tell(Input::Shutdown);
    }

    /// Nothing goes wrong any more; in time, nothing may wait any more.
    pub(super) fn heal(&mut self, within: Duration) {
        let end = self.now + within;
        // A hub that does not ask would keep a link without a session for ever.
        let asks = self.config.probe.is_some();
        if self.link.as_ref().is_some_and(|link| link.silent || link.is_zombie() && !asks) {
            self.cut(0);
        }
        self.everybody_is_there();
        while self.wrong.is_none() {
            self.settle();
            let Some(why) = self.out_of_order() else { return };
            if self.now >= end {
                self.wrong = Some(format!("liveness: {within:?} after the last fault {why}"));
            }
            let edge = self.hub.next_deadline().map(|deadline| deadline.at);
            let cloud = self.cloud.next_deadline().map(|deadline| deadline.at);
            self.now = edge.into_iter().chain(cloud).min().unwrap_or(end).clamp(self.now, end);
            self.tick();
        }
    }

    /// Does all that can be done at this instant.
    fn settle(&mut self) {
        loop {
            self.dial_ends(true);
            self.edge_flushes(usize::MAX);
            self.cloud_flushes(usize::MAX);
            for module in 0..people::MODULES.len() as u8 {
                self.module_takes(module | 0x80);
                self.module_acknowledges(module);
            }
            let moved = self.up_arrives(usize::MAX) + self.down_arrives(usize::MAX) + self.disk_answers();
            if moved == 0 || self.wrong.is_some() {
                return;
            }
        }
    }

    fn out_of_order(&self) -> Option<String> {
        if self.stopped {
            return None;
        }
        let (account, deadline) = (self.hub.account(), self.hub.next_deadline());
        let requests = self.hub.pending_requests();
        if self.hub.link_state() != LinkState::Up {
            return Some(format!("the link is {:?}, waiting for {deadline:?}", self.hub.link_state()));
        }
        if account.up.pending + account.down.pending + requests as u64 > 0 || !self.people.intake {
            return Some(format!("{account:?} and {requests} requests wait for {deadline:?}"));
        }
        let waiting = self.cloud.account().down.pending;
        (waiting > 0).then(|| format!("CloudHub holds {waiting} messages"))
    }
}
