//! One node: a hub, the driver around it, and its modules.

use super::module::Module;
use super::network::{Frame, LinkId, Side, Way};
use super::{Event, World, wall};
use crate::canary;
use crate::checks::{EdgeChecks, Outcome};
use crate::dice::Dice;
use crate::plan::Plan;
use edgehub_core::cloud::NodeName;
use edgehub_core::{Hub, Input, Instant, LinkEvent, ModuleId, Note, Output, Violation};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) name: NodeName,
    pub(crate) hub: Hub,
    pub(crate) modules: Vec<Module>,
    /// The link of the latest dial that got that far.
    pub(crate) link: Option<LinkId>,
    pub(crate) asleep_until: Instant,
    pub(crate) wall_skew_ms: i64,
    pub(crate) intake: bool,
    pub(crate) stopped: bool,
    pub(crate) next_module: u32,
    pub(crate) requests_ended: u64,
    timer: u64,
    checks: EdgeChecks,
}

impl Edge {
    pub(super) fn new(node: usize, plan: &Plan, dice: &mut Dice) -> Edge {
        Edge {
            name: NodeName::from(&*format!("edge-{node}")),
            hub: canary::hub(plan.edge.clone(), dice.seed(), wall(Instant(0), 0)),
            modules: Module::all(),
            link: None,
            asleep_until: Instant(0),
            wall_skew_ms: 0,
            intake: true,
            stopped: false,
            next_module: 0,
            requests_ended: 0,
            timer: 0,
            checks: EdgeChecks::new(&plan.edge),
        }
    }

    /// The number of a joined module's place, if it is still the same module.
    pub(super) fn place(&self, id: ModuleId) -> Option<usize> {
        self.modules.iter().position(|module| module.id == Some(id))
    }
}

impl World {
    pub(super) fn begin_edge(&mut self, node: usize) -> Outcome {
        let now = self.clock(0);
        let edge = &mut self.edges[node];
        let outputs = edge.checks.begin(&mut edge.hub, now)?;
        self.carry_out(node, outputs)?;
        for module in 0..self.edges[node].modules.len() {
            self.join(node, module)?;
            self.plan_in(Duration::ZERO, Event::ModuleActs { node, module });
        }
        Ok(())
    }

    /// Hands the hub an input, checks, and does what it says.
    pub(super) fn edge_handle(&mut self, node: usize, input: Input) -> Outcome {
        let now = self.clock(self.edges[node].wall_skew_ms);
        let edge = &mut self.edges[node];
        let described = self.log.keeps_everything().then(|| format!("{input:?}"));
        let outputs =
            edge.checks.handle(&mut edge.hub, now, input).map_err(|what| format!("{}: {what}", edge.name))?;
        if let Some(input) = described {
            self.log.detail(self.now, edge.name.as_str(), || format!("{input} → {outputs:?}"));
        }
        self.confirmed(node)?;
        self.carry_out(node, outputs)
    }

    /// What a pong confirms must have reached the cloud.
    fn confirmed(&self, node: usize) -> Outcome {
        let edge = &self.edges[node];
        match edge.checks.confirmed().iter().find(|id| !self.cloud.arrivals.contains(node, id)) {
            Some(id) => Err(format!("{}: {id} is confirmed, and the cloud never saw it", edge.name)),
            None => Ok(()),
        }
    }

    fn carry_out(&mut self, node: usize, outputs: Vec<Output>) -> Outcome {
        for output in outputs {
            match output {
                Output::Open { epoch } => {
                    self.edges[node].link = None;
                    self.dial(node, epoch);
                }
                Output::Write { message, .. } => self.write_up(node, Frame::Message(message)),
                Output::Ping { number, .. } => self.write_up(node, Frame::Ping(number)),
                Output::Pause { .. } => self.hold(node, true),
                Output::Resume { .. } => self.hold(node, false),
                Output::Close { epoch } => self.close_from_edge(node, epoch),
                Output::Intake { open } => self.edges[node].intake = open,
                Output::Deliver { module, message, answer } => self.deliver(node, module, message, answer),
                Output::JoinRefused { module } => {
                    if !self.edges[node].stopped {
                        return Err(format!("{module:?} may not join"));
                    }
                }
                Output::Stopped => self.edges[node].stopped = true,
                Output::Note(note) => self.take_note(node, &note),
            }
        }
        if let Some(link) = self.edges[node].link {
            self.send(link, Way::Up);
        }
        self.set_timer(node);
        Ok(())
    }

    fn take_note(&mut self, node: usize, note: &Note) {
        let edge = &mut self.edges[node];
        edge.requests_ended += u64::from(matches!(note, Note::SyncEnded { .. }));
        if !matches!(note, Note::RoundTrip { .. }) {
            self.log.transition(self.now, edge.name.as_str(), || format!("{note:?}"));
        }
    }

    fn write_up(&mut self, node: usize, frame: Frame) {
        if let Some(link) = self.edges[node].link {
            self.network.link_mut(link).up.write(frame);
        }
    }

    /// Stops reading, or goes on.
    fn hold(&mut self, node: usize, held: bool) {
        if let Some(link) = self.edges[node].link {
            self.network.link_mut(link).down.held = held;
            self.send(link, Way::Down);
        }
    }

    fn set_timer(&mut self, node: usize) {
        let chances = &self.plan.chances;
        let late = self.dice.chance(chances.late_tick);
        if self.dice.chance(chances.spurious_tick) {
            let delay = self.dice.millis(0, 1_000);
            self.plan_in(delay, Event::Spurious { node });
        }
        let Some(deadline) = self.edges[node].hub.next_deadline() else { return };
        let delay = if late { self.dice.millis(1, 2_000) } else { Duration::ZERO };
        let edge = &mut self.edges[node];
        edge.timer += 1;
        self.queue.plan(deadline.at.max(self.now) + delay, Event::Tick { node, number: edge.timer });
    }

    pub(super) fn tick(&mut self, node: usize, number: u64) -> Outcome {
        if number != self.edges[node].timer {
            return Ok(());
        }
        self.edge_handle(node, Input::Tick)
    }

    /// A tick that nobody asked for, on top of the one that somebody did.
    pub(super) fn spurious_tick(&mut self, node: usize) -> Outcome {
        self.edge_handle(node, Input::Tick)
    }

    pub(super) fn arrives_at_edge(&mut self, id: LinkId, frame: Frame) -> Outcome {
        let malformed = self.dice.chance(self.plan.chances.malformed);
        let link = self.network.link_mut(id);
        let (node, epoch) = (link.node, link.epoch);
        let closed = link.edge == Side::Closed;
        let event = match frame {
            Frame::Message(message) => LinkEvent::Received(message),
            Frame::Pong(number) => LinkEvent::Pong(number),
            // The driver's library answers pings.
            Frame::Ping(_) => return Ok(()),
            Frame::Close => {
                link.edge = Side::Closed;
                LinkEvent::Closed
            }
        };
        if closed {
            return self.late(node, epoch, event);
        }
        self.edge_handle(node, Input::Link { epoch, event })?;
        if malformed && self.network.link(id).edge == Side::Open {
            let violation = self.some_violation();
            self.edge_handle(node, Input::Link { epoch, event: LinkEvent::Malformed(violation) })?;
        }
        Ok(())
    }

    pub(super) fn some_violation(&mut self) -> Violation {
        let all = [Violation::Empty, Violation::Truncated, Violation::NotJson { at: 1 }, Violation::Framing];
        all[self.dice.index(all.len())]
    }
}
