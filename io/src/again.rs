//! Polls a future again when it has woken itself.
//!
//! A driver and its link's tasks hand work to each other: each wakes the other while both are polled. The reactor's
//! `block_on` asks the operating system for news between two polls, five system calls each time. Here a round that was asked
//! for during the last one follows at once, and only a few of them before others have their turn.

use futures_util::task::AtomicWaker;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Rounds that follow each other at once.
const ROUNDS: usize = 8;

/// Runs the future, in rounds.
pub(crate) async fn again<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let inner = Arc::new(Inner::default());
    let waker = Waker::from(inner.clone());
    std::future::poll_fn(|context| {
        inner.outer.register(context.waker());
        inner.polled.store(true, Ordering::SeqCst);
        for _ in 0..ROUNDS {
            inner.woken.store(false, Ordering::SeqCst);
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(done);
            }
            if !inner.woken.load(Ordering::SeqCst) {
                break;
            }
        }
        // From here on a waker wakes from outside; one that came before has left its mark.
        inner.polled.store(false, Ordering::SeqCst);
        if inner.woken.load(Ordering::SeqCst) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

#[derive(Debug, Default)]
struct Inner {
    outer: AtomicWaker,
    /// Whether it is being polled.
    polled: AtomicBool,
    /// Whether it wants to be.
    woken: AtomicBool,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.polled.load(Ordering::SeqCst) {
            self.outer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, poll_fn, yield_now};

    /// Counts the polls from outside that a future takes.
    fn polls(work: impl Future<Output = ()>) -> usize {
        let mut work = pin!(work);
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            work.as_mut().poll(context)
        }));
        polls
    }

    async fn yields(times: usize) {
        for _ in 0..times {
            yield_now().await;
        }
    }

    #[test]
    fn rounds_follow_at_once_but_not_for_ever() {
        assert_eq!(polls(yields(ROUNDS - 1)), ROUNDS);
        assert_eq!(polls(again(yields(ROUNDS - 1))), 1);
        assert_eq!(polls(again(yields(ROUNDS))), 2);
        assert_eq!(polls(again(yields(3 * ROUNDS))), 4);
    }

    #[test]
    fn it_is_woken_from_outside() {
        for _ in 0..1000 {
            let (sender, receiver) = async_channel::bounded(1);
            let other = std::thread::spawn(move || sender.try_send(7).unwrap());
            assert_eq!(block_on(again(receiver.recv())), Ok(7));
            other.join().unwrap();
        }
    }
}
