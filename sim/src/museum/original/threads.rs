//! What each thread of the original does, one step at a time; `true` means that it did something.

use super::super::stage::{META, TWIN, answer};
use super::{BUFFER, BURST, Link, Original, RATE, Reader, Schedule, TCP_GIVES_UP, TOKEN, Writer};
use crate::original::{AFTER_LOSS, HEARTBEAT};
use edgehub_core::message::operation;
use edgehub_core::{Instant, Message};
use std::time::Duration;

impl Original {
    /// Every thread takes its turns until none has anything to do.
    pub(super) fn run(&mut self) {
        let turns: [fn(&mut Original) -> bool; 5] = match self.schedule {
            Schedule::WriterLast => {
                [Self::connect, Self::read, Self::hand_over, Self::keep_alive, Self::write]
            }
            Schedule::ReaderLast => {
                [Self::connect, Self::hand_over, Self::write, Self::keep_alive, Self::read]
            }
        };
        while turns.iter().any(|turn| turn(self)) {}
    }

    /// When something will happen by itself.
    pub(super) fn next_moment(&self) -> Option<Instant> {
        let limited = self.links.iter().any(|link| matches!(link.writer, Some(Writer::Limited { .. })));
        let token = TOKEN.saturating_sub(self.tokens).div_ceil(RATE);
        let token_at = limited.then(|| self.tokens_at + Duration::from_micros(token));
        let beats = self.links.iter().filter_map(|link| link.keepalive_at);
        beats.chain(self.dial_at).chain(token_at).filter(|&at| at > self.now).min()
    }

    /// The thread that connects: after a call for a reconnect it waits, always as long, and dials.
    fn connect(&mut self) -> bool {
        if self.reconnects > 0 && self.dial_at.is_none() {
            self.reconnects -= 1;
            // Whatever the call was about, the link of now is given up, in good order: its threads end with it, unless
            // the peer was first.
            if let Some(link) = self.current().filter(|link| !link.closed && link.silent_since.is_none()) {
                link.closed = true;
                (link.writer, link.keepalive_at) = (None, None);
            }
            self.connected = None;
            self.dial_at = Some(self.now + AFTER_LOSS);
            return true;
        }
        if self.dial_at.is_none_or(|at| at > self.now) {
            return false;
        }
        self.seen.dials.push(self.now);
        // What was called for during the wait is settled with this.
        self.reconnects = 0;
        self.dial_at = if self.accepts { None } else { Some(self.now + self.tries.failed()) };
        if self.accepts {
            self.tries.opened();
            let number = self.links.len() as u64;
            self.links.push(Link {
                number,
                closed: false,
                silent_since: None,
                writer: Some(Writer::Idle),
                keepalive_at: Some(self.now),
            });
            self.connected = Some(number);
            self.socket.clear();
        }
        true
    }

    /// Puts bytes on a link; `false` when that fails.
    fn put(&mut self, at: usize, id: &str) -> bool {
        let link = &self.links[at];
        let given_up = link.silent_since.is_some_and(|since| self.now >= since + TCP_GIVES_UP);
        if link.closed || given_up {
            return false;
        }
        if link.silent_since.is_none() {
            self.seen.at_cloud.push((self.now, id.to_string()));
        }
        true
    }

    /// The thread of a link that sends keepalives, until one fails.
    fn keep_alive(&mut self) -> bool {
        let due = |link: &Link| link.keepalive_at.is_some_and(|at| at <= self.now);
        let Some(at) = self.links.iter().position(due) else { return false };
        if self.put(at, "keepalive") {
            self.links[at].keepalive_at = Some(self.now + HEARTBEAT);
        } else {
            self.links[at].keepalive_at = None;
            self.reconnects += 1;
        }
        true
    }

    /// The threads that write, the oldest link's first: they all take from one queue.
    fn write(&mut self) -> bool {
        (0..self.links.len()).any(|at| self.write_on(at))
    }

    fn write_on(&mut self, at: usize) -> bool {
        match self.links[at].writer.take() {
            Some(Writer::Idle) => match self.queue.pop_front() {
                Some((module, message)) => {
                    self.limit(at, module, message);
                    true
                }
                None => {
                    self.links[at].writer = Some(Writer::Idle);
                    false
                }
            },
            Some(Writer::Limited { message, module }) => {
                let before = self.refill();
                self.limit(at, module, message);
                before >= TOKEN
            }
            Some(Writer::Written { msg_id, module }) => {
                self.waiters.insert(msg_id, module);
                self.links[at].writer = Some(Writer::Idle);
                true
            }
            None => false,
        }
    }

    fn refill(&mut self) -> u64 {
        let passed = self.now.since(self.tokens_at).as_micros() as u64;
        self.tokens = (self.tokens + passed * RATE).min(BURST * TOKEN);
        self.tokens_at = self.now;
        self.tokens
    }

    /// A writer has a message: it waits for a token, and everything behind it waits with it.
    fn limit(&mut self, at: usize, module: usize, message: Message) {
        if self.refill() < TOKEN {
            self.links[at].writer = Some(Writer::Limited { message, module });
            return;
        }
        self.tokens -= TOKEN;
        if !self.put(at, message.msg_id()) {
            // The message is lost with the write, and this thread ends with a call for a reconnect.
            self.reconnects += 1;
            return;
        }
        if self.quick && message.operation() == operation::QUERY {
            let id = format!("answer to {}", message.msg_id());
            self.socket.push_back(answer(&id, message.msg_id()));
        }
        self.links[at].writer = Some(match message.is_sync() {
            true => Writer::Written { msg_id: message.msg_id().to_string(), module },
            false => Writer::Idle,
        });
    }

    /// The thread that reads the link into the buffer.
    fn read(&mut self) -> bool {
        match std::mem::replace(&mut self.reader, Reader::Reading) {
            Reader::Reading => {
                let Some(message) = self.socket.pop_front() else { return false };
                if self.buffer.len() < BUFFER {
                    self.buffer.push_back(message);
                } else {
                    self.reader = Reader::Discarding(message, self.events);
                }
                true
            }
            Reader::Discarding(message, since)
                if self.schedule == Schedule::ReaderLast && since == self.events =>
            {
                self.reader = Reader::Discarding(message, since);
                false
            }
            Reader::Discarding(message, _) => {
                // The oldest makes room, and nobody is told. If another thread has emptied the buffer meanwhile, this
                // one waits for a message to throw away, and nobody but itself could bring one.
                match self.buffer.pop_front() {
                    Some(_) => self.buffer.push_back(message),
                    None => self.reader = Reader::Stuck,
                }
                true
            }
            Reader::Stuck => {
                self.reader = Reader::Stuck;
                false
            }
        }
    }

    /// The thread that hands the buffer to the modules, one message after the other.
    fn hand_over(&mut self) -> bool {
        if let Some((module, message)) = self.handing_over.take() {
            if self.credit[module] == 0 {
                // It waits, and so does everything behind.
                self.handing_over = Some((module, message));
                return false;
            }
            self.deliver(module, &message);
            return true;
        }
        let Some(message) = self.buffer.pop_front() else { return false };
        if !message.is_response() {
            let module = if message.group() == "twin" { TWIN } else { META };
            self.handing_over = Some((module, message));
        } else if let Some(module) = self.waiters.remove(message.parent_msg_id())
            && self.credit[module] > 0
        {
            self.deliver(module, &message);
        }
        // An answer that nobody waits for, or whose asker is not ready at this moment, is dropped.
        true
    }

    fn deliver(&mut self, module: usize, message: &Message) {
        self.credit[module] -= 1;
        self.seen.delivered.push((self.now, module, message.msg_id().to_string()));
    }
}
