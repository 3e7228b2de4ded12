//! The one task that owns the hub.
//!
//! Each turn: wait for anything, take a bounded batch of what is there, hand it to the hub, carry out what the hub
//! asks, let the link's tasks run. The deadline is read again in one place only: at the top of the next turn.

use super::command::{COMMANDS, Command, Control, Reply, Request, Senders, Wish};
use super::journal::NodeJournal;
use super::link::Link;
use super::module::{Delivery, INBOX, RequestError};
use super::recorder::Flight;
use super::{EdgeHub, Options};
use crate::clock::{Alarm, Clock};
use crate::pump::{Read, Write};
use async_channel::{Receiver, Sender};
use edgehub_core::hub::{Account, JournalEvent, LinkEnd, ReceiptId, Stage};
use edgehub_core::journal::Health;
use edgehub_core::{Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Note, Now, Output};
use smol::future::{self, or};
use smol::{Executor, Task};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use tracing::{debug, info, trace, warn};

/// Messages of modules that one turn takes.
const BATCH: usize = 128;

/// Both ends of a channel.
type Channel<T> = (Sender<T>, Receiver<T>);

struct Inbox {
    deliveries: Sender<Delivery>,
    requests: BTreeMap<Box<str>, Reply>,
}

/// Runs a hub: sockets, timers and channels on one side, the core on the other.
pub struct Driver {
    hub: Hub,
    clock: Clock,
    now: Now,
    options: Options,
    control: Receiver<Control>,
    answers: Receiver<Command>,
    commands: Receiver<Command>,
    link: Option<Link>,
    closing: Option<Task<()>>,
    link_events: Channel<(LinkEpoch, LinkEvent)>,
    writes: Vec<Write>,
    intake_open: bool,
    reading: bool,
    modules: BTreeMap<ModuleId, Inbox>,
    next_module: u32,
    receipts: BTreeMap<ReceiptId, Sender<Stage>>,
    next_receipt: u64,
    joining: Vec<(ModuleId, Sender<Option<ModuleId>>)>,
    settled: Vec<Sender<Account>>,
    stopped: Vec<Sender<Account>>,
    abandoned: bool,
    recorder: Option<Flight>,
    journal: Option<NodeJournal>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("state", &self.hub.link_state()).finish_non_exhaustive()
    }
}

enum Wake {
    Control(Control),
    Link(LinkEpoch, LinkEvent),
    Read(LinkEpoch, Vec<Read>),
    Command(Command),
    Journal(JournalEvent),
    Deadline,
    /// Every handle is gone.
    Abandoned,
}

impl Driver {
    pub(super) fn new(mut options: Options) -> (EdgeHub, Driver) {
        let clock = Clock::start();
        let (control_sender, control) = async_channel::unbounded();
        let (answer_sender, answers) = async_channel::bounded(COMMANDS);
        let (command_sender, commands) = async_channel::bounded(COMMANDS);
        let now = clock.now();
        let recorder = options.recorder.as_ref().map(|recorder| recorder.start(&options, now));
        let opened = options.journal.take();
        let mut driver = Driver {
            hub: Hub::new(options.config.clone(), options.seed, now),
            clock,
            now,
            recorder,
            options,
            control,
            answers,
            commands,
            link: None,
            closing: None,
            link_events: async_channel::unbounded(),
            writes: Vec::new(),
            intake_open: true,
            reading: true,
            modules: BTreeMap::new(),
            next_module: 0,
            receipts: BTreeMap::new(),
            next_receipt: 0,
            joining: Vec::new(),
            settled: Vec::new(),
            stopped: Vec::new(),
            abandoned: false,
            journal: None,
        };
        if let Some(opened) = opened {
            driver.journal = NodeJournal::start(opened, |event| driver.handle(Input::Journal(event)));
        }
        let senders = Senders { answers: answer_sender, commands: command_sender };
        (EdgeHub { control: control_sender, senders }, driver)
    }

    /// Runs until the hub has been shut down and has stopped; the handle's last clone being dropped is a shutdown.
    pub async fn run(mut self) {
        let executor = Executor::new();
        executor.run(self.turns(&executor)).await;
    }

    async fn turns(&mut self, executor: &Executor<'_>) {
        let mut alarm = self.clock.alarm();
        let mut running = self.carry_out(executor).await;
        while running {
            let wake = self.wait(&mut alarm).await;
            self.now = self.clock.now();
            self.take(wake);
            self.take_what_is_there();
            running = self.carry_out(executor).await;
            self.tell_settled();
            // The link's tasks share this executor.
            future::yield_now().await;
        }
        // Whoever sends from now on is told; what is still on its way is refused by the hub, and counted.
        self.answers.close();
        self.commands.close();
        self.control.close();
        self.take_all_commands();
        self.close_journal().await;
        for reply in self.stopped.drain(..).chain(self.settled.drain(..)) {
            let _ = reply.try_send(self.hub.account());
        }
    }

    /// Waits for anything to happen. Control comes before data, and what the hub does not want is not taken.
    async fn wait(&self, alarm: &mut Alarm) -> Wake {
        let control = async {
            if self.abandoned {
                future::pending::<()>().await;
            }
            self.control.recv().await.map_or(Wake::Abandoned, Wake::Control)
        };
        let link = async {
            match self.link_events.1.recv().await {
                Ok((epoch, event)) => Wake::Link(epoch, event),
                Err(_) => future::pending().await,
            }
        };
        let read = async {
            match &self.link {
                Some(link) if self.reading => match link.reads.recv().await {
                    Ok(batch) => Wake::Read(link.epoch, batch),
                    Err(_) => future::pending().await,
                },
                _ => future::pending().await,
            }
        };
        let command = async {
            if !self.intake_open {
                future::pending::<()>().await;
            }
            match self.commands.recv().await {
                Ok(command) => Wake::Command(command),
                Err(_) => future::pending().await,
            }
        };
        let answer = async {
            match self.answers.recv().await {
                Ok(command) => Wake::Command(command),
                Err(_) => future::pending().await,
            }
        };
        let journal = async {
            match &self.journal {
                Some(journal) => Wake::Journal(journal.next().await),
                None => future::pending().await,
            }
        };
        let deadline = async {
            alarm.ring(self.hub.next_deadline().map(|deadline| deadline.at)).await;
            Wake::Deadline
        };
        or(or(control, link), or(or(read, or(answer, journal)), or(command, deadline))).await
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Control(control) => self.take_control(control),
            Wake::Link(epoch, event) => self.handle(Input::Link { epoch, event }),
            Wake::Read(epoch, batch) => self.take_reads(epoch, batch),
            Wake::Command(command) => self.take_command(command),
            Wake::Journal(event) => self.handle(Input::Journal(event)),
            Wake::Deadline => {
                // Before the tick: what the link carries may be all that speaks for it.
                let link = self.link.as_ref().filter(|link| link.makes_progress());
                if let Some(epoch) = link.map(|link| link.epoch) {
                    self.handle(Input::Link { epoch, event: LinkEvent::Progress });
                }
                self.handle(Input::Tick);
            }
            Wake::Abandoned => {
                self.abandoned = true;
                self.take_all_commands();
                self.handle(Input::Shutdown);
            }
        }
    }

    /// Takes a bounded part of what else is there, so that one drain and one flush serve many messages.
    fn take_what_is_there(&mut self) {
        while let Ok(control) = self.control.try_recv() {
            self.take_control(control);
        }
        while let Ok((epoch, event)) = self.link_events.1.try_recv() {
            self.handle(Input::Link { epoch, event });
        }
        if self.reading
            && let Some((epoch, batch)) =
                self.link.as_ref().and_then(|link| Some((link.epoch, link.reads.try_recv().ok()?)))
        {
            self.take_reads(epoch, batch);
        }
        while let Some(event) = self.journal.as_ref().and_then(NodeJournal::try_next) {
            self.handle(Input::Journal(event));
        }
        self.take_answers(BATCH);
        for _ in 0..BATCH {
            // What the hub does not want any more is not taken, also before it has said so.
            let wanted = self.intake_open && self.hub.takes_messages();
            let Some(command) = wanted.then(|| self.commands.try_recv().ok()).flatten() else { break };
            self.take_command(command);
        }
    }

    /// Takes all that modules have sent, before an end that must not overtake it.
    fn take_all_commands(&mut self) {
        self.take_answers(COMMANDS);
        self.take_commands(COMMANDS);
    }

    fn take_answers(&mut self, limit: usize) {
        for _ in 0..limit {
            let Ok(command) = self.answers.try_recv() else { break };
            self.take_command(command);
        }
    }

    fn take_commands(&mut self, limit: usize) {
        for _ in 0..limit {
            let Ok(command) = self.commands.try_recv() else { break };
            self.take_command(command);
        }
    }

    /// Hands an input to the hub. The clocks are read once a turn: what is taken together happens at one moment.
    fn handle(&mut self, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(self.now, &input);
        }
        self.hub.handle(self.now, input);
    }

    fn take_command(&mut self, Command { module, message, wish }: Command) {
        let (mut timeout, mut receipt) = (None, None);
        match wish.map(|wish| *wish) {
            Some(Wish::Answer(Request { timeout: wait, reply })) => {
                timeout = wait;
                if let Some(inbox) = self.modules.get_mut(&module) {
                    match inbox.requests.entry(message.msg_id().into()) {
                        Entry::Vacant(vacant) => drop(vacant.insert(reply)),
                        Entry::Occupied(_) => return drop(reply.try_send(Err(RequestError::IdTaken))),
                    }
                }
            }
            Some(Wish::Stages(stages)) => {
                self.next_receipt += 1;
                self.receipts.insert(ReceiptId(self.next_receipt), stages);
                receipt = Some(ReceiptId(self.next_receipt));
            }
            None => {}
        }
        self.handle(Input::Module { module, event: ModuleEvent::Sent { message, timeout, receipt } });
    }

    /// Tells a sender.
    fn tell(&mut self, receipt: Option<ReceiptId>, stage: Stage) {
        let Some(Entry::Occupied(stages)) = receipt.map(|receipt| self.receipts.entry(receipt)) else {
            return;
        };
        // A sender that no longer listens has given the receipt up.
        let _ = stages.get().try_send(stage);
        if stage.is_last() {
            stages.remove();
        }
    }

    /// Lets the journal write what it has, and hears it out.
    async fn close_journal(&mut self) {
        let Some(mut journal) = self.journal.take() else { return };
        let works = |hub: &Hub| hub.journal_health() == Some(Health::Good);
        while let Some(event) = journal.next_before_end(works(&self.hub)).await {
            self.handle(Input::Journal(event));
            while let Some(output) = self.hub.poll_output() {
                match output {
                    Output::Receipt { receipt, stage, .. } => self.tell(receipt, stage),
                    Output::Note(note) => self.observe(&note),
                    // Nothing else follows a stop.
                    _ => {}
                }
            }
        }
    }

    fn take_reads(&mut self, epoch: LinkEpoch, batch: Vec<Read>) {
        for read in batch {
            let event = match read {
                Read::Message(message) => LinkEvent::Received(message),
                Read::Malformed(violation) => LinkEvent::Malformed(violation),
                Read::Pong(number) => LinkEvent::Pong(number),
                Read::Ended(why) => {
                    debug!(epoch = epoch.0, why, "link ended");
                    LinkEvent::Closed
                }
            };
            self.handle(Input::Link { epoch, event });
        }
    }

    fn take_control(&mut self, control: Control) {
        match control {
            Control::Join { name, groups, inbox, reply } => self.join(name, groups, inbox, reply),
            Control::Leave(module) => {
                self.take_all_commands();
                self.modules.remove(&module);
                self.handle(Input::Module { module, event: ModuleEvent::Left });
            }
            Control::Ready { module, credit } => {
                self.handle(Input::Module { module, event: ModuleEvent::Ready { credit } });
            }
            Control::Account(reply) => drop(reply.try_send(self.hub.account())),
            Control::Dump => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.dump("requested");
                }
            }
            Control::WhenSettled(reply) => self.settled.push(reply),
            Control::Shutdown(reply) => {
                self.stopped.push(reply);
                self.take_all_commands();
                self.handle(Input::Shutdown);
            }
        }
    }

    fn join(
        &mut self,
        name: Box<str>,
        groups: Vec<Box<str>>,
        inbox: Sender<Delivery>,
        reply: Sender<Option<ModuleId>>,
    ) {
        let module = ModuleId(self.next_module);
        self.next_module += 1;
        self.modules.insert(module, Inbox { deliveries: inbox, requests: BTreeMap::new() });
        self.joining.push((module, reply));
        self.handle(Input::Module { module, event: ModuleEvent::Joined { name, groups, credit: INBOX } });
    }

    /// Does what the hub asks, in order; returns whether the hub still runs.
    async fn carry_out(&mut self, executor: &Executor<'_>) -> bool {
        let mut running = true;
        while let Some(output) = self.hub.poll_output() {
            if let Some(recorder) = &mut self.recorder {
                recorder.output(&output);
            }
            match output {
                Output::Open { epoch } => self.open(executor, epoch),
                Output::Write { message, .. } => self.writes.push(Write::Frame(message.into_frame())),
                Output::Ping { number, .. } => self.writes.push(Write::Ping(number)),
                Output::Pause { .. } => self.reading = false,
                Output::Resume { .. } => self.reading = true,
                Output::Close { .. } => self.close(executor),
                Output::Intake { open } => self.intake_open = open,
                Output::Deliver { module, message, answer } => self.deliver(module, message, answer),
                Output::Store { number, class, message } => {
                    let at = self.now.wall;
                    self.order_of_journal(|journal| journal.store(number, class, at, message));
                }
                Output::Forget { first, last } => {
                    self.order_of_journal(|journal| journal.forget(first, last))
                }
                Output::Fetch { number } => self.order_of_journal(|journal| journal.fetch(number)),
                Output::JoinRefused { module } => self.join_refused(module),
                Output::Receipt { receipt, stage, .. } => self.tell(receipt, stage),
                Output::Stopped => running = false,
                Output::Note(note) => self.observe(&note),
            }
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.drained(self.now, &self.hub);
        }
        self.hand_to_link();
        self.order_of_journal(NodeJournal::hand_over);
        for (module, reply) in std::mem::take(&mut self.joining) {
            if reply.try_send(Some(module)).is_err() {
                // Nobody waits for it any more, so nobody will ever leave.
                self.modules.remove(&module);
                self.handle(Input::Module { module, event: ModuleEvent::Left });
            }
        }
        if !running {
            self.modules.clear();
            if let Some(closing) = self.closing.take() {
                closing.await;
            }
        }
        running
    }

    fn order_of_journal(&mut self, order: impl FnOnce(&mut NodeJournal)) {
        if let Some(journal) = &mut self.journal {
            order(journal);
        }
    }

    fn open(&mut self, executor: &Executor<'_>, epoch: LinkEpoch) {
        self.reading = true;
        self.writes.clear();
        let targets = &self.options.targets;
        let target =
            usize::try_from(epoch.0).unwrap_or(0).checked_rem(targets.len()).and_then(|at| targets.get(at));
        match target {
            Some(target) => {
                let (target, tls) = (target.clone(), self.options.tls.clone());
                self.link = Some(Link::open(executor, epoch, target, tls, self.link_events.0.clone()));
            }
            None => drop(self.link_events.0.try_send((epoch, LinkEvent::OpenFailed))),
        }
    }

    /// Closes the link in the background.
    fn close(&mut self, executor: &Executor<'_>) {
        self.hand_to_link();
        if let Some(link) = self.link.take() {
            self.closing = Some(executor.spawn(link.close()));
        }
    }

    /// Gives the link's task what was written in this drain, as one batch.
    fn hand_to_link(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        if let Some(link) = &self.link {
            // A link that has ended takes nothing more; the hub learns of its end and sends again what it must.
            let next = Vec::with_capacity(self.writes.len());
            let _ = link.writes.try_send(std::mem::replace(&mut self.writes, next));
        }
        self.writes.clear();
    }

    fn deliver(&mut self, module: ModuleId, message: Message, answer: bool) {
        let Some(inbox) = self.modules.get_mut(&module) else { return };
        let request = if answer { inbox.requests.remove(message.parent_msg_id()) } else { None };
        match request {
            // A requester that no longer waits has given the answer up.
            Some(reply) => drop(reply.try_send(Ok(message))),
            // Unbounded, but bounded by the credit and the number of pending requests.
            None => drop(inbox.deliveries.try_send(Delivery { message, answer })),
        }
    }

    fn join_refused(&mut self, module: ModuleId) {
        self.modules.remove(&module);
        if let Some(at) = self.joining.iter().position(|(joining, _)| *joining == module) {
            let (_, reply) = self.joining.swap_remove(at);
            let _ = reply.try_send(None);
        }
    }

    /// Answers those who wait for an empty outbox.
    fn tell_settled(&mut self) {
        if self.settled.is_empty() || !self.commands.is_empty() || !self.answers.is_empty() {
            return;
        }
        let account = self.hub.account();
        if account.up.pending == 0 {
            for reply in self.settled.drain(..) {
                let _ = reply.try_send(account);
            }
        }
    }

    fn observe(&mut self, note: &Note) {
        log(note);
        if let Some(observer) = &mut self.options.observer {
            observer(self.now, note);
        }
    }
}

/// Per message: trace. Per transition: debug. Link up or down: info.
fn log(note: &Note) {
    match note {
        Note::LinkUp { epoch, backlog } => info!(epoch = epoch.0, backlog, "link up"),
        Note::LinkDown { epoch, end: LinkEnd::OpenFailed, retry_in, .. } => {
            debug!(epoch = epoch.0, ?retry_in, "link not opened");
        }
        Note::LinkDown { epoch, end, retry_in, unconfirmed } => {
            info!(epoch = epoch.0, ?end, ?retry_in, unconfirmed, "link down");
        }
        Note::Violation { epoch, violation } => warn!(epoch = epoch.0, %violation, "frame refused"),
        Note::Dropped { direction, msg_id, reason } => debug!(?direction, msg_id, %reason, "message dropped"),
        Note::ModuleStalled { module } => {
            warn!(module = module.0, "module takes nothing; its messages are dropped")
        }
        Note::ModuleRecovered { module } => info!(module = module.0, "module takes messages again"),
        Note::JournalHealth { health } => debug!(?health, "journal"),
        Note::NotStored { msg_id } => warn!(msg_id, "the journal did not take a message"),
        Note::EntryLost { number } => warn!(%number, "the journal cannot read a message any more"),
        Note::SyncEnded { msg_id, outcome } => trace!(msg_id, ?outcome, "request ended"),
        other => trace!(?other, "note"),
    }
}
