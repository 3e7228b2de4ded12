//! A small model of the original hub: what it does, as far as the known defects show it.
//!
//! Written from the behaviour that was observed and measured, not from its source. It has the original's threads (one
//! reads the link into a buffer, one hands the buffer to the modules, one per link writes what modules send, one per
//! link sends keepalives, one connects), and each does one thing at a time; a [`Schedule`] says whose turn comes late.
//! Where the behaviour is not known, the model is kind: nothing goes wrong but what was seen to.

mod threads;

use super::stage::{MODULES, Seen, Subject};
use crate::original::Tries;
use edgehub_core::{Instant, Message};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Messages that the receive buffer holds.
const BUFFER: usize = 100;
/// The rate limit, for everything that modules send: tokens per second, and in a full bucket.
const RATE: u64 = 30;
const BURST: u64 = 60;
/// How long the operating system tries to deliver what nobody acknowledges.
const TCP_GIVES_UP: Duration = Duration::from_secs(15 * 60);
/// Parts of a token.
const TOKEN: u64 = 1_000_000;

/// Which thread gets its turn late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// The one that writes: the answer is there before it goes on.
    WriterLast,
    /// The one that reads, between looking at the buffer and touching it.
    ReaderLast,
}

/// One link's own threads. They outlive it until they notice.
#[derive(Debug)]
struct Link {
    number: u64,
    /// The peer has closed it.
    closed: bool,
    /// Since when what is written vanishes.
    silent_since: Option<Instant>,
    /// The thread that writes, until a write fails.
    writer: Option<Writer>,
    /// The next keepalive, until one fails.
    keepalive_at: Option<Instant>,
}

#[derive(Debug)]
enum Writer {
    /// It waits for a message.
    Idle,
    /// It has one, and waits for the rate limit.
    Limited { message: Message, module: usize },
    /// It has written a request, and is about to remember who asked.
    Written { msg_id: String, module: usize },
}

#[derive(Debug)]
enum Reader {
    Reading,
    /// It found the buffer full and is about to take the oldest out. Since which event.
    Discarding(Message, u64),
    /// It waits for ever for a message to discard.
    Stuck,
}

#[derive(Debug)]
pub(super) struct Original {
    schedule: Schedule,
    now: Instant,
    /// Events of the scene so far.
    events: u64,
    seen: Seen,
    accepts: bool,
    quick: bool,
    links: Vec<Link>,
    /// The link that counts as connected.
    connected: Option<u64>,
    dial_at: Option<Instant>,
    tries: Tries,
    /// Calls for a reconnect that nobody has heard yet.
    reconnects: u32,
    /// What modules have sent and no writer has taken.
    queue: VecDeque<(usize, Message)>,
    tokens: u64,
    tokens_at: Instant,
    waiters: BTreeMap<String, usize>,
    socket: VecDeque<Message>,
    reader: Reader,
    buffer: VecDeque<Message>,
    /// What is being handed over, and to whom.
    handing_over: Option<(usize, Message)>,
    credit: [u32; MODULES.len()],
}

impl Original {
    pub(super) fn new(schedule: Schedule) -> Original {
        Original {
            schedule,
            now: Instant(0),
            events: 0,
            seen: Seen::default(),
            accepts: true,
            quick: false,
            links: Vec::new(),
            connected: None,
            dial_at: Some(Instant(0)),
            tries: Tries::default(),
            reconnects: 0,
            queue: VecDeque::new(),
            tokens: BURST * TOKEN,
            tokens_at: Instant(0),
            waiters: BTreeMap::new(),
            socket: VecDeque::new(),
            reader: Reader::Reading,
            buffer: VecDeque::new(),
            handing_over: None,
            credit: [0; MODULES.len()],
        }
    }

    fn current(&mut self) -> Option<&mut Link> {
        let number = self.connected?;
        self.links.iter_mut().find(|link| link.number == number)
    }

    fn event(&mut self) {
        self.events += 1;
        self.run();
    }
}

impl Subject for Original {
    fn pass(&mut self, length: Duration) {
        let end = self.now + length;
        self.event();
        while let Some(at) = self.next_moment().filter(|&at| at <= end) {
            self.now = at.max(self.now);
            self.event();
        }
        self.now = end;
        self.event();
    }

    fn cloud_accepts(&mut self, accepts: bool) {
        self.accepts = accepts;
    }

    fn cloud_is_quick(&mut self) {
        self.quick = true;
    }

    fn arrives(&mut self, message: Message) {
        if self.current().is_some_and(|link| !link.closed && link.silent_since.is_none()) {
            self.socket.push_back(message);
        }
        self.event();
    }

    fn link_closes(&mut self) {
        // Nobody looks: the next write fails.
        if let Some(link) = self.current() {
            link.closed = true;
        }
    }

    fn link_goes_silent(&mut self) {
        let now = self.now;
        if let Some(link) = self.current() {
            link.silent_since = Some(now);
        }
    }

    fn old_link_fails_again(&mut self) {
        // Its own threads see to that.
        self.event();
    }

    fn sends(&mut self, module: usize, message: Message) {
        self.queue.push_back((module, message));
        self.event();
    }

    fn takes(&mut self, module: usize, messages: u32) {
        self.credit[module] += messages;
        self.event();
    }

    fn into_seen(self) -> Seen {
        self.seen
    }
}
