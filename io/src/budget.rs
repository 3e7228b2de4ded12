//! Bytes that may wait in a queue, beside its bound in messages.
//!
//! Each item of such a queue has a [`Share`] of its budget, which goes back when the item is taken out. Another one may come as long
//! as not all is used: so the largest message fits whatever the budget, and what waits is less than the budget and one message.

use event_listener::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[derive(Debug)]
struct State {
    most: usize,
    used: AtomicUsize,
    closed: AtomicBool,
    freed: Event,
}

/// A queue's budget, kept by whoever empties it. With it the waiting for room ends.
#[derive(Debug)]
pub(crate) struct Budget(Arc<State>);

impl Budget {
    pub(crate) fn of(bytes: usize) -> Budget {
        Budget(Arc::new(State {
            most: bytes,
            used: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            freed: Event::new(),
        }))
    }

    /// For those who fill the queue.
    pub(crate) fn allowance(&self) -> Allowance {
        Allowance(self.0.clone())
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.freed.notify(usize::MAX);
    }
}

/// What shares are taken from.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<State>);

impl Allowance {
    /// A share, if not all is used.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let more = |used: usize| (used < self.0.most).then(|| used.saturating_add(bytes));
        self.0.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Share { state: self.0.clone(), bytes })
    }

    /// A share, once not all is used; `None` once nobody empties the queue any more.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Share> {
        let mut waited = false;
        loop {
            let freed = match self.try_take(bytes) {
                Some(share) => {
                    if waited {
                        // What was given back may have room for more than this one.
                        self.0.freed.notify_additional(1);
                    }
                    return Some(share);
                }
                None => self.0.freed.listen(),
            };
            if self.0.closed.load(Ordering::SeqCst) {
                return None;
            }
            // What was given back before this one could be seen waiting has told nobody.
            if let Some(share) = self.try_take(bytes) {
                return Some(share);
            }
            freed.await;
            waited = true;
        }
    }
}

/// What an item has of its queue's budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    state: Arc<State>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.state.used.fetch_sub(self.bytes, Ordering::SeqCst);
        self.state.freed.notify_additional(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, poll_once};

    #[test]
    fn one_more_comes_as_long_as_not_all_is_used() {
        let budget = Budget::of(10);
        let allowance = budget.allowance();
        let first = allowance.try_take(9).unwrap();
        let second = allowance.try_take(1000).unwrap();
        assert!(allowance.try_take(0).is_none());
        drop(second);
        let second = allowance.try_take(1).unwrap();
        assert!(allowance.try_take(0).is_none(), "all is used, to the byte");
        drop(first);
        assert!(allowance.try_take(0).is_some());
        drop(second);
    }

    #[test]
    fn all_who_fit_get_what_one_gives_back() {
        let budget = Budget::of(10);
        let allowance = budget.allowance();
        block_on(async {
            let all = allowance.take(10).await.unwrap();
            let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(allowance.take(6))).collect();
            for one in &mut waiting {
                assert!(poll_once(one).await.is_none());
            }
            drop(all);
            let first = waiting.remove(0).await.unwrap();
            let second = waiting.remove(0).await.unwrap();
            assert!(poll_once(&mut waiting[0]).await.is_none());
            drop((first, second));
            assert!(waiting.remove(0).await.is_some());
        });
    }

    #[test]
    fn nobody_waits_for_a_queue_that_is_gone() {
        let budget = Budget::of(1);
        let allowance = budget.allowance();
        block_on(async {
            let _all = allowance.take(1).await.unwrap();
            let mut waiting = Box::pin(allowance.take(1));
            assert!(poll_once(&mut waiting).await.is_none());
            drop(budget);
            assert!(waiting.await.is_none());
            assert!(allowance.take(1).await.is_none());
        });
    }
}
