//! The one task that owns the cloud machine. It works like the edge's driver: a bounded batch in, one drain out.

use super::ServerOptions;
use super::busy::Busy;
use super::connection::{Connection, Event, Handshake, Shared, serve};
use crate::again::again;
use crate::budget::{Budget, Share};
use crate::clock::{Alarm, Clock};
use crate::lane::{BATCHES, Form, Incoming, Listener, Read, Write};
use async_channel::{Receiver, Sender, TrySendError};
use edgehub_core::cloud::{
    CloseReason, CloudAccount, CloudDropReason, CloudHub, CloudInput, CloudNote, CloudOutput, ConnectionId,
    Delivery, NodeName,
};
use edgehub_core::{Message, Now};
use smol::future::{self, or};
use smol::{Executor, Task};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{debug, info, trace, warn};

/// Messages to nodes that one turn takes.
const BATCH: usize = 256;

/// Unacknowledged messages queued for a node from which on it is busy, and their bytes. The machine drops what exceeds its own
/// bound, which has room for a turn's batch more and for all that senders have handed over by then.
const PENDING_MAX: usize = 256;
const PENDING_BYTES: usize = 8 << 20;

/// Handshakes under way at one time, before the next connection is accepted.
const HANDSHAKES_MAX: usize = 1024;

/// Wait after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long all connections together may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A message to a node.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) node: Box<str>,
    pub(super) message: Message,
    pub(super) delivery: Delivery,
    pub(super) _share: Share,
}

/// A message of a node.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) node: String,
    pub(super) message: Message,
    _share: Share,
}

/// What else can be asked of a server. Few, and never held back.
#[derive(Debug)]
pub(super) enum Command {
    CutAll,
    FreezeAll,
    Account(Sender<CloudAccount>),
    Shutdown,
}

/// Runs a CloudHub: accepts, reads and writes on one side, the core's machine on the other.
pub struct ServerDriver {
    hub: CloudHub,
    clock: Clock,
    now: Now,
    options: ServerOptions,
    listener: Listener,
    orders: Receiver<Order>,
    /// The bytes of those; senders wait for it as long as it is here.
    _orders_budget: Budget,
    busy: Busy,
    commands: Receiver<Command>,
    upstream: Sender<Arrival>,
    upstream_budget: Budget,
    events: Receiver<Event>,
    reads: Receiver<(ConnectionId, Vec<Read>)>,
    shared: Shared,
    handshakes: BTreeMap<Handshake, Connection>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Still open, never touched again.
    frozen: Vec<Connection>,
    closing: Vec<Task<()>>,
    writes: BTreeMap<ConnectionId, Vec<Write>>,
    /// Messages of nodes that nobody has taken yet; while there are any, nothing more is read.
    dispatch: VecDeque<(String, Message)>,
    next_handshake: u64,
    running: bool,
}

impl std::fmt::Debug for ServerDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerDriver").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}

enum Wake {
    Accepted(std::io::Result<(Incoming, std::net::SocketAddr)>),
    Event(Event),
    Read(ConnectionId, Vec<Read>),
    Dispatched,
    Order(Order),
    Command(Command),
    Deadline,
    Abandoned,
}

impl ServerDriver {
    pub(super) fn new(
        listener: Listener,
        options: ServerOptions,
        (orders, orders_budget, busy): (Receiver<Order>, Budget, Busy),
        commands: Receiver<Command>,
        (upstream, upstream_budget): (Sender<Arrival>, Budget),
    ) -> ServerDriver {
        let clock = Clock::start();
        let (event_sender, events) = async_channel::unbounded();
        let (read_sender, reads) = async_channel::bounded(BATCHES);
        let shared = Shared {
            tls: options.tls.clone(),
            handshake_timeout: options.handshake_timeout,
            events: event_sender,
            reads: read_sender,
            arrived: Arc::default(),
        };
        ServerDriver {
            hub: CloudHub::new(options.config.clone(), options.seed, clock.now()),
            clock,
            now: clock.now(),
            options,
            listener,
            orders,
            _orders_budget: orders_budget,
            busy,
            commands,
            upstream,
            upstream_budget,
            events,
            reads,
            shared,
            handshakes: BTreeMap::new(),
            connections: BTreeMap::new(),
            frozen: Vec::new(),
            closing: Vec::new(),
            writes: BTreeMap::new(),
            dispatch: VecDeque::new(),
            next_handshake: 0,
            running: true,
        }
    }

    /// Runs until the server is shut down or its last handle is dropped.
    pub async fn run(mut self) {
        let executor = Executor::new();
        again(executor.run(self.turns(&executor))).await;
    }

    async fn turns(&mut self, executor: &Executor<'_>) {
        let mut alarm = self.clock.alarm();
        let _lanes = executor.spawn(self.listener.work());
        while self.running {
            let wake = self.wait(&mut alarm).await;
            self.now = self.clock.now();
            self.take(executor, wake);
            self.take_what_is_there();
            self.carry_out(executor);
            // The connections' tasks share this executor.
            future::yield_now().await;
        }
        let (last, closing) = (std::mem::take(&mut self.dispatch), std::mem::take(&mut self.closing));
        let goodbyes = async {
            for (node, message) in last {
                self.dispatch(node, message).await;
            }
            for closing in closing {
                closing.await;
            }
        };
        // What is still read must go somewhere, or no connection could end.
        let discard = async { while self.reads.recv().await.is_ok() {} };
        let give_up = async {
            smol::Timer::after(CLOSE_TIMEOUT).await;
        };
        or(goodbyes, or(discard, give_up)).await;
        self.listener.settle().await;
    }

    async fn wait(&self, alarm: &mut Alarm) -> Wake {
        let accept = async {
            if self.handshakes.len() >= HANDSHAKES_MAX {
                future::pending::<()>().await;
            }
            let accepted = self.listener.accept().await;
            if accepted.is_err() {
                // Out of file descriptors, most likely: trying again at once would only burn the processor.
                smol::Timer::after(ACCEPT_AGAIN).await;
            }
            Wake::Accepted(accepted)
        };
        let event = async {
            match self.events.recv().await {
                Ok(event) => Wake::Event(event),
                Err(_) => future::pending().await,
            }
        };
        let read = async {
            if let Some((node, message)) = self.dispatch.front() {
                self.dispatch(node.clone(), message.clone()).await;
                return Wake::Dispatched;
            }
            match self.reads.recv().await {
                Ok((connection, batch)) => Wake::Read(connection, batch),
                Err(_) => future::pending().await,
            }
        };
        let order = async {
            match self.orders.recv().await {
                Ok(order) => Wake::Order(order),
                Err(_) => future::pending().await,
            }
        };
        let command = async { self.commands.recv().await.map_or(Wake::Abandoned, Wake::Command) };
        let deadline = async {
            alarm.ring(self.hub.next_deadline().map(|deadline| deadline.at)).await;
            Wake::Deadline
        };
        or(or(event, command), or(or(read, order), or(deadline, accept))).await
    }

    /// Hands a node's message on, once there is room.
    async fn dispatch(&self, node: String, message: Message) {
        let share = self.upstream_budget.allowance().take(message.bytes()).await;
        if let Some(_share) = share {
            // Nobody listening is not an error.
            let _ = self.upstream.send(Arrival { node, message, _share }).await;
        }
    }

    /// Says for which nodes senders must wait until they have taken more.
    fn tell_busy(&self) {
        let waiting = self.hub.waiting_unacknowledged();
        let busy = waiting.filter(|(_, messages, bytes)| *messages >= PENDING_MAX || *bytes >= PENDING_BYTES);
        self.busy.set(busy.map(|(node, ..)| node.as_str().into()).collect());
    }

    fn take(&mut self, executor: &Executor<'_>, wake: Wake) {
        match wake {
            Wake::Accepted(Ok((incoming, peer))) => {
                debug!(%peer, "accepted");
                self.next_handshake += 1;
                let handshake = Handshake(self.next_handshake);
                let connection = serve(executor, handshake, incoming, self.shared.clone());
                self.handshakes.insert(handshake, connection);
            }
            Wake::Accepted(Err(error)) => warn!(%error, "cannot accept a connection"),
            Wake::Event(event) => self.take_event(event),
            Wake::Read(connection, batch) => self.take_reads(connection, batch),
            Wake::Dispatched => drop(self.dispatch.pop_front()),
            Wake::Order(order) => self.take_order(order),
            Wake::Command(command) => self.take_command(command),
            Wake::Deadline => {
                self.take_reads_that_are_there();
                self.handle(CloudInput::Tick);
            }
            Wake::Abandoned => self.take_command(Command::Shutdown),
        }
    }

    fn take_what_is_there(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.take_event(event);
        }
        self.take_reads_that_are_there();
        for _ in 0..BATCH {
            let Ok(order) = self.orders.try_recv() else { break };
            self.take_order(order);
        }
    }

    /// Takes what has been read: before a session ends, what its node was told is read must count.
    fn take_reads_that_are_there(&mut self) {
        for _ in 0..BATCHES {
            if !self.dispatch.is_empty() {
                return;
            }
            let Ok((connection, batch)) = self.reads.try_recv() else { return };
            self.take_reads(connection, batch);
        }
    }

    fn handle(&mut self, input: CloudInput) {
        self.hub.handle(self.now, input);
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Arrived(arrived) => {
                if let Some(connection) = self.handshakes.remove(&arrived.handshake) {
                    self.connections.insert(arrived.id, connection);
                }
                let node = NodeName::from(arrived.node.as_str());
                self.handle(CloudInput::Connected { connection: arrived.id, node, project: arrived.project });
            }
            Event::Refused(handshake) => drop(self.handshakes.remove(&handshake)),
            Event::Flushed(connection, messages) => self.handle(CloudInput::Flushed { connection, messages }),
        }
    }

    fn take_reads(&mut self, connection: ConnectionId, batch: Vec<Read>) {
        for read in batch {
            match read {
                Read::Message(message) => self.handle(CloudInput::Received { connection, message }),
                Read::Malformed(violation) => self.handle(CloudInput::Malformed { connection, violation }),
                Read::Pong(_) => {}
                Read::Ended(why) => {
                    trace!(connection = connection.0, why, "connection ended");
                    if let Some(ended) = self.connections.remove(&connection) {
                        // It says goodbye in the background, and bounds that itself.
                        self.keep_until_closed(ended.task);
                    }
                    self.handle(CloudInput::Closed { connection });
                }
            }
        }
    }

    fn take_order(&mut self, Order { node, message, delivery, .. }: Order) {
        self.handle(CloudInput::Send { node: NodeName::from(&*node), message, delivery });
    }

    fn take_command(&mut self, command: Command) {
        match command {
            Command::Account(reply) => drop(reply.try_send(self.hub.account())),
            Command::CutAll => self.connections.values().for_each(Connection::cut),
            Command::FreezeAll => self.freeze_all(),
            Command::Shutdown => {
                while let Ok(order) = self.orders.try_recv() {
                    self.take_order(order);
                }
                self.take_reads_that_are_there();
                self.handle(CloudInput::Shutdown);
                self.running = false;
            }
        }
    }

    /// Takes every connection out, open and untouched; the machine is told that they are closed.
    fn freeze_all(&mut self) {
        for (id, connection) in std::mem::take(&mut self.connections) {
            connection.frozen.store(true, Ordering::Relaxed);
            self.frozen.push(connection);
            self.handle(CloudInput::Closed { connection: id });
        }
    }

    fn carry_out(&mut self, executor: &Executor<'_>) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                CloudOutput::Write { connection, message } => {
                    let form = self.connections.get(&connection).map_or(Form::Frames, |link| link.form);
                    self.writes.entry(connection).or_default().push(form.write(message));
                }
                CloudOutput::Close { connection, reason } => self.close(executor, connection, reason),
                CloudOutput::Upstream { node, message } => {
                    self.dispatch.push_back((node.to_string(), message))
                }
                CloudOutput::Acknowledged { node, msg_id } => trace!(%node, msg_id, "acknowledged"),
                CloudOutput::Note(note) => self.observe(&note),
            }
        }
        for (id, batch) in std::mem::take(&mut self.writes) {
            if let Some(connection) = self.connections.get(&id) {
                // A connection that has ended takes nothing more; the machine reads its end next.
                let _ = connection.writes.try_send(batch);
            }
        }
        let room = self.upstream_budget.allowance();
        while let Some((node, message)) = self.dispatch.pop_front() {
            let Some(_share) = room.try_take(message.bytes()) else {
                self.dispatch.push_front((node, message));
                break;
            };
            if let Err(TrySendError::Full(Arrival { node, message, .. })) =
                self.upstream.try_send(Arrival { node, message, _share })
            {
                // Reading stops until somebody has taken it: that is the backpressure.
                self.dispatch.push_front((node, message));
                break;
            }
        }
        self.tell_busy();
    }

    fn close(&mut self, executor: &Executor<'_>, id: ConnectionId, reason: CloseReason) {
        let Some(Connection { writes, task, .. }) = self.connections.remove(&id) else { return };
        let (code, text) = match reason {
            CloseReason::Replaced => (1008, "replaced by a newer connection of this node"),
            CloseReason::KeepaliveExpired => (1001, "no keepalive in time"),
            CloseReason::NodeLimit => (1013, "node limit reached"),
            CloseReason::Violation(_) => (1007, "not a message"),
            CloseReason::Shutdown => (1001, "shutting down"),
        };
        info!(connection = id.0, ?reason, "closing connection");
        let mut last = self.writes.remove(&id).unwrap_or_default();
        last.push(Write::Close(code, text));
        let _ = writes.try_send(last);
        drop(writes);
        self.keep_until_closed(executor.spawn(async {
            let cut = async {
                smol::Timer::after(CLOSE_TIMEOUT).await;
            };
            or(task, cut).await;
        }));
    }

    fn keep_until_closed(&mut self, task: Task<()>) {
        self.closing.retain(|task| !task.is_finished());
        self.closing.push(task);
    }

    fn observe(&mut self, note: &CloudNote) {
        match note {
            CloudNote::Connected { node, queued, .. } => info!(%node, queued, "session begins"),
            CloudNote::Disconnected { node, kept, .. } => info!(%node, kept, "session ends"),
            CloudNote::Dropped { node, msg_id, reason } if *reason != CloudDropReason::OlderVersion => {
                debug!(%node, msg_id, ?reason, "message dropped");
            }
            other => trace!(?other, "note"),
        }
        if let Some(observer) = &mut self.options.observer {
            observer(note);
        }
    }
}
