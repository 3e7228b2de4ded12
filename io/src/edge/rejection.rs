//! What a module hears of messages that it sent without asking for a receipt, and that were refused.

use async_channel::{Receiver, Sender};
use edgehub_core::hub::DropReason;
use std::fmt;

/// Rejections that wait for a module to take them. Many never do.
const WAITING_MAX: usize = 256;

/// A message that was sent, and refused: it is larger than its class allows, or its class is full and says `overflow: reject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The message's id.
    pub msg_id: Box<str>,
    /// Why.
    pub reason: DropReason,
    /// The largest message that would have been taken, in bytes, if that is why.
    pub limit: Option<usize>,
    /// Rejections between this and the one before that are not told, because too many waited to be taken.
    pub missed: u64,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} is rejected: {}", self.msg_id, self.reason)?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", which is {limit} bytes"))
    }
}

/// The driver's end of a module's rejections.
#[derive(Debug)]
pub(super) struct Rejections {
    sender: Sender<Rejection>,
    missed: u64,
}

impl Rejections {
    pub(super) fn new() -> (Rejections, Receiver<Rejection>) {
        let (sender, receiver) = async_channel::bounded(WAITING_MAX);
        (Rejections { sender, missed: 0 }, receiver)
    }

    pub(super) fn tell(&mut self, msg_id: Box<str>, reason: DropReason, limit: Option<usize>) {
        match self.sender.try_send(Rejection { msg_id, reason, limit, missed: self.missed }) {
            Ok(()) => self.missed = 0,
            Err(_) => self.missed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_bounded_and_counted() {
        let (mut rejections, told) = Rejections::new();
        let mut reject = |id: usize| rejections.tell(id.to_string().into(), DropReason::ClassFull, None);
        (0..WAITING_MAX + 3).for_each(&mut reject);
        assert_eq!(told.len(), WAITING_MAX);
        assert!((0..WAITING_MAX).all(|id| *told.try_recv().unwrap().msg_id == *id.to_string()));
        reject(1000);
        let next = told.try_recv().unwrap();
        assert_eq!((&*next.msg_id, next.missed), ("1000", 3));
        reject(1001);
        assert_eq!(told.try_recv().unwrap().missed, 0);
    }
}
