//! What arrived: which numbers, in which order, how late.

use super::{Histogram, Seen, latency};

/// Writes a content of about `size` bytes into `text`: `"NUMBER NANOSECONDS xxx…"`.
pub(super) fn payload(text: &mut String, number: u64, now_ns: u64, size: usize) {
    text.clear();
    text.push_str(itoa::Buffer::new().format(number));
    text.push(' ');
    text.push_str(itoa::Buffer::new().format(now_ns));
    text.push(' ');
    let quotes = 2;
    let mut missing = size.saturating_sub(text.len() + quotes);
    while missing > 0 {
        let piece = &PADDING[..missing.min(PADDING.len())];
        text.push_str(piece);
        missing -= piece.len();
    }
}

const PADDING: &str = match str::from_utf8(&[b'x'; 1024]) {
    Ok(padding) => padding,
    Err(_) => "x",
};

/// Marks the last message of a stream.
pub(super) const LAST: u64 = u64::MAX;

pub(super) struct Tally {
    /// One bit per number.
    seen: Vec<u64>,
    received: u64,
    duplicates: u64,
    out_of_order: u64,
    newest: Option<u64>,
    last: bool,
    times: Histogram,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            seen: Vec::new(),
            received: 0,
            duplicates: 0,
            out_of_order: 0,
            newest: None,
            last: false,
            times: Histogram::new(),
        }
    }

    /// Counts a message by its content (raw JSON); `false` when it is not one of ours.
    pub(super) fn add(&mut self, content: &str, now_ns: u64) -> bool {
        let mut parts = content.trim_start_matches('"').split(' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (Some(number), Some(made_ns)) = (number(), number()) else { return false };
        if number == LAST {
            self.last = true;
            return true;
        }
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.duplicates += 1;
            return true;
        }
        self.seen[word] |= bit;
        self.received += 1;
        self.out_of_order += u64::from(self.newest.is_some_and(|newest| newest > number));
        self.newest = self.newest.max(Some(number));
        self.times.add(now_ns.saturating_sub(made_ns));
        true
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn is_last(&self) -> bool {
        self.last
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            received: self.received,
            duplicates: self.duplicates,
            out_of_order: self.out_of_order,
            latency_us: latency(&self.times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_doubled_and_late_messages_are_seen() {
        let mut tally = Tally::new();
        let content = |number, size| {
            let mut text = String::new();
            payload(&mut text, number, 5, size);
            text
        };
        for number in [0, 1, 4, 2, 2, 70] {
            assert!(tally.add(&format!("\"{}\"", content(number, 256)), 1005));
        }
        let seen = tally.seen();
        assert_eq!((seen.received, seen.duplicates, seen.out_of_order), (5, 1, 1));
        assert_eq!(seen.latency_us.max, 1.0);
        assert!(!tally.add("\"cloud_connected\"", 0));
        assert!(!tally.is_last() && tally.add(&content(LAST, 0), 0) && tally.is_last());
    }
}
