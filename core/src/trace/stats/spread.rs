//! How some lengths of time are spread.

use alloc::collections::BTreeMap;
use core::time::Duration;
use serde::Serialize;

/// The spread of some lengths of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// The shortest.
    pub min: Duration,
    /// Half are no longer. Like the other shares, it is at most a hundredth more than the least length of which that is so.
    pub p50: Duration,
    /// Nine of ten are no longer.
    pub p90: Duration,
    /// 99 of 100 are no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// Lengths of time, counted: however many they are, there are a few thousand counts of them.
#[derive(Debug, Clone, Default)]
pub struct Lengths {
    /// How many there are up to this one, in microseconds, and over the one before.
    counts: BTreeMap<u64, usize>,
    ends: Option<(Duration, Duration)>,
}

impl Lengths {
    /// One more.
    pub fn add(&mut self, length: Duration) {
        let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        *self.counts.entry(rounded(micros)).or_default() += 1;
        let (min, max) = self.ends.unwrap_or((length, length));
        self.ends = Some((min.min(length), max.max(length)));
    }

    /// How they are spread.
    pub fn spread(&self) -> Spread {
        let Some((min, max)) = self.ends else { return Spread::default() };
        let count = self.counts.values().sum::<usize>();
        let share = |percent: usize| {
            let wanted = (count as u128 * percent as u128 / 100) as usize;
            let mut before = 0;
            let found = self.counts.iter().find(|&(_, counted)| {
                before += counted;
                before > wanted
            });
            found.map_or(max, |(&micros, _)| Duration::from_micros(micros).clamp(min, max))
        };
        Spread { count, min, p50: share(50), p90: share(90), p99: share(99), max }
    }
}

impl FromIterator<Duration> for Lengths {
    fn from_iter<I: IntoIterator<Item = Duration>>(all: I) -> Lengths {
        let mut lengths = Lengths::default();
        all.into_iter().for_each(|length| lengths.add(length));
        lengths
    }
}

/// The largest number that begins with the same eight bits.
fn rounded(number: u64) -> u64 {
    let bits = (u64::BITS - number.leading_zeros()).saturating_sub(8);
    number | ((1 << bits) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_exact_ends() {
        let spread = (1..=100).rev().map(Duration::from_millis).collect::<Lengths>().spread();
        assert_eq!((spread.min, spread.max), (Duration::from_millis(1), Duration::from_millis(100)));
        assert_eq!((spread.count, spread.p99), (100, Duration::from_millis(100)));
        assert_eq!(Lengths::default().spread(), Spread::default());
        let one = Lengths::from_iter([Duration::from_secs(1)]).spread();
        assert_eq!((one.p50, one.min), (one.max, Duration::from_secs(1)));
    }

    #[test]
    fn shares_are_no_less_and_hardly_more_than_they_should_be() {
        let mut rng = crate::rng::Rng::new(4);
        let mut all: std::vec::Vec<u64> =
            (0..5000).map(|_| rng.below(1 << (1 + rng.clone().below(40)))).collect();
        let spread = all.iter().copied().map(Duration::from_micros).collect::<Lengths>().spread();
        all.sort_unstable();
        for (share, percent) in [(spread.p50, 50), (spread.p90, 90), (spread.p99, 99)] {
            let exact = Duration::from_micros(all[all.len() * percent / 100]);
            assert!(share >= exact && share <= exact + exact / 100, "{percent} %: {share:?}, {exact:?}");
        }
        assert!(
            all.iter().map(|&length| rounded(length)).collect::<std::collections::BTreeSet<_>>().len() < 5000
        );
    }

    #[test]
    fn what_is_short_is_not_rounded() {
        assert!((0..256).all(|number| rounded(number) == number));
        assert_eq!([256, 257, 258].map(rounded), [257, 257, 259]);
        assert_eq!([u64::MAX - 1, 1 << 63].map(rounded), [u64::MAX, (1 << 63) | ((1 << 56) - 1)]);
    }
}
