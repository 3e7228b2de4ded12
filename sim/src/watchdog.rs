//! Whether a run still moves, seen from another thread. An endless loop inside one call of the core ends no event and
//! breaks no rule: nothing on its own thread can find it.
//!
//! This is the only place of the simulator's library that waits for real time. It decides nothing of a run that moves.

use crate::scenario::Scenario;
use edgehub_core::Instant;
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long one event may take, if nothing else is said. The longest that has been seen takes some milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until a run is given up. They are counted, not the time: when the whole machine stood still, nothing is wrong.
const LOOKS: u32 = 100;

/// What the process may grow during one event; a loop that goes on adding would fill the machine sooner than it is late.
const GROWTH_BYTES_MAX: u64 = 1 << 30;

/// A run that has stopped moving.
#[derive(Debug)]
pub struct Stuck {
    /// What is run.
    pub scenario: Scenario,
    /// The time of the event that does not end.
    pub at: Instant,
    /// For how long nobody has heard of it.
    pub patience: Duration,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stuck { at, patience, .. } = self;
        let (seconds, rest) = (at.0 / 1_000_000, at.0 % 1_000_000);
        write!(
            f,
            "stuck/event, after {seconds}.{rest:06} s: one event does not end within {patience:?} or 1 GiB"
        )
    }
}

/// What a thread that runs scenarios shows of it.
#[derive(Debug, Default)]
struct Pulse {
    beats: AtomicU64,
    at: AtomicU64,
    playing: Mutex<Option<Scenario>>,
}

impl Pulse {
    fn playing(&self) -> MutexGuard<'_, Option<Scenario>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self, at: Instant) {
        self.at.store(at.0, Ordering::Relaxed);
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// The pulse of this thread, if somebody watches it.
    static PULSE: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

/// An event begins at this time.
pub(crate) fn beat(at: Instant) {
    PULSE.with_borrow(|pulse| {
        if let Some(pulse) = pulse {
            pulse.beat(at);
        }
    });
}

/// A scenario is run until this is dropped.
pub(crate) struct Playing(());

impl Playing {
    pub(crate) fn begin(scenario: &Scenario) -> Playing {
        PULSE.with_borrow(|pulse| {
            if let Some(pulse) = pulse {
                pulse.beat(Instant(0));
                *pulse.playing() = Some(scenario.clone());
            }
        });
        Playing(())
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        PULSE.with_borrow(|pulse| {
            if let Some(pulse) = pulse {
                *pulse.playing() = None;
            }
        });
    }
}

/// Does some work, which may run any number of scenarios on this thread, while another thread watches it. `stuck` is told,
/// once and on that other thread, of a scenario whose event does not end within this `patience`. The work cannot be
/// ended: `stuck` will want to end the process.
pub fn watched<T>(patience: Duration, stuck: &(dyn Fn(Stuck) + Sync), work: impl FnOnce() -> T) -> T {
    let pulse = Arc::new(Pulse::default());
    thread::scope(|scope| {
        // Dropped when the work is done, however it ends: that is what the watching thread waits for.
        let (_done, ended) = mpsc::channel::<()>();
        let seen = pulse.clone();
        scope.spawn(move || watch(&seen, patience, stuck, &ended));
        let _shown = Shown(PULSE.replace(Some(pulse)));
        work()
    })
}

/// Puts back what this thread showed before.
struct Shown(Option<Arc<Pulse>>);

impl Drop for Shown {
    fn drop(&mut self) {
        PULSE.replace(self.0.take());
    }
}

fn watch(pulse: &Pulse, patience: Duration, stuck: &(dyn Fn(Stuck) + Sync), ended: &Receiver<()>) {
    let mut seen = Seen::default();
    while ended.recv_timeout(patience / LOOKS) == Err(RecvTimeoutError::Timeout) {
        let gone = seen.stands_still(pulse.beats.load(Ordering::Relaxed), resident_bytes());
        // Between two scenarios nothing moves, and nothing is wrong.
        let scenario = if gone { pulse.playing().clone() } else { None };
        if let Some(scenario) = scenario {
            let at = Instant(pulse.at.load(Ordering::Relaxed));
            return stuck(Stuck { scenario, at, patience });
        }
    }
}

/// What the last looks showed.
#[derive(Debug, Default)]
struct Seen {
    beats: u64,
    looks: u32,
    bytes: u64,
}

impl Seen {
    /// Whether so many looks have shown the same event, or it has eaten too much.
    fn stands_still(&mut self, beats: u64, bytes: u64) -> bool {
        if beats != self.beats {
            *self = Seen { beats, looks: 0, bytes };
            return false;
        }
        self.looks += 1;
        self.looks >= LOOKS || bytes.saturating_sub(self.bytes) > GROWTH_BYTES_MAX
    }
}

/// What the process holds in memory; nothing where nobody says so.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogKind;
    use crate::run::run;
    use crate::scenario::{Action, Subject, Verb};
    use std::sync::mpsc::{Sender, channel};

    #[test]
    fn an_event_is_given_up_at_the_last_look_and_not_before() {
        let mut seen = Seen::default();
        assert!(!seen.stands_still(1, 0));
        assert!((1..LOOKS).all(|_| !seen.stands_still(1, 0)));
        assert!(!seen.stands_still(2, 0), "it moved");
        assert!((1..LOOKS).all(|_| !seen.stands_still(2, 0)));
        assert!(seen.stands_still(2, 0));
    }

    #[test]
    fn an_event_that_eats_memory_is_given_up_at_once() {
        let mut seen = Seen::default();
        assert!(!seen.stands_still(1, 500));
        assert!(!seen.stands_still(1, 500 + GROWTH_BYTES_MAX));
        assert!(!seen.stands_still(2, 501 + GROWTH_BYTES_MAX), "what earlier events took counts no more");
        assert!(!seen.stands_still(2, 501 + 2 * GROWTH_BYTES_MAX));
        assert!(seen.stands_still(2, 502 + 2 * GROWTH_BYTES_MAX));
    }

    thread_local! {
        /// Whoever ends the endless event of the test below.
        static END: RefCell<Option<Receiver<()>>> = const { RefCell::new(None) };
    }

    /// The event ends when the watching thread says so, and never if it does not.
    #[test]
    fn an_event_without_end_is_told_with_its_scenario_and_its_time() {
        let act: fn(&mut crate::world::World, &crate::scenario::verb::Call) -> crate::effects::Effect =
            |_, _| {
                END.take().expect("who ends it").recv().expect("it is told");
                Ok(true)
            };
        // A verb lives as long as the program does.
        let verb = Box::leak(Box::new(Verb { name: "test", subject: Subject::Cloud, parameters: &[], act }));
        let mut scenario = Scenario::quiet("endless", Duration::from_secs(60));
        scenario.actions.push(Action::simplest(Instant(30_000_000), 0, verb));
        let (end, ended) = channel();
        let end: Mutex<Option<Sender<()>>> = Mutex::new(Some(end));
        let told = Mutex::new(None);
        let stuck = |stuck: Stuck| {
            told.lock().unwrap().replace(stuck);
            end.lock().unwrap().take().unwrap().send(()).unwrap();
        };
        let outcome = watched(Duration::from_millis(500), &stuck, || {
            END.set(Some(ended));
            run(&scenario, LogKind::Nothing).0
        });
        assert!(outcome.is_ok());
        let told = told.into_inner().unwrap().unwrap();
        assert_eq!((&told.scenario, told.at), (&scenario, Instant(30_000_000)), "{told}");
    }
}
