//! The one task that owns the hub.
//!
//! Each turn: wait for anything, take a bounded batch of what is there, hand it to the hub, carry out what the hub
//! asks, let the link's tasks run. The deadline is read again in one place only: at the top of the next turn.

mod log;
mod outputs;

use super::command::{COMMANDS, COMMANDS_BYTES, Command, Control, Reply, Request, Senders, Way, Wish};
use super::journal::NodeJournal;
use super::letters::NodeLetters;
use super::link::Link;
use super::module::{Delivery, INBOX, RequestError};
use super::recorder::{Flight, Reason};
use super::rejection::Rejections;
use super::{EdgeHub, Options};
use crate::again::again;
use crate::bell::{self, Bell};
use crate::budget::Budget;
use crate::clock::{Alarm, Clock};
use crate::lane::{self, Dialer, Form, Read, Write};
use async_channel::Sender;
use edgehub_core::hub::{Account, JournalEvent, ReceiptId, Stage};
use edgehub_core::{Hub, Input, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Now};
use log::Log;
use smol::future::{self, or};
use smol::{Executor, Task};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use tracing::debug;

/// Messages of modules that one turn takes.
const BATCH: usize = 256;

/// Both ends of a channel.
type Channel<T> = (bell::Sender<T>, bell::Receiver<T>);

struct Inbox {
    deliveries: Sender<Delivery>,
    requests: BTreeMap<Box<str>, Reply>,
    rejections: Rejections,
}

/// Runs a hub: sockets, timers and channels on one side, the core on the other.
pub struct Driver {
    hub: Hub,
    clock: Clock,
    now: Now,
    options: Options,
    /// Whatever comes in rings it, but for the journal.
    bell: Bell,
    control: bell::Receiver<Control>,
    answers: bell::Receiver<Command>,
    commands: bell::Receiver<Command>,
    /// The bytes of both; senders wait for it as long as it is here.
    _budgets: [Budget; 2],
    dialer: Arc<Dialer>,
    link: Option<Link>,
    closing: Option<Task<()>>,
    link_events: Channel<(LinkEpoch, LinkEvent)>,
    writes: Vec<Write>,
    /// How the present link wants its messages.
    form: Form,
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
    letters: Option<NodeLetters>,
    log: Log,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("state", &self.hub.link_state()).finish_non_exhaustive()
    }
}

/// Why a turn begins.
enum Wake {
    /// Something has come in.
    Bell,
    Journal(JournalEvent),
    Deadline,
}

impl Driver {
    pub(super) fn new(mut options: Options) -> (EdgeHub, Driver) {
        let clock = Clock::start();
        let bell = Bell::default();
        let (control_sender, control) = bell.unbounded();
        let (answer_sender, answers) = bell.bounded(COMMANDS);
        let (command_sender, commands) = bell.bounded(COMMANDS);
        let budgets = [Budget::of(COMMANDS_BYTES), Budget::of(COMMANDS_BYTES)];
        let [answer_room, command_room] = budgets.each_ref().map(Budget::allowance);
        options.config.endpoints =
            options.config.endpoints.clone().fitted(lane::endpoints_of(&options.targets));
        options.config.lanes.choice = lane::lanes_of(&options.targets);
        let now = clock.now();
        let recorder = options.recorder.as_ref().map(|recorder| recorder.start(&options, now));
        let opened = options.journal.take();
        let letters = options.letters.take();
        let dialer = Arc::new(Dialer::new(&options.config, &options.targets, options.compression));
        let mut driver = Driver {
            hub: Hub::new(options.config.clone(), options.seed, now),
            clock,
            now,
            recorder,
            options,
            control,
            answers,
            commands,
            _budgets: budgets,
            dialer,
            link: None,
            closing: None,
            link_events: bell.unbounded(),
            bell,
            writes: Vec::new(),
            form: Form::Frames,
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
            letters: None,
            log: Log::default(),
        };
        if let Some(letters) = letters {
            driver.letters = NodeLetters::start(letters, |event| driver.handle(Input::Journal(event)));
        }
        if let Some(opened) = opened {
            driver.journal = NodeJournal::start(opened, |event| driver.handle(Input::Journal(event)));
        }
        let senders = Senders {
            answers: Way { sender: answer_sender, room: answer_room },
            commands: Way { sender: command_sender, room: command_room },
        };
        (EdgeHub { control: control_sender, senders }, driver)
    }

    /// Runs until the hub has been shut down and has stopped; the handle's last clone being dropped is a shutdown.
    pub async fn run(mut self) {
        let executor = Executor::new();
        again(executor.run(self.turns(&executor))).await;
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
        self.take_all_messages();
        self.carry_out_the_rest();
        self.close_journals().await;
        for reply in self.stopped.drain(..).chain(self.settled.drain(..)) {
            let _ = reply.try_send(self.hub.account());
        }
    }

    /// Waits for anything to happen that the hub wants to hear of.
    async fn wait(&self, alarm: &mut Alarm) -> Wake {
        let bell = async {
            self.bell.until(|| self.has_something()).await;
            Wake::Bell
        };
        let journal = async {
            match &self.journal {
                Some(journal) => Wake::Journal(journal.next().await),
                None => future::pending().await,
            }
        };
        let letters = async {
            match &self.letters {
                Some(letters) => Wake::Journal(letters.next().await),
                None => future::pending().await,
            }
        };
        let journal = or(journal, letters);
        let deadline = async {
            alarm.ring(self.hub.next_deadline().map(|deadline| deadline.at)).await;
            Wake::Deadline
        };
        or(bell, or(journal, deadline)).await
    }

    /// Whether something waits that is wanted.
    fn has_something(&self) -> bool {
        !self.control.is_empty()
            || self.is_abandoned()
            || !self.link_events.1.is_empty()
            || !self.answers.is_empty()
            || (self.reading && self.link.as_ref().is_some_and(|link| !link.reads.is_empty()))
            || (self.intake_open && !self.commands.is_empty())
    }

    /// Whether every handle is gone, and nobody has drawn the conclusion yet.
    fn is_abandoned(&self) -> bool {
        !self.abandoned && self.control.is_closed() && self.control.is_empty()
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Bell => {}
            Wake::Journal(event) => self.handle(Input::Journal(event)),
            Wake::Deadline => {
                // Before the tick: what the link carries may be all that speaks for it.
                let link = self.link.as_ref().filter(|link| link.makes_progress());
                if let Some(epoch) = link.map(|link| link.epoch) {
                    self.handle(Input::Link { epoch, event: LinkEvent::Progress });
                }
                self.handle(Input::Tick);
            }
        }
    }

    /// Takes a bounded part of what is there, so that one drain and one flush serve many messages. Control comes before
    /// data, and what the hub does not want is not taken.
    fn take_what_is_there(&mut self) {
        while let Some(control) = self.control.try_recv() {
            self.take_control(control);
        }
        if self.is_abandoned() {
            self.abandoned = true;
            self.take_all_messages();
            self.handle(Input::Shutdown);
        }
        while let Some((epoch, event)) = self.link_events.1.try_recv() {
            self.handle(Input::Link { epoch, event });
        }
        if self.reading
            && let Some((epoch, batch)) =
                self.link.as_ref().and_then(|link| Some((link.epoch, link.reads.try_recv()?)))
        {
            self.take_reads(epoch, batch);
        }
        while let Some(event) = self.journal.as_ref().and_then(NodeJournal::try_next) {
            self.handle(Input::Journal(event));
        }
        while let Some(event) = self.letters.as_ref().and_then(NodeLetters::try_next) {
            self.handle(Input::Journal(event));
        }
        self.take_messages(BATCH, |driver| driver.answers.try_recv());
        // What the hub does not want any more is not taken, also before it has said so.
        self.take_messages(BATCH, |driver| {
            let wanted = driver.intake_open && driver.hub.takes_messages();
            wanted.then(|| driver.commands.try_recv()).flatten()
        });
    }

    /// Takes all that modules have sent, before an end that must not overtake it.
    fn take_all_messages(&mut self) {
        self.take_messages(COMMANDS, |driver| driver.answers.try_recv());
        self.take_messages(COMMANDS, |driver| driver.commands.try_recv());
    }

    fn take_messages(&mut self, limit: usize, next: impl Fn(&Driver) -> Option<Command>) {
        for _ in 0..limit {
            let Some(command) = next(self) else { break };
            self.take_command(command);
        }
    }

    /// Hands an input to the hub. The clocks are read once a turn: what is taken together happens at one moment.
    fn handle(&mut self, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(self.now, &input, &self.hub);
        }
        self.hub.handle(self.now, input);
    }

    fn take_command(&mut self, Command { module, message, wish, .. }: Command) {
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
            Control::Join { name, groups, inbox, rejections, reply } => {
                let inbox = Inbox { deliveries: inbox, requests: BTreeMap::new(), rejections };
                self.join(name, groups, inbox, reply);
            }
            Control::Leave(module) => {
                self.take_all_messages();
                self.modules.remove(&module);
                self.handle(Input::Module { module, event: ModuleEvent::Left });
            }
            Control::Ready { module, credit } => {
                self.handle(Input::Module { module, event: ModuleEvent::Ready { credit } });
            }
            Control::Renew(tls) => {
                self.options.tls = tls;
                self.handle(Input::Renewed);
            }
            Control::Account(reply) => drop(reply.try_send(self.hub.account())),
            Control::Health(reply) => drop(reply.try_send(self.hub.health())),
            Control::Dump(asked_by) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.dump(Reason::Requested(asked_by));
                }
            }
            Control::WhenSettled(reply) => self.settled.push(reply),
            Control::Shutdown(reply) => {
                self.stopped.push(reply);
                self.take_all_messages();
                self.handle(Input::Shutdown);
            }
        }
    }

    fn join(&mut self, name: Box<str>, groups: Vec<Box<str>>, inbox: Inbox, reply: Sender<Option<ModuleId>>) {
        let module = ModuleId(self.next_module);
        self.next_module += 1;
        self.modules.insert(module, inbox);
        self.joining.push((module, reply));
        self.handle(Input::Module { module, event: ModuleEvent::Joined { name, groups, credit: INBOX } });
    }
}
