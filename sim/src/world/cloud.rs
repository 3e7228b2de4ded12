//! CloudHub, the driver around it, and the cloud modules behind it.

use super::network::{Frame, LinkId, Side, Way};
use super::{Event, World};
use crate::checks::{CloudChecks, Outcome};
use crate::dice::Dice;
use crate::plan::Plan;
use edgehub_core::cloud::{CloudHub, CloudInput, CloudNote, CloudOutput, ConnectionId, Delivery, NodeName};
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, Message, Now};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) hub: CloudHub,
    pub(crate) up: bool,
    pub(crate) arrivals: Arrivals,
    checks: CloudChecks,
    connections: u64,
    sent: u64,
    timer: u64,
}

impl Cloud {
    pub(super) fn new(plan: &Plan, dice: &mut Dice, now: Now) -> Cloud {
        Cloud {
            hub: CloudHub::new(plan.cloud.clone(), dice.seed(), now),
            up: true,
            arrivals: Arrivals::default(),
            checks: CloudChecks::default(),
            connections: 0,
            sent: 0,
            timer: 0,
        }
    }

    pub(super) fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }
}

/// What has reached the cloud, by node and id, and in which order for the first time. It outlives a CloudHub.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    seen: BTreeSet<(usize, String)>,
    latest: BTreeMap<(usize, String), u64>,
}

impl Arrivals {
    pub(super) fn contains(&self, node: usize, id: &str) -> bool {
        self.seen.contains(&(node, id.to_string()))
    }

    fn arrived(&mut self, node: usize, message: &Message) -> Outcome {
        let id = message.msg_id();
        if !self.seen.insert((node, id.to_string())) {
            return Ok(());
        }
        let Some((source, number)) = id.rsplit_once('/') else { return Ok(()) };
        let number: u64 = number.parse().unwrap_or_default();
        match self.latest.insert((node, source.to_string()), number) {
            Some(before) if before >= number => {
                Err(format!("order: {id} of node {node} came after number {before}"))
            }
            _ => Ok(()),
        }
    }
}

impl World {
    pub(super) fn cloud_handle(&mut self, input: CloudInput) -> Outcome {
        let now = self.clock(0);
        let described = self.log.keeps_everything().then(|| format!("{input:?}"));
        let outputs = self.cloud.checks.handle(&mut self.cloud.hub, now, input)?;
        if let Some(input) = described {
            self.log.detail(self.now, "cloud", || format!("{input} → {outputs:?}"));
        }
        let mut touched = BTreeSet::new();
        for output in outputs {
            match output {
                CloudOutput::Write { connection, message } => {
                    if let Some(link) = self.network.of(connection) {
                        self.network.link_mut(link).down.write(Frame::Message(message));
                        touched.insert(link);
                    }
                }
                CloudOutput::Close { connection, reason } => {
                    self.log.transition(self.now, "cloud", || format!("closes {connection:?}: {reason:?}"));
                    if let Some(link) = self.network.of(connection) {
                        self.close_from_cloud(link);
                        touched.insert(link);
                    }
                }
                CloudOutput::Upstream { node, message } => self.dispatch(&node, &message),
                CloudOutput::Acknowledged { .. } | CloudOutput::Note(CloudNote::KeptAlive { .. }) => {}
                CloudOutput::Note(note) => self.log.transition(self.now, "cloud", || format!("{note:?}")),
            }
        }
        for link in touched {
            self.send(link, Way::Down);
        }
        self.set_cloud_timer();
        Ok(())
    }

    fn set_cloud_timer(&mut self) {
        let Some(deadline) = self.cloud.hub.next_deadline() else { return };
        self.cloud.timer += 1;
        let number = self.cloud.timer;
        self.queue.plan(deadline.at.max(self.now), Event::CloudTick { number });
    }

    pub(super) fn cloud_tick(&mut self, number: u64) -> Outcome {
        if number == self.cloud.timer && self.cloud.up { self.cloud_handle(CloudInput::Tick) } else { Ok(()) }
    }

    pub(super) fn arrives_at_cloud(&mut self, id: LinkId, frame: Frame) -> Outcome {
        let link = self.network.link_mut(id);
        if link.cloud != Side::Open {
            return Ok(());
        }
        let (node, connection) = (link.node, link.connection);
        match frame {
            Frame::Message(message) => {
                self.cloud.arrivals.arrived(node, &message)?;
                self.cloud_handle(CloudInput::Received { connection, message })?;
                if self.dice.chance(self.plan.chances.malformed / 4)
                    && self.network.link(id).cloud == Side::Open
                {
                    let violation = self.some_violation();
                    self.cloud_handle(CloudInput::Malformed { connection, violation })?;
                }
                Ok(())
            }
            // Answered by the reader, after everything before it was handed on.
            Frame::Ping(number) => {
                if !self.dice.chance(self.plan.chances.pong_left_out) {
                    self.network.link_mut(id).down.write(Frame::Pong(number));
                    self.send(id, Way::Down);
                }
                Ok(())
            }
            Frame::Pong(_) => Ok(()),
            Frame::Close => {
                link.cloud = Side::Closed;
                self.cloud_handle(CloudInput::Closed { connection })
            }
        }
    }

    /// A cloud module gets a node's message; it answers questions, or forgets to.
    fn dispatch(&mut self, node: &NodeName, message: &Message) {
        let unanswered = self.dice.chance(self.plan.chances.unanswered);
        let Some(node) = self.edges.iter().position(|edge| edge.name == *node) else { return };
        if message.operation() != operation::QUERY || unanswered {
            return;
        }
        self.cloud.sent += 1;
        let id = format!("cloud/answer/{}", self.cloud.sent);
        let failed = self.dice.chance(100);
        let draft = Draft::response_to(message, &id, self.clock(0).wall);
        let draft = if failed { Draft { operation: operation::ERROR, ..draft } } else { draft };
        let delay =
            if self.dice.chance(100) { self.dice.millis(0, 40_000) } else { self.dice.millis(0, 100) };
        if let Ok(message) = draft.encode() {
            self.plan_in(delay, Event::CloudAnswers { node, message });
        }
    }

    pub(super) fn cloud_answers(&mut self, node: usize, message: Message) -> Outcome {
        self.cloud_sends(node, message, Delivery::Unacknowledged)
    }

    fn cloud_sends(&mut self, node: usize, message: Message, delivery: Delivery) -> Outcome {
        if !self.cloud.up {
            return Ok(());
        }
        let node = self.edges[node].name.clone();
        self.cloud_handle(CloudInput::Send { node, message, delivery })
    }

    pub(super) fn cloud_acts(&mut self) -> Outcome {
        if !self.busy {
            return Ok(());
        }
        let pause = self.dice.between(self.plan.cloud_pause);
        self.plan_in(pause, Event::CloudActs);
        for _ in 0..if self.dice.chance(30) { 40 } else { 1 } {
            let node = self.dice.index(self.edges.len());
            let (message, delivery) = self.some_command()?;
            self.cloud_sends(node, message, delivery)?;
        }
        Ok(())
    }

    /// One command for the module `twin` of a node, without acknowledgement.
    pub(crate) fn twin_command(&mut self, node: usize) -> Outcome {
        self.cloud.sent += 1;
        let id = format!("cloud/twin/{}", self.cloud.sent);
        let timestamp = self.clock(0).wall;
        let draft = Draft { msg_id: &id, timestamp, group: "twin", operation: "update", ..Draft::default() };
        let message = draft.encode().map_err(|violation| violation.to_string())?;
        self.cloud_sends(node, message, Delivery::Unacknowledged)
    }

    /// Acknowledged delivery is for modules that answer: a message that nobody takes would be sent for ever.
    fn some_command(&mut self) -> Result<(Message, Delivery), String> {
        const ROUTES: [(&str, &str, bool); 6] = [
            ("resource", "edgecontroller", true),
            ("twin", "devicecontroller", true),
            ("user", "router_eventbus", true),
            ("taskmanager", "taskmanager", true),
            ("user", "nobody", false),
            ("unheard-of", "edgecontroller", false),
        ];
        let (group, source, taken) = ROUTES[self.dice.index(ROUTES.len())];
        let acknowledged = taken && self.dice.chance(600);
        self.cloud.sent += 1;
        let text = "y".repeat(self.dice.number(0, 2_000) as usize);
        let message = Draft {
            msg_id: &format!("cloud/command/{}", self.cloud.sent),
            timestamp: self.clock(0).wall,
            source,
            group,
            operation: if self.dice.chance(20) { "ping" } else { "update" },
            resource: "default/pod/p",
            content: Content::Text(&text),
            ..Draft::default()
        };
        // The hub answers link control itself.
        let delivery = if acknowledged && message.operation != "ping" {
            Delivery::Acknowledged
        } else {
            Delivery::Unacknowledged
        };
        Ok((message.encode().map_err(|violation| violation.to_string())?, delivery))
    }

    /// The process is gone, with everything that it held.
    pub(crate) fn cloud_fails(&mut self) {
        if !self.cloud.up {
            return;
        }
        self.cloud.up = false;
        for id in self.network.live() {
            self.network.link_mut(id).cloud = Side::Closed;
            self.cut(id);
        }
        let absence = self.dice.millis(100, 30_000);
        self.plan_in(absence, Event::CloudRestarts);
    }

    pub(super) fn cloud_restarts(&mut self) -> Outcome {
        let (seed, now) = (self.dice.seed(), self.clock(0));
        self.cloud.hub = CloudHub::new(self.plan.cloud.clone(), seed, now);
        self.cloud.checks = CloudChecks::default();
        self.cloud.up = true;
        self.log.transition(self.now, "cloud", || "is there again");
        Ok(())
    }
}
