//! A fixed-size histogram of durations: 2 % wide buckets, 16 KiB, whatever the number of values.

/// Values are nanoseconds.
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

/// Buckets per doubling.
const STEPS: u64 = 32;

impl Histogram {
    pub(super) fn new() -> Histogram {
        Histogram { counts: vec![0; 64 * STEPS as usize], total: 0, max: 0 }
    }

    pub(super) fn add(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max = self.max.max(ns);
    }

    /// The value below which this share of all values lies, in microseconds; 0 without values.
    pub(super) fn quantile_us(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return upper_end(bucket).min(self.max) as f64 / 1e3;
            }
        }
        0.0
    }

    pub(super) fn max_us(&self) -> f64 {
        self.max as f64 / 1e3
    }
}

fn bucket(ns: u64) -> usize {
    if ns < STEPS {
        return ns as usize;
    }
    let doublings = u64::from(ns.ilog2()) - u64::from(STEPS.ilog2());
    (doublings * STEPS + (ns >> doublings)) as usize
}

/// The largest value of a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doublings = bucket / STEPS - 1;
    let start = (bucket - doublings * STEPS) << doublings;
    start + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        for ns in (0..2_000_000_000).step_by(999_983).chain(0..5000).chain([u64::MAX]) {
            let end = upper_end(bucket(ns));
            assert!(end >= ns && (end - ns) as f64 <= ns as f64 / STEPS as f64 + 1.0, "{ns} {end}");
            assert!(bucket(ns) < 64 * STEPS as usize);
        }
    }

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|us| histogram.add(us * 1000));
        assert!((histogram.quantile_us(0.5) - 500.0).abs() < 20.0);
        assert!((histogram.quantile_us(0.99) - 990.0).abs() < 40.0);
        assert_eq!(histogram.max_us(), 1000.0);
        assert_eq!(Histogram::new().quantile_us(0.5), 0.0);
    }
}
