//! Watches a run from outside and keeps its own books.
//!
//! Nothing here is taken from the hub's code: the observer knows the protocol, the configuration and what a driver sees,
//! and panics when the hub breaks a promise.

use crate::world::Moment;
use edgehub_core::hub::{Direction, DropReason, JournalEvent};
use edgehub_core::limits::{
    CONTROL_QUEUE_MAX, INBOX_MESSAGES_MAX, SYNC_PENDING_MAX, WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES,
};
use edgehub_core::{Config, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Note, Output};
use std::collections::{BTreeMap, VecDeque};

/// What one link looks like from outside.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Link {
    /// None was asked for, or the last one is over.
    None,
    Opening,
    Open,
}

/// One direction's books, by the observer's own count.
#[derive(Debug, Default, PartialEq, Eq)]
struct Book {
    accepted: u64,
    settled: u64,
    dropped: BTreeMap<DropReason, u64>,
}

/// The observer of one run.
pub(crate) struct Observer {
    config: Config,
    mono: u64,
    link: Link,
    epoch: LinkEpoch,
    stopped: bool,
    up: Book,
    down: Book,
    /// Sizes of the messages of modules that were written and not confirmed, oldest first.
    unconfirmed: VecDeque<usize>,
    written: u64,
    pings: Vec<(u64, u64)>,
    in_flight: (usize, usize),
    over_flushed: bool,
    opened_at: u64,
    shortest_heartbeat: u64,
    heartbeats: u64,
    /// The token bucket: millionths of a token, and when.
    tokens: u128,
    tokens_at: u64,
    metered: bool,
    asked: BTreeMap<String, i64>,
    joined: BTreeMap<ModuleId, Vec<String>>,
    connect_info: BTreeMap<(ModuleId, String), String>,
    largest_outbox: (usize, usize),
    largest_message: usize,
    seen_pings: u64,
    inbox_loss: bool,
}

fn micros(length: std::time::Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

/// A message that the hub makes for the link itself: keepalive, question for its session, answer to link control, acknowledgement in a module's
/// stead. No module of these runs says "ack" or "OK".
pub(crate) fn is_hubs_own(message: &Message) -> bool {
    (message.source() == "websocket" && message.operation() == "keepalive" && message.content() == "\"ping\"")
        || (message.source() == "edgehub" && message.operation() == "query")
        || (message.operation() == "response" && ["\"ack\"", "\"OK\""].contains(&message.content()))
}

fn is_bulk(message: &Message) -> bool {
    !is_hubs_own(message)
        && message.parent_msg_id().is_empty()
        && !["response", "keepalive", "ping", "pong", "config"].contains(&message.operation())
}

impl Observer {
    pub(crate) fn new(config: &Config) -> Observer {
        let mut observer = Observer {
            config: config.clone(),
            mono: 1_000_000,
            link: Link::Opening,
            epoch: LinkEpoch(1),
            stopped: false,
            up: Book::default(),
            down: Book::default(),
            unconfirmed: VecDeque::new(),
            written: 0,
            pings: Vec::new(),
            in_flight: (0, 0),
            over_flushed: false,
            opened_at: 0,
            shortest_heartbeat: 0,
            heartbeats: 0,
            tokens: 0,
            tokens_at: 0,
            metered: true,
            asked: BTreeMap::new(),
            joined: BTreeMap::new(),
            connect_info: BTreeMap::new(),
            largest_outbox: (0, 0),
            largest_message: 0,
            seen_pings: 0,
            inbox_loss: false,
        };
        observer.reconfigured(config);
        observer
    }

    fn reconfigured(&mut self, config: &Config) {
        let rate = |config: &Config| config.rate.filter(|rate| rate.per_second > 0);
        if rate(config) != rate(&self.config) || self.tokens_at == 0 {
            self.tokens = rate(config).map_or(0, |rate| u128::from(rate.burst.max(1)) * 1_000_000);
            self.tokens_at = self.mono;
        }
        self.config = config.clone();
        self.shortest_heartbeat = self.shortest_heartbeat.min(micros(config.heartbeat).max(1000));
        let (messages, bytes) = self.largest_outbox;
        self.largest_outbox = (messages.max(config.outbox_messages.max(1)), bytes.max(config.outbox_bytes));
    }

    /// Checks one moment against everything that came before.
    pub(crate) fn watch(&mut self, hub: &Hub, moment: &Moment) {
        self.mono = self.mono.max(moment.now.mono.0);
        self.input(&moment.input);
        // Deadlines come before the input: a link that they ended no longer hears its event.
        let refused = moment.outputs.iter().any(|output| {
            matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
        });
        if let Input::Link { event, .. } = &moment.input
            && !refused
        {
            self.link_event(event);
        }
        if let Input::Journal(JournalEvent::Restored { message, .. }) = &moment.input
            && !moment.outputs.contains(&Output::Note(Note::UnexpectedJournalEvent))
        {
            self.up.accepted += 1;
            self.largest_message = self.largest_message.max(message.bytes());
        }
        // A new rate begins with a full bucket, and both may be used at the moment of the change.
        self.metered = !matches!(moment.input, Input::Reconfigure(_));
        let mut keepalives = 0;
        for output in &moment.outputs {
            self.output(output, &mut keepalives);
        }
        self.after(hub, moment, keepalives);
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => {
                self.up.accepted += 1;
                self.largest_message = self.largest_message.max(message.bytes());
                if message.is_sync() {
                    *self.asked.entry(message.msg_id().into()).or_default() += 1;
                }
            }
            Input::Module { module, event: ModuleEvent::Joined { groups, .. } } => {
                self.joined.insert(*module, groups.iter().map(|group| group.to_string()).collect());
            }
            Input::Module { module, event: ModuleEvent::Left } => {
                self.joined.remove(module);
                self.connect_info.retain(|(of, _), _| of != module);
            }
            _ => {}
        }
    }

    /// What an event of the current link does to the books.
    fn link_event(&mut self, event: &LinkEvent) {
        match (event, self.link) {
            (LinkEvent::Received(message), Link::Open)
                if ["ping", "pong", "config"].contains(&message.operation()) =>
            {
                self.down.settled += 1;
            }
            (LinkEvent::Flushed { messages, bytes }, Link::Open) => {
                // A driver that reports more than it was given may mean what deadlines wrote a moment ago.
                self.over_flushed = *messages > self.in_flight.0 || *bytes > self.in_flight.1;
                self.in_flight.0 = self.in_flight.0.saturating_sub(*messages);
                self.in_flight.1 = self.in_flight.1.saturating_sub(*bytes);
            }
            (LinkEvent::Pong(number), Link::Open) => {
                let Some(at) = self.pings.iter().position(|(ping, _)| ping == number) else { return };
                let before = self.pings[at].1;
                self.pings.drain(..=at);
                let first = self.written - self.unconfirmed.len() as u64;
                let confirmed = before.saturating_sub(first);
                self.unconfirmed.drain(..confirmed as usize);
                self.up.settled += confirmed;
            }
            _ => {}
        }
    }

    fn output(&mut self, output: &Output, keepalives: &mut u32) {
        assert!(
            !self.stopped
                || matches!(
                    output,
                    Output::Note(_)
                        | Output::JoinRefused { .. }
                        | Output::Receipt { .. }
                        | Output::Bury { .. }
                        | Output::Forget { .. }
                        | Output::Deliver { .. }
                ),
            "{output:?} after Stopped"
        );
        match output {
            Output::Open { epoch, .. } => {
                assert_eq!(self.link, Link::None, "one live link at most");
                assert_eq!(epoch.0, self.epoch.0 + 1, "epochs rise by one");
                (self.link, self.epoch) = (Link::Opening, *epoch);
            }
            Output::Write { epoch, message } => {
                self.on_open_link(*epoch, output);
                self.written_to_link(message, keepalives);
            }
            Output::Ping { epoch, number } => {
                self.on_open_link(*epoch, output);
                assert!(*number > self.seen_pings, "ping numbers rise");
                self.seen_pings = *number;
                self.pings.push((*number, self.written));
            }
            Output::Pause { epoch } | Output::Resume { epoch } | Output::Reach { epoch, .. } => {
                self.on_open_link(*epoch, output)
            }
            Output::Close { epoch } => {
                assert_eq!(*epoch, self.epoch);
                assert_ne!(self.link, Link::None, "closes what is there");
                self.link_over();
            }
            Output::Intake { .. }
            | Output::JoinRefused { .. }
            | Output::Receipt { .. }
            | Output::Store { .. }
            | Output::Forget { .. }
            | Output::Bury { .. }
            | Output::Fetch { .. } => {}
            Output::Deliver { module, message, .. } => self.delivered(*module, message),
            Output::Stopped => self.stopped = true,
            Output::Note(note) => self.note(note),
        }
    }

    fn on_open_link(&self, epoch: LinkEpoch, output: &Output) {
        assert_eq!((self.link, self.epoch), (Link::Open, epoch), "{output:?} needs an open link");
    }

    fn link_over(&mut self) {
        self.link = Link::None;
        self.pings.clear();
        self.unconfirmed.clear();
        self.in_flight = (0, 0);
    }

    fn written_to_link(&mut self, message: &Message, keepalives: &mut u32) {
        assert!(
            !message.is_sync() && message.destination().is_empty(),
            "local fields stay here: {message:?}"
        );
        self.in_flight.0 += 1;
        self.in_flight.1 += message.bytes();
        assert!(self.in_flight.0 <= WRITE_WINDOW_MESSAGES, "{:?} in flight", self.in_flight);
        assert!(
            self.in_flight.1 - message.bytes() < WRITE_WINDOW_BYTES,
            "one message may pass the window's end, not two"
        );
        if is_hubs_own(message) {
            *keepalives += u32::from(message.operation() == "keepalive");
            self.up.settled += 1;
            self.up.accepted += 1;
            return;
        }
        self.unconfirmed.push_back(message.bytes());
        self.written += 1;
        if is_bulk(message) {
            self.take_token();
        }
    }

    fn take_token(&mut self) {
        let Some(rate) = self.config.rate.filter(|rate| rate.per_second > 0) else { return };
        let refill = u128::from(self.mono - self.tokens_at) * u128::from(rate.per_second);
        self.tokens = (self.tokens + refill).min(u128::from(rate.burst.max(1)) * 1_000_000);
        self.tokens_at = self.mono;
        if !self.metered {
            return;
        }
        assert!(self.tokens >= 1_000_000, "faster than {rate:?} allows");
        self.tokens -= 1_000_000;
    }

    fn delivered(&mut self, module: ModuleId, message: &Message) {
        self.down.settled += 1;
        if (message.source(), message.resource()) == ("edgehub", "node/connection") {
            let key = (module, message.group().to_string());
            let before = self.connect_info.insert(key, message.content().to_string());
            assert!(
                self.inbox_loss || before.as_deref() != Some(message.content()),
                "connect info alternates: {} twice to {module:?}",
                message.content()
            );
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::LinkUp { epoch, .. } => {
                assert_eq!((self.link, *epoch), (Link::Opening, self.epoch));
                self.link = Link::Open;
                self.opened_at = self.mono;
                self.heartbeats = 0;
                self.shortest_heartbeat = micros(self.config.heartbeat).max(1000);
            }
            Note::LinkDown { epoch, .. } => {
                assert_eq!(*epoch, self.epoch);
                self.link_over();
            }
            Note::Dropped { direction, reason, .. } => {
                let book = match direction {
                    Direction::Up => &mut self.up,
                    Direction::Down => &mut self.down,
                };
                *book.dropped.entry(*reason).or_default() += 1;
                self.inbox_loss |= matches!(reason, DropReason::InboxFull | DropReason::ModuleStalled);
            }
            Note::SyncEnded { msg_id, outcome } => {
                let open = self.asked.get_mut(&**msg_id).map(|open| {
                    *open -= 1;
                    *open
                });
                assert!(open.is_some_and(|open| open >= 0), "{msg_id} ended twice: {outcome:?}");
            }
            _ => {}
        }
    }

    /// What holds between two moments.
    fn after(&mut self, hub: &Hub, moment: &Moment, keepalives: u32) {
        if let Input::Reconfigure(config) = &moment.input {
            self.reconfigured(config);
        }
        if std::mem::take(&mut self.over_flushed) {
            self.in_flight = (0, 0);
        }
        assert!(keepalives <= 1, "{keepalives} keepalives at once");
        self.heartbeats += u64::from(keepalives);
        if self.link == Link::Open && self.heartbeats > 0 {
            let age = self.mono - self.opened_at;
            assert!(self.heartbeats <= 1 + age / self.shortest_heartbeat, "heartbeats keep their distance");
        }
        self.books(hub);
        self.bounds(hub, moment);
    }

    fn books(&mut self, hub: &Hub) {
        let account = hub.account();
        assert!(account.balanced(), "{account:?}");
        for (book, ledger) in [(&self.up, account.up), (&self.down, account.down)] {
            for reason in DropReason::ALL {
                let seen = book.dropped.get(&reason).copied().unwrap_or_default();
                assert_eq!(ledger.dropped_for(reason), seen, "{reason}: {account:?}");
            }
        }
        assert_eq!(account.up.settled(), self.up.settled, "confirmed or written: {account:?}, {:?}", self.up);
        assert_eq!(account.down.settled(), self.down.settled, "delivered: {account:?}, {:?}", self.down);
        assert!(account.up.accepted >= self.up.accepted, "whatever modules send is in the books");
        let waiting: i64 = self.asked.values().sum();
        assert_eq!(hub.pending_requests() as i64, waiting, "every request waits, or has ended once");
    }

    fn bounds(&self, hub: &Hub, moment: &Moment) {
        let account = hub.account();
        let outbox = self.largest_outbox.0 + CONTROL_QUEUE_MAX;
        assert!(account.up.pending <= outbox as u64, "{} messages in the outbox", account.up.pending);
        assert!(hub.pending_requests() <= SYNC_PENDING_MAX);
        let inboxes = self.joined.len() * INBOX_MESSAGES_MAX;
        assert!(account.down.pending <= inboxes as u64, "{} messages in inboxes", account.down.pending);
        let work = 64
            + outbox * 2
            + hub.pending_requests()
            + self.asked.len() * 2
            + (inboxes + self.joined.len()) * 2
            + WRITE_WINDOW_MESSAGES * 2;
        assert!(moment.outputs.len() <= work, "{} outputs at once", moment.outputs.len());
        let bytes = self.largest_outbox.1 + self.largest_message;
        assert!(
            self.unconfirmed.iter().sum::<usize>() <= bytes,
            "more bytes unconfirmed than the outbox holds"
        );
    }
}
