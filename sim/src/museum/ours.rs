//! The real hub on the stage, with KubeEdge's own defaults and under all checks.

use super::stage::{MODULES, Seen, Subject, answer};
use crate::checks::{Broken, EdgeChecks};
use edgehub_core::message::operation;
use edgehub_core::{
    Config, Hub, Input, Instant, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Note, Now, Output,
};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Ours {
    hub: Hub,
    checks: EdgeChecks,
    now: Instant,
    seen: Seen,
    accepts: bool,
    quick: bool,
    /// The link that the hub asked for and has no word of yet.
    dialled: Option<LinkEpoch>,
    open: Option<LinkEpoch>,
    closed: Option<LinkEpoch>,
    silent: bool,
    paused: bool,
    /// Arrived, and not read: a driver does not read a paused link.
    socket: VecDeque<Message>,
    /// What the driver has to report.
    reports: VecDeque<Input>,
}

impl Ours {
    pub(super) fn new(node: u64) -> Ours {
        let config = Config::default();
        let now = Instant(0);
        let mut ours = Ours {
            hub: Hub::new(config.clone(), node, Now::default()),
            checks: EdgeChecks::new(&config),
            now,
            seen: Seen::default(),
            accepts: true,
            quick: false,
            dialled: None,
            open: None,
            closed: None,
            silent: false,
            paused: false,
            socket: VecDeque::new(),
            reports: VecDeque::new(),
        };
        let began = ours.checks.begin(&mut ours.hub, Now::default());
        ours.carry_out(began);
        for (number, (name, group)) in MODULES.into_iter().enumerate() {
            let event = ModuleEvent::Joined { name: name.into(), groups: vec![group.into()], credit: 0 };
            ours.tell(Input::Module { module: ModuleId(number as u32), event });
        }
        ours
    }

    fn tell(&mut self, input: Input) {
        let now = Now::new(self.now.0, (self.now.0 / 1000) as i64);
        let outputs = self.checks.handle(&mut self.hub, now, input);
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Result<Vec<Output>, Broken>) {
        match outputs {
            Ok(outputs) => outputs.into_iter().for_each(|output| self.carry_out_one(output)),
            Err(broken) => self.seen.violation = Some(broken.to_string()),
        }
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::Open { epoch, .. } => {
                self.seen.dials.push(self.now);
                self.dialled = Some(epoch);
            }
            Output::Write { epoch, message } => self.write(epoch, &message),
            Output::Ping { epoch, number } if !self.silent => {
                self.reports.push_back(Input::Link { epoch, event: LinkEvent::Pong(number) });
            }
            Output::Pause { .. } => self.paused = true,
            Output::Resume { .. } => self.paused = false,
            Output::Close { .. } => self.link_is_over(),
            Output::Deliver { module, message, .. } => {
                let id = message.msg_id().to_string();
                self.seen.delivered.push((self.now, module.0 as usize, id));
            }
            Output::Note(Note::Dropped { msg_id, .. }) => self.seen.told.push(msg_id.into()),
            _ => {}
        }
    }

    fn write(&mut self, epoch: LinkEpoch, message: &Message) {
        let event = LinkEvent::Flushed { messages: 1, bytes: message.bytes() };
        self.reports.push_back(Input::Link { epoch, event });
        if self.silent {
            return;
        }
        self.seen.at_cloud.push((self.now, message.msg_id().to_string()));
        if self.quick && message.operation() == operation::QUERY {
            let id = format!("answer to {}", message.msg_id());
            self.socket.push_back(answer(&id, message.msg_id()));
        }
    }

    fn link_is_over(&mut self) {
        self.closed = self.open.take();
        (self.silent, self.paused) = (false, false);
        self.socket.clear();
    }

    /// Does all that can be done at this instant.
    fn run(&mut self) {
        while self.seen.violation.is_none() {
            if let Some(report) = self.reports.pop_front() {
                self.tell(report);
            } else if let Some(epoch) = self.dialled.take() {
                let event = if self.accepts { LinkEvent::Opened } else { LinkEvent::OpenFailed };
                self.open = self.accepts.then_some(epoch);
                self.tell(Input::Link { epoch, event });
            } else if let Some(epoch) = self.open.filter(|_| !self.paused)
                && let Some(message) = self.socket.pop_front()
            {
                self.tell(Input::Link { epoch, event: LinkEvent::Received(message) });
            } else {
                return;
            }
        }
    }
}

impl Subject for Ours {
    fn pass(&mut self, length: Duration) {
        let end = self.now + length;
        self.run();
        while let Some(deadline) = self.hub.next_deadline().filter(|deadline| deadline.at <= end) {
            if self.seen.violation.is_some() {
                return;
            }
            self.now = deadline.at.max(self.now);
            self.tell(Input::Tick);
            self.run();
        }
        self.now = end;
    }

    fn cloud_accepts(&mut self, accepts: bool) {
        self.accepts = accepts;
    }

    fn cloud_is_quick(&mut self) {
        self.quick = true;
    }

    fn arrives(&mut self, message: Message) {
        if self.open.is_some() && !self.silent {
            self.socket.push_back(message);
        }
        self.run();
    }

    fn link_closes(&mut self) {
        let Some(epoch) = self.open else { return };
        self.link_is_over();
        self.reports.push_back(Input::Link { epoch, event: LinkEvent::Closed });
        self.run();
    }

    fn link_goes_silent(&mut self) {
        self.silent = true;
    }

    fn old_link_fails_again(&mut self) {
        if let Some(epoch) = self.closed {
            self.reports.push_back(Input::Link { epoch, event: LinkEvent::Closed });
        }
        self.run();
    }

    fn sends(&mut self, module: usize, message: Message) {
        let event = ModuleEvent::Sent { message, timeout: None, receipt: None };
        self.tell(Input::Module { module: ModuleId(module as u32), event });
        self.run();
    }

    fn takes(&mut self, module: usize, messages: u32) {
        let event = ModuleEvent::Ready { credit: messages };
        self.tell(Input::Module { module: ModuleId(module as u32), event });
        self.run();
    }

    fn into_seen(self) -> Seen {
        self.seen
    }
}
