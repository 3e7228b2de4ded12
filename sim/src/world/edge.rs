//! One node: a hub, the driver around it, its clocks, and its modules.

use super::clock::Clock;
use super::dial::DialPlan;
use super::module::Module;
use super::network::{LinkId, Side};
use super::store::Store;
use super::stream::Conduct;
use super::{Event, World};
use crate::canary;
use crate::chance::{For, Salt};
use crate::checks::{Broken, EdgeChecks, Outcome};
use crate::faults;
use crate::flight::Flight;
use edgehub_core::cloud::NodeName;
use edgehub_core::config::Lane;
use edgehub_core::journal::Purpose;
use edgehub_core::{Config, Hub, Input, Instant, ModuleId, Now, Output};
use std::collections::VecDeque;
use std::time::Duration;

/// A process that could not start is started again after this.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Endpoints of a node.
pub(crate) const ENDPOINTS_MAX: usize = 4;

/// Bytes under way in one direction, when nothing else is said.
const ROOM_BYTES: usize = 64 * 1024;

/// What is wrong with the node's driver at present.
#[derive(Debug, Default)]
pub(crate) struct DriverFaults {
    /// A tick comes so much too early, too late, or comes again, until then.
    pub(crate) ticks: Option<(TickFault, Duration, Instant)>,
    /// What the hub says is done so much later, until then.
    pub(crate) drains_late: Option<(Duration, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TickFault {
    Early,
    Late,
    Twice,
}

/// A crash to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crash {
    /// After so many inputs more.
    pub(crate) left: u64,
    /// … and so many after each further start.
    pub(crate) after: u64,
    /// The process is gone for so long.
    pub(crate) down: Duration,
    /// So many times.
    pub(crate) times: u64,
    /// The power goes with it, and so many bits rot meanwhile.
    pub(crate) power: Option<u64>,
}

/// A network on which UDP does not get through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Udp {
    pub(crate) until: Instant,
    /// For ever, if there is another lane.
    pub(crate) stays: bool,
    /// It says so at once.
    pub(crate) refused: bool,
    /// A handshake passes, and nothing after it.
    pub(crate) fades: bool,
}

impl Udp {
    fn is_blocked(self, now: Instant) -> bool {
        self.until > now || self.stays
    }
}

#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) name: NodeName,
    pub(crate) hub: Hub,
    pub(crate) config: Config,
    /// How often its process has started, less one.
    pub(crate) incarnation: u64,
    /// What its clocks showed then.
    began: Now,
    /// Its process does not run.
    pub(crate) down: bool,
    /// It will crash.
    pub(crate) crash: Option<Crash>,
    pub(crate) clock: Clock,
    pub(crate) modules: Vec<Module>,
    /// The link of the latest dial that got that far.
    pub(crate) link: Option<LinkId>,
    pub(crate) asleep_until: Instant,
    pub(crate) intake: bool,
    pub(crate) stopped: bool,
    pub(crate) next_module: u32,
    pub(super) next_receipt: u64,
    pub(crate) requests_ended: u64,
    pub(crate) driver: DriverFaults,
    /// What the hub has said and the driver has not done.
    pub(super) undone: VecDeque<Output>,
    pub(super) timer: Option<Instant>,
    /// How the next dials end.
    pub(crate) dials: VecDeque<DialPlan>,
    /// The endpoint of the latest dial.
    pub(crate) door: usize,
    /// Until when the node does not reach an endpoint, and whether nobody says so.
    pub(crate) doors: [(Instant, bool); ENDPOINTS_MAX],
    /// The lane of the latest dial.
    pub(crate) lane: Lane,
    /// What does not get through on the QUIC lane.
    pub(crate) udp: Udp,
    /// The node cannot reach anything until then.
    pub(crate) unreachable_until: Instant,
    /// The node's way to the cloud, and until when it is not as it should be.
    pub(crate) conduct: Conduct,
    pub(crate) conduct_until: Instant,
    pub(crate) usual: Conduct,
    pub(super) checks: EdgeChecks,
    pub(crate) store: Store,
    /// Its dead letters, on the same disk.
    pub(crate) letters: Store,
    /// The recording of the hub, if there is one.
    pub(super) flight: Option<Flight>,
}

impl Edge {
    pub(super) fn new(node: usize, config: &Config, salt: Salt) -> Edge {
        let usual = Conduct {
            latency: (Duration::ZERO, Duration::ZERO),
            rate: None,
            room: ROOM_BYTES,
            pieces: 0,
            gap: Duration::ZERO,
            every: None,
        };
        let mut clock = Clock::new(node);
        let now = clock.read(salt, Instant(0));
        Edge {
            name: NodeName::from(&*format!("edge-{node}")),
            hub: canary::hub(config.clone(), salt.draw(For::HubSeed, [node as u64, 0, 0]), now),
            config: config.clone(),
            incarnation: 0,
            began: now,
            down: false,
            crash: None,
            clock,
            modules: Module::all(),
            link: None,
            asleep_until: Instant(0),
            intake: true,
            stopped: false,
            next_module: 0,
            next_receipt: 0,
            requests_ended: 0,
            driver: DriverFaults::default(),
            undone: VecDeque::new(),
            timer: None,
            dials: VecDeque::new(),
            unreachable_until: Instant(0),
            door: 0,
            lane: Lane::WebSocket,
            udp: Udp::default(),
            doors: [(Instant(0), false); ENDPOINTS_MAX],
            conduct: usual,
            conduct_until: Instant(0),
            usual,
            checks: EdgeChecks::new(config),
            store: Store::new(Purpose::Messages, salt.draw(For::Disk, [node as u64, u64::MAX, 0])),
            letters: Store::new(Purpose::DeadLetters, salt.draw(For::Disk, [node as u64, u64::MAX, 1])),
            flight: None,
        }
    }

    /// What does not get through of a dial over this lane.
    pub(super) fn blocked(&self, lane: Lane, now: Instant) -> Option<Udp> {
        (lane == Lane::Quic && self.udp.is_blocked(now)).then_some(self.udp)
    }

    /// Its process is there and has not come to its end.
    pub(crate) fn runs(&self) -> bool {
        !self.down && !self.stopped
    }

    /// What it has on its disk.
    pub(crate) fn disks(&mut self) -> [&mut Store; 2] {
        [&mut self.store, &mut self.letters]
    }

    /// The number of a joined module's place, if it is still the same module.
    pub(super) fn place(&self, id: ModuleId) -> Option<usize> {
        self.modules.iter().position(|module| module.id == Some(id))
    }
}

impl World {
    /// The process is there: its first outputs, and its modules join.
    pub(super) fn begin_edge(&mut self, node: usize) -> Outcome {
        self.edges[node].usual.latency = (self.latency / 4, self.latency);
        let now = self.edges[node].began;
        if self.flights.is_some() {
            self.land_one(node);
            let edge = &mut self.edges[node];
            let seed = self.salt.draw(For::HubSeed, [node as u64, edge.incarnation, 0]);
            edge.flight = Some(Flight::begin(node, edge.name.as_str(), &edge.config, seed, now));
        }
        let edge = &mut self.edges[node];
        let outputs = edge.checks.begin(&mut edge.hub, now)?;
        if let Some(flight) = &mut edge.flight {
            flight.outputs(&outputs, &edge.hub, edge.checks.confirmed());
        }
        self.do_or_put_off(node, outputs)?;
        if !self.open_store(node)? {
            // A process that cannot trust what it reads does not run; whoever starts it tries again.
            self.log.transition(self.now, self.edges[node].name.as_str(), || "cannot read its journal");
            self.end_process(node, None);
            self.plan_in(START_AGAIN, Event::EdgeStarts { node });
            return Ok(());
        }
        (0..self.edges[node].modules.len()).try_for_each(|module| self.join(node, module))
    }

    /// Puts a node's recording to those that are complete.
    fn land_one(&mut self, node: usize) {
        if let (Some(flights), Some(mut flight)) = (&mut self.flights, self.edges[node].flight.take()) {
            flight.end();
            flights.push(flight);
        }
    }

    /// Ends every recording; returns them all.
    pub(crate) fn land(&mut self) -> Vec<Flight> {
        (0..self.edges.len()).for_each(|node| self.land_one(node));
        self.flights.take().unwrap_or_default()
    }

    /// Hands the hub an input, checks, and does what it says.
    pub(crate) fn edge_handle(&mut self, node: usize, input: Input) -> Outcome {
        let World { edges, salt, now: world_now, log, arrivals, .. } = self;
        let edge = &mut edges[node];
        if edge.down {
            return Ok(());
        }
        let now = edge.clock.read(*salt, *world_now);
        if let Some(flight) = &mut edge.flight {
            flight.input(now, &input, &edge.hub);
        }
        let described = log.keeps_everything().then(|| format!("{input:?}"));
        let outputs =
            edge.checks.handle(&mut edge.hub, now, input).map_err(|broken| broken.about(&edge.name))?;
        if let Some(flight) = &mut edge.flight {
            flight.outputs(&outputs, &edge.hub, edge.checks.confirmed());
        }
        if let Some(input) = described {
            log.detail(*world_now, edge.name.as_str(), || format!("{input} → {outputs:?}"));
        }
        // What a pong confirms must have reached the cloud.
        if let Some(key) = edge.checks.confirmed().iter().find(|key| !arrivals.contains(node, **key)) {
            return Err(Broken::new(
                "end to end",
                "never-came",
                format!("message {key:x} is confirmed, and never came ({})", edge.name),
            ));
        }
        arrivals.confirmed(node, edge.checks.confirmed());
        if let Some(crash) = &mut edge.crash {
            if crash.left == 0 {
                let crash = *crash;
                self.crash_edge(node, crash);
                return Ok(());
            }
            crash.left -= 1;
        }
        self.do_or_put_off(node, outputs)
    }

    /// The process is gone between an input and what was to be done about it, with everything that it held.
    fn crash_edge(&mut self, node: usize, crash: Crash) {
        self.log.transition(self.now, self.edges[node].name.as_str(), || "crashes");
        self.took_effect(if crash.power.is_some() { &faults::disk::POWER } else { &faults::edge::CRASH });
        self.end_process(node, Some(crash.power));
        let times = crash.times.saturating_sub(1);
        self.edges[node].crash = (times > 0).then_some(Crash { left: crash.after, times, ..crash });
        self.plan_in(crash.down, Event::EdgeStarts { node });
    }

    /// The process ends without a word; what was promised by then, if anything was, is looked at after the next start.
    fn end_process(&mut self, node: usize, crash: Option<Option<u64>>) {
        self.arrivals.process_over(node);
        let edge = &mut self.edges[node];
        if let Some(power) = crash {
            edge.store.crash(edge.checks.promised(), power);
            edge.letters.crash(edge.letters.held(), power);
        }
        edge.down = true;
        edge.undone.clear();
        edge.timer = None;
        for module in &mut edge.modules {
            module.id = None;
        }
        let incarnation = edge.incarnation;
        if let Some(id) = edge.link.take() {
            let link = self.network.link_mut(id);
            if link.edge != Side::Closed && link.incarnation == incarnation {
                link.edge = Side::Closed;
                self.cut(id);
            }
        }
    }

    /// The process starts again, with nothing that it held.
    pub(super) fn edge_starts(&mut self, node: usize) -> Outcome {
        let salt = self.salt;
        let now = self.edges[node].clock.read_anew(salt, self.now);
        let config = self.edge_config.clone();
        let edge = &mut self.edges[node];
        if !edge.down || edge.stopped {
            return Ok(());
        }
        edge.incarnation += 1;
        edge.began = now;
        edge.down = false;
        edge.intake = true;
        edge.hub =
            canary::hub(config.clone(), salt.draw(For::HubSeed, [node as u64, edge.incarnation, 0]), now);
        edge.checks = EdgeChecks::new(&config);
        edge.config = config;
        self.begin_edge(node)
    }

    /// A machine sleeps: nothing happens there until it wakes. Whether it sleeps longer than it did anyway.
    pub(crate) fn put_to_sleep(&mut self, node: usize, length: Duration) -> bool {
        let until = self.now + length;
        let edge = &mut self.edges[node];
        self.slept += until.since(edge.asleep_until.max(self.now));
        let longer = edge.asleep_until < until;
        edge.asleep_until = edge.asleep_until.max(until);
        self.queue.plan(until, Event::Tick { node, sure: true });
        longer
    }
}
