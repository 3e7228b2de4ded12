//! One bell for everything that a driver waits for.
//!
//! A driver has many channels. Waiting on each of them costs every turn as many registrations, and every message a look at
//! them. With one bell a driver waits once, and looks into its channels when it rings.

mod channel;

pub(crate) use channel::{Receiver, Sender};

use concurrent_queue::ConcurrentQueue;
use futures_util::task::AtomicWaker;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// The bell of one task.
#[derive(Debug, Default)]
pub(crate) struct Bell(Arc<AtomicWaker>);

impl Bell {
    /// Both ends of a bounded channel whose senders ring.
    pub(crate) fn bounded<T>(&self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        channel::channel(ConcurrentQueue::bounded(capacity), Rope(self.0.clone()))
    }

    /// Both ends of an unbounded channel whose senders ring.
    pub(crate) fn unbounded<T>(&self) -> (Sender<T>, Receiver<T>) {
        channel::channel(ConcurrentQueue::unbounded(), Rope(self.0.clone()))
    }

    /// Waits until this is so; looks again whenever it rings. Only one task may wait.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        poll_fn(|context| {
            if is_so() {
                return Poll::Ready(());
            }
            self.0.register(context.waker());
            // What came in between has rung for nobody.
            if is_so() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// What rings the bell.
#[derive(Debug)]
struct Rope(Arc<AtomicWaker>);

impl Rope {
    fn pull(&self) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, zip};

    #[test]
    fn it_rings_for_what_is_sent_and_for_the_last_sender_that_goes() {
        let bell = Bell::default();
        let (sender, receiver) = bell.bounded(1);
        let other = sender.clone();
        let listen = async {
            let mut heard = Vec::new();
            loop {
                bell.until(|| !receiver.is_empty() || receiver.is_closed()).await;
                match receiver.try_recv() {
                    Some(item) => heard.push(item),
                    None => return heard,
                }
            }
        };
        let speak = async {
            // The channel holds one: each of them waits for the one before to be heard.
            for item in 0..5 {
                sender.send(item).await.unwrap();
            }
            other.send(5).await.unwrap();
            drop((sender, other));
        };
        let (heard, ()) = block_on(zip(listen, speak));
        assert_eq!(heard, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn it_rings_across_threads() {
        let bell = Bell::default();
        let (sender, receiver) = bell.unbounded();
        let speaker = std::thread::spawn(move || (0..10_000).for_each(|item| sender.try_send(item).unwrap()));
        let mut next = 0;
        while next < 10_000 {
            block_on(bell.until(|| !receiver.is_empty()));
            while let Some(item) = receiver.try_recv() {
                assert_eq!(item, next);
                next += 1;
            }
        }
        speaker.join().unwrap();
    }
}
