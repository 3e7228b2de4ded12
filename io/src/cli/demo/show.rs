//! What the demo shows, and what it counts.

use edgehub::core::cloud::CloudAccount;
use edgehub::core::hub::{Account, Ledger};
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::io::{IsTerminal, Write, stdout};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Of so many round trips one is shown.
const SHOWN_ROUND_TRIP: usize = 8;

/// The four streams of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Telemetry,
    Acknowledged,
    Unacknowledged,
    Request,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Telemetry, Kind::Acknowledged, Kind::Unacknowledged, Kind::Request];

    fn name(self) -> &'static str {
        match self {
            Kind::Telemetry => "edge → cloud",
            Kind::Acknowledged => "cloud → edge, acknowledged",
            Kind::Unacknowledged => "cloud → edge, unacknowledged",
            Kind::Request => "request and answer",
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    /// How often each number arrived.
    arrived: BTreeMap<u64, u64>,
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<Kind, Counts>,
    round_trips: Vec<Duration>,
}

#[derive(Debug)]
pub(super) struct Show {
    start: Instant,
    color: bool,
    state: Mutex<State>,
    /// Sessions that the cloud has begun.
    pub(super) sessions: AtomicU64,
    /// Whether unacknowledged messages must wait: nobody sends one again that a cut link swallows.
    pub(super) hold: AtomicBool,
}

impl Show {
    pub(super) fn start() -> Show {
        Show {
            start: Instant::now(),
            color: stdout().is_terminal(),
            state: Mutex::default(),
            sessions: AtomicU64::new(0),
            hold: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line: when, who, what. A closed standard output does not stop the demo.
    pub(super) fn line(&self, who: &str, what: Arguments<'_>) {
        let color = match (self.color, who) {
            (false, _) => "",
            (_, "cloud") => "\x1b[36m",
            (_, "link") => "\x1b[33m",
            (_, "hub") => "\x1b[31m",
            _ => "\x1b[32m",
        };
        let end = if self.color { "\x1b[0m" } else { "" };
        let _ =
            writeln!(stdout(), "{:8.3}s  {color}{who:<12}{end} {what}", self.start.elapsed().as_secs_f64());
    }

    pub(super) fn sent(&self, kind: Kind) {
        self.state().counts.entry(kind).or_default().sent += 1;
    }

    /// Counts an arrival; returns whether it is the first of this number.
    pub(super) fn arrived(&self, kind: Kind, number: u64) -> bool {
        let mut state = self.state();
        let times = state.counts.entry(kind).or_default().arrived.entry(number).or_default();
        *times += 1;
        *times == 1
    }

    pub(super) fn arrived_of(&self, kind: Kind) -> u64 {
        self.state().counts.get(&kind).map_or(0, |counts| counts.arrived.len() as u64)
    }

    pub(super) fn sent_of(&self, kind: Kind) -> u64 {
        self.state().counts.get(&kind).map_or(0, |counts| counts.sent)
    }

    pub(super) fn round_trip(&self, rtt: Duration) {
        let measured = {
            let mut state = self.state();
            state.round_trips.push(rtt);
            state.round_trips.len()
        };
        if measured % SHOWN_ROUND_TRIP == 1 {
            self.line("link", format_args!("round trip {rtt:.0?}"));
        }
    }

    /// Waits until every stream has arrived, or for ten seconds.
    pub(super) async fn arrived_everything(&self, messages: u64) {
        let give_up = Instant::now() + Duration::from_secs(10);
        while Kind::ALL.into_iter().any(|kind| self.arrived_of(kind) < messages) && Instant::now() < give_up {
            smol::Timer::after(Duration::from_millis(20)).await;
        }
    }

    /// Prints the table; returns whether every message is accounted for.
    pub(super) fn summary(&self, messages: u64, account: &Account, cloud: &CloudAccount) -> bool {
        let mut state = self.state();
        let mut complete = account.balanced() && cloud.balanced() && account.up.pending == 0;
        let mut out = stdout().lock();
        let _ = writeln!(
            out,
            "\n{:<30} {:>6} {:>8} {:>6} {:>11}",
            "stream", "sent", "arrived", "lost", "sent again"
        );
        for kind in Kind::ALL {
            let counts = state.counts.entry(kind).or_default();
            let arrived = counts.arrived.len() as u64;
            let again: u64 = counts.arrived.values().map(|times| times - 1).sum();
            let lost = counts.sent.saturating_sub(arrived);
            complete &= lost == 0 && counts.sent == messages;
            let _ =
                writeln!(out, "{:<30} {:>6} {arrived:>8} {lost:>6} {again:>11}", kind.name(), counts.sent);
        }
        let mut round_trips = std::mem::take(&mut state.round_trips);
        round_trips.sort();
        let median = round_trips.get(round_trips.len() / 2).copied().unwrap_or_default();
        let _ = writeln!(
            out,
            "\nlinks {}   round trip {median:.0?} (median of {})   to the cloud: {} accepted = {} confirmed + {} written + \
             {} pending + {} dropped{}   to modules: {} accepted = {} delivered + {} pending + {} dropped{}",
            account.links,
            round_trips.len(),
            account.up.accepted,
            account.up.confirmed,
            account.up.written,
            account.up.pending,
            account.up.dropped(),
            reasons(&account.up),
            account.down.accepted,
            account.down.confirmed,
            account.down.pending,
            account.down.dropped(),
            reasons(&account.down),
        );
        let _ = writeln!(
            out,
            "{}",
            if complete { "every message is accounted for" } else { "MESSAGES ARE MISSING" }
        );
        complete
    }
}

/// Why messages were dropped, if any were.
fn reasons(books: &Ledger) -> String {
    let reasons: Vec<String> =
        books.dropped_by_reason().map(|(reason, dropped)| format!("{dropped} {reason}")).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
}
