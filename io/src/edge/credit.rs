//! When the hub hears of what a module has taken: seldom, for the hub's time is dear, and in time.

use super::module::INBOX;
use edgehub_core::limits::HANDED_BYTES_MAX;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The hub hears of taken messages at least this often, as long as any are taken: a slow module is not a stalled one.
const AFTER_MS: u64 = 1000;

/// Bits of [`Credit::taken`] for bytes: those of many of the largest messages.
const BYTES: u32 = 40;

/// What a module owes the hub.
#[derive(Debug)]
pub(super) struct Credit {
    /// Messages and, in the lower bits, bytes that were taken since the hub heard of it: one number, so that none is lost
    /// between two.
    taken: AtomicU64,
    since: Instant,
    /// When the hub heard of it for its age, in milliseconds since then.
    told_ms: AtomicU64,
}

impl Credit {
    pub(super) fn new() -> Credit {
        Credit { taken: AtomicU64::new(0), since: Instant::now(), told_ms: AtomicU64::new(0) }
    }

    /// Counts a message that was taken; returns how many the hub should hear of now: when half of what it would wait for is
    /// there, or it has not heard of any for a while.
    pub(super) fn took(&self, bytes: usize) -> Option<u32> {
        self.took_after(self.since.elapsed(), bytes)
    }

    fn took_after(&self, elapsed: Duration, bytes: usize) -> Option<u32> {
        let one = (1 << BYTES) + bytes as u64;
        let taken = self.taken.fetch_add(one, Ordering::Relaxed) + one;
        let (messages, bytes) = (taken >> BYTES, taken % (1 << BYTES));
        let enough = messages >= u64::from(INBOX / 2) || bytes >= HANDED_BYTES_MAX as u64 / 2;
        if !self.is_due(elapsed) && !enough {
            return None;
        }
        u32::try_from(self.taken.swap(0, Ordering::Relaxed) >> BYTES).ok()
    }

    fn is_due(&self, elapsed: Duration) -> bool {
        let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let due = now.saturating_sub(self.told_ms.load(Ordering::Relaxed)) >= AFTER_MS;
        if due {
            self.told_ms.store(now, Ordering::Relaxed);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_core::limits::FRAME_BYTES_MAX;

    fn took(credit: &Credit, bytes: usize) -> Option<u32> {
        credit.took_after(Duration::from_millis(AFTER_MS - 1), bytes)
    }

    #[test]
    fn the_hub_hears_of_half_of_its_window() {
        let credit = Credit::new();
        let heard: Vec<u32> = (0..INBOX).filter_map(|_| took(&credit, 100)).collect();
        assert_eq!(heard, [INBOX / 2, INBOX / 2]);
    }

    #[test]
    fn large_messages_are_told_of_before_the_hub_waits_for_it() {
        let credit = Credit::new();
        let large = HANDED_BYTES_MAX / 4;
        assert_eq!([large; 3].map(|bytes| took(&credit, bytes)), [None, Some(2), None]);
        assert_eq!(took(&credit, FRAME_BYTES_MAX), Some(2));
    }

    #[test]
    fn a_slow_module_is_heard_of() {
        let (credit, after) = (Credit::new(), Duration::from_millis(AFTER_MS));
        assert_eq!([after, after, 2 * after].map(|at| credit.took_after(at, 1)), [Some(1), None, Some(2)]);
    }
}
