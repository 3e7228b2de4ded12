//! A pong confirms exactly what was written before its ping, on the same link.

use super::{Check, Outcome, Step};
use edgehub_core::{Input, LinkEvent, Note, Output};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Confirmation {
    /// Written on this link: messages, and the pings between them.
    written: VecDeque<Written>,
    confirmed: Vec<String>,
    settled: u64,
}

#[derive(Debug)]
enum Written {
    Message(String),
    Ping(u64),
}

impl Confirmation {
    pub(super) fn confirmed(&self) -> &[String] {
        &self.confirmed
    }

    /// Everything up to the ping; the pongs of earlier ones are not needed any more.
    fn pong(&mut self, number: u64) {
        let Some(at) = self.written.iter().position(|written| matches!(written, Written::Ping(n) if *n == number))
        else {
            return;
        };
        self.confirmed.extend(self.written.drain(..=at).filter_map(|written| match written {
            Written::Message(id) => Some(id),
            Written::Ping(_) => None,
        }));
    }
}

impl Check for Confirmation {
    fn name(&self) -> &'static str {
        "confirmation"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        self.confirmed.clear();
        let settled = step.hub.account().up.settled;
        let newly = settled - std::mem::replace(&mut self.settled, settled);
        // Writes that come with the pong come after it, or, from a due timer, with a higher ping than its own.
        if let Input::Link { epoch, event: LinkEvent::Pong(number) } = step.input
            && (*epoch == step.hub.epoch() && newly > 0)
        {
            self.pong(*number);
        }
        if newly != self.confirmed.len() as u64 {
            return Err(format!("{newly} messages were settled, of {} that the pong covers", self.confirmed.len()));
        }
        for output in step.outputs {
            match output {
                Output::Write { message, .. } => {
                    self.written.push_back(Written::Message(message.msg_id().to_string()));
                }
                Output::Ping { number, .. } => self.written.push_back(Written::Ping(*number)),
                Output::Note(Note::LinkUp { .. } | Note::LinkDown { .. }) => self.written.clear(),
                _ => {}
            }
        }
        Ok(())
    }
}
