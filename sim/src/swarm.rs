//! Many seeds on many threads, with a result that does not depend on how many.

use crate::generate::generate;
use crate::log::LogKind;
use crate::run::{Failure, Report, run};
use crate::watchdog::{Stuck, watched};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What a swarm is to do.
#[derive(Debug, Clone)]
pub struct Swarm {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// How long the trouble of each lasts.
    pub duration: Duration,
    /// Threads.
    pub jobs: usize,
    /// How long one event may take, in real time.
    pub patience: Duration,
}

/// A seed whose scenario failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// How it failed.
    pub failure: Failure,
}

/// Runs the seeds and returns the sum, or the lowest seed that fails: the same one, however many threads there are.
/// `progress` is told of each seed that is done, `stuck` of one that goes on for ever.
pub fn swarm(
    swarm: &Swarm,
    progress: &(impl Fn() + Sync),
    stuck: &(dyn Fn(Stuck) + Sync),
) -> Result<Report, Failed> {
    let next = AtomicU64::new(swarm.seeds.start);
    let end = AtomicU64::new(swarm.seeds.end);
    let work = || {
        let mut sum = Report::default();
        let mut failed: Option<Failed> = None;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // A failure ends the swarm, but lower seeds, which have all been taken by now, are still waited for.
            if seed >= end.load(Ordering::Relaxed) {
                return (sum, failed);
            }
            match run(&generate(seed, swarm.duration), LogKind::Nothing).0 {
                Ok(report) => sum.add(&report),
                Err(failure) => {
                    end.fetch_min(seed, Ordering::Relaxed);
                    failed = failed.filter(|failed| failed.seed < seed).or(Some(Failed { seed, failure }));
                }
            }
            progress();
        }
    };
    let done: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..swarm.jobs.max(1)).map(|_| scope.spawn(|| watched(swarm.patience, stuck, work))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut sum = Report::default();
    let mut lowest: Option<Failed> = None;
    for joined in done {
        let (report, failed) = joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        sum.add(&report);
        lowest = [lowest, failed].into_iter().flatten().min_by_key(|failed| failed.seed);
    }
    lowest.map_or(Ok(sum), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog::PATIENCE;

    #[test]
    fn the_sum_does_not_depend_on_the_number_of_threads() {
        let of = |jobs| {
            let plan = Swarm { seeds: 0..12, duration: Duration::from_secs(30), jobs, patience: PATIENCE };
            swarm(&plan, &|| {}, &|stuck| panic!("{stuck}"))
        };
        assert_eq!(of(1), of(3));
    }
}
