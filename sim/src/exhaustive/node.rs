//! One hub with its checks, and the driver that can say each event of the alphabet at any time.

use super::event::Event;
use crate::checks::EdgeChecks;
use crate::faithful::Faithful;
use edgehub_core::class::Classes;
use edgehub_core::config::Rate;
use edgehub_core::hub::{Deadline, JournalEvent, LinkState, ReceiptId};
use edgehub_core::journal::EntryNumber;
use edgehub_core::message::operation;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Now, Output,
    Profile, Violation,
};
use std::time::Duration;

const REQUEST: &str = "request";
/// Messages that the journal holds from before the start.
const HELD: u64 = 2;

/// What one event did.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) event: Event,
    /// What the hub was waiting for.
    pub(super) deadline: Option<Deadline>,
    pub(super) before: LinkState,
    pub(super) after: LinkState,
    pub(super) outputs: Vec<Output>,
}

/// A hub, its checks, and what a driver knows.
#[derive(Debug)]
pub(super) struct Node {
    hub: Hub,
    checks: EdgeChecks,
    now_us: u64,
    /// Written and not flushed: messages and their bytes.
    unflushed: (usize, usize),
    last_ping: u64,
    /// Of the module that joined last.
    module: ModuleId,
    /// Messages that the module sent, for their ids.
    sent: u32,
    reconfigured: bool,
    journals: Faithful,
}

/// Everything is small and soon, so that a few events reach every limit and every deadline.
fn config(other: bool) -> Config {
    let seconds = Duration::from_secs;
    let config = Config {
        heartbeat: seconds(3),
        ping_interval: seconds(2),
        ping_misses: 1,
        barrier_messages: 2,
        barrier_after: seconds(1),
        backoff_base: seconds(8),
        sync_timeout: seconds(3),
        rate: Some(Rate { per_second: 1, burst: 1 }),
        outbox_messages: 3,
        stall_limit: seconds(3),
        shutdown_grace: seconds(5),
        classes: classes(other),
        spool_above: 0,
        ..Config::default()
    };
    if !other {
        return config;
    }
    Config {
        profile: Profile::Classic,
        rate: None,
        outbox_messages: 1,
        sync_timeout: seconds(1),
        stall_limit: seconds(1),
        ..config
    }
}

/// All that a journal may keep is kept, and what is dropped is buried, where there is a journal for it.
fn classes(coalesce: bool) -> Classes {
    let mut classes = Classes::default();
    for class in &mut classes.classes {
        (class.persistent, class.dead_letters, class.coalesce) = (true, true, coalesce);
    }
    classes
}

impl Node {
    pub(super) fn new() -> Result<Node, String> {
        let config = config(false);
        let now = Now::new(0, 0);
        let held = (1..=HELD).map(|number| Ok((number, restored(number)?))).collect::<Result<_, String>>()?;
        let mut node = Node {
            hub: Hub::new(config.clone(), 7, now),
            checks: EdgeChecks::new(&config),
            now_us: 0,
            unflushed: (0, 0),
            last_ping: 0,
            module: ModuleId(0),
            sent: 0,
            reconfigured: false,
            journals: Faithful::holding(held),
        };
        let outputs = node.checks.begin(&mut node.hub, now)?;
        node.observe(&outputs);
        Ok(node)
    }

    /// Lets one event happen; what does not hold afterwards is the error.
    pub(super) fn play(&mut self, event: Event) -> Result<Step, String> {
        let (deadline, before) = (self.hub.next_deadline(), self.hub.link_state());
        let input = self.input(event, deadline)?;
        let now = Now::new(self.now_us, (self.now_us / 1000) as i64);
        let outputs = self.checks.handle(&mut self.hub, now, input)?;
        self.observe(&outputs);
        Ok(Step { event, deadline, before, after: self.hub.link_state(), outputs })
    }

    fn observe(&mut self, outputs: &[Output]) {
        for output in outputs {
            self.journals.observe(output);
            match output {
                Output::Open { .. } => self.unflushed = (0, 0),
                Output::Write { message, .. } => {
                    self.unflushed.0 += 1;
                    self.unflushed.1 += message.bytes();
                }
                Output::Ping { number, .. } => self.last_ping = *number,
                // A number that was refused has not been used.
                Output::JoinRefused { .. } => self.module.0 -= 1,
                _ => {}
            }
        }
    }

    fn input(&mut self, event: Event, deadline: Option<Deadline>) -> Result<Input, String> {
        let epoch = self.hub.epoch();
        let link = |event| Input::Link { epoch, event };
        let old = |event| Input::Link { epoch: LinkEpoch(epoch.0 - 1), event };
        let answer = |id| cloud_message(id, REQUEST, operation::RESPONSE).map(LinkEvent::Received);
        Ok(match event {
            Event::Opened => link(LinkEvent::Opened),
            Event::OpenFailed => link(LinkEvent::OpenFailed),
            Event::Closed => link(LinkEvent::Closed),
            Event::Message => link(LinkEvent::Received(cloud_message("message", "", "update")?)),
            Event::Answer => link(answer("answer")?),
            Event::LinkControl => link(LinkEvent::Received(cloud_message("control", "", "ping")?)),
            Event::Malformed => link(LinkEvent::Malformed(Violation::Empty)),
            Event::BrokenFraming => link(LinkEvent::Malformed(Violation::Framing)),
            Event::Pong => link(LinkEvent::Pong(self.last_ping)),
            Event::WrongPong => link(LinkEvent::Pong(self.last_ping + 1)),
            Event::Flushed => {
                let (messages, bytes) = std::mem::take(&mut self.unflushed);
                link(LinkEvent::Flushed { messages, bytes })
            }
            Event::OldOpened => old(LinkEvent::Opened),
            Event::OldClosed => old(LinkEvent::Closed),
            Event::OldAnswer => old(answer("late-answer")?),
            Event::Deadline => {
                self.now_us = deadline.map_or(self.now_us, |deadline| deadline.at.0);
                Input::Tick
            }
            Event::SpuriousTick => Input::Tick,
            Event::Sleep => {
                self.now_us += 24 * 3600 * 1_000_000;
                Input::Tick
            }
            Event::Join => {
                self.module.0 += 1;
                let groups = vec!["meta".into()];
                self.module(ModuleEvent::Joined { name: "metaManager".into(), groups, credit: 1 })
            }
            Event::Leave => self.module(ModuleEvent::Left),
            Event::Ready => self.module(ModuleEvent::Ready { credit: 1 }),
            Event::Send => self.send(Draft { operation: "update", ..Draft::default() }, false)?,
            Event::Ask => self.send(Draft { operation: "update", ..Draft::default() }, true)?,
            Event::Acknowledge => {
                let operation = operation::RESPONSE;
                self.send(Draft { operation, parent_msg_id: "message", ..Draft::default() }, false)?
            }
            Event::Request => {
                let operation = operation::QUERY;
                self.send(Draft { msg_id: REQUEST, operation, sync: true, ..Draft::default() }, false)?
            }
            Event::LettersOpened => Faithful::letters_opened(),
            Event::JournalOpened => Faithful::journal_opened(EntryNumber(HELD + 1)),
            Event::Restored => {
                // They come before any module's message. What never was is refused, and so is the last one again.
                let next = (self.hub.account().restored + 1).min(HELD);
                let number = if self.sent > 0 { 0 } else { next };
                let (number, message) = (EntryNumber(number), restored(number)?);
                Input::Journal(JournalEvent::Restored { number, message })
            }
            // There is always something that can be said.
            Event::JournalAnswers => self.journals.answer().unwrap_or_else(Faithful::letters_opened),
            Event::JournalFails => self.journals.failure(),
            Event::Reconfigure => {
                self.reconfigured = !self.reconfigured;
                Input::Reconfigure(Box::new(config(self.reconfigured)))
            }
            Event::Shutdown => Input::Shutdown,
            Event::Renew => Input::Renewed,
        })
    }

    fn module(&self, event: ModuleEvent) -> Input {
        Input::Module { module: self.module, event }
    }

    /// A message of the module, with an id of its own unless it has one; `asks`: the module wants to know what becomes of it.
    fn send(&mut self, draft: Draft<'_>, asks: bool) -> Result<Input, String> {
        let id = format!("sent-{}", self.sent);
        self.sent += 1;
        let msg_id = if draft.msg_id.is_empty() { &id } else { draft.msg_id };
        let message = Draft { msg_id, ..draft };
        let receipt = asks.then_some(ReceiptId(self.sent.into()));
        Ok(self.module(ModuleEvent::Sent { message: own(message)?, timeout: None, receipt }))
    }
}

/// A message that a module of the node made.
fn own(draft: Draft<'_>) -> Result<Message, String> {
    let message = Draft { source: "edged", group: "meta", ..draft }.encode();
    message.map_err(|violation| violation.to_string())
}

/// A message that the journal holds from before the start.
fn restored(number: u64) -> Result<Message, String> {
    own(Draft { msg_id: &format!("restored-{number}"), operation: "update", ..Draft::default() })
}

fn cloud_message(msg_id: &str, parent_msg_id: &str, operation: &str) -> Result<Message, String> {
    let draft = Draft {
        msg_id,
        parent_msg_id,
        operation,
        group: "resource",
        source: "edgecontroller",
        resource: "default/pod/p",
        content: Content::Text("content"),
        ..Draft::default()
    };
    draft.encode().map_err(|violation| violation.to_string())
}
