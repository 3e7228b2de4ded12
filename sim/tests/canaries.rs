//! Bugs on purpose in the core: the simulator must find each of them. Run it with
//! `cargo nextest run -p edgehub-sim --features canaries --test canaries`.

use edgehub_core::canary::{Canary, CloudCanary, IdentityCanary, JournalCanary, LaneCanary, TraceCanary};
use edgehub_core::trace::Trace;
use edgehub_sim::import::import;
use edgehub_sim::scenario::Scenario;
use edgehub_sim::{Failure, IdentityReport, LogKind, WrongRecording};
use edgehub_sim::{canary, generate, identity, journal, recorded, run, shrink};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How well a bug is found: by so many of so many seeds, as it was measured, and which rule of which check caught most.
type Found<Bug> = (Bug, u64, u64, &'static str);

/// How well each bug of a hub is found.
///
/// A change that makes the simulator blind to one shows here. A number that has become too high is to be measured again,
/// and to be explained: with [`MEASURE`] set, [`canaries_are_found`] prints this table anew.
const FOUND_BY: [Found<Canary>; Canary::ALL.len()] = [
    (Canary::WaiterLate, 23, 500, "answers/not-given"),
    (Canary::EpochUnchecked, 94, 500, "link/uncalled"),
    (Canary::AnswerAtDeadline, 6, 500, "answers/late"),
    (Canary::OldestUnbooked, 17, 500, "books and bounds/balance"),
    (Canary::DropUntold, 401, 500, "model/drops-untold"),
    (Canary::PongConfirmsAll, 248, 500, "confirmation/settled"),
    (Canary::OrderSwapped, 102, 500, "way up/order"),
    (Canary::ConnectInfoTwice, 500, 500, "connect info/connect-info"),
    (Canary::BackoffFloorIgnored, 112, 500, "backoff/range"),
    (Canary::BackoffNeverResets, 114, 500, "backoff/range"),
    (Canary::JitterMissing, 98, 500, "backoff/no-jitter"),
    (Canary::BulkExempt, 60, 500, "flight/flight-full"),
    (Canary::AcknowledgementsThrottled, 62, 500, "timely/exempt-waits"),
    (Canary::HeartbeatBurst, 14, 300, "heartbeat/burst"),
    (Canary::PausedCalledSilent, 16, 300, "reading/silent-unread"),
    (Canary::BytesForgotten, 44, 500, "intake/closed"),
    (Canary::AnswerToStranger, 307, 500, "answers/not-given"),
    (Canary::TimeoutUntold, 94, 500, "answers/untold"),
    (Canary::WriteAfterClose, 10, 500, "link/write"),
    (Canary::WrittenIsForgotten, 479, 500, "confirmation/settled"),
    (Canary::CoalescedAcrossKeys, 13, 500, "way up/false-superseded"),
    (Canary::NothingExpires, 6, 500, "way up/expired"),
    (Canary::WrittenToldAsConfirmed, 38, 500, "receipts/untrue"),
    (Canary::DuplicatesDelivered, 75, 500, "duplicates/twice"),
    (Canary::ResendUnanswered, 38, 500, "duplicates/not-acknowledged"),
    (Canary::SilenceUnnoticed, 165, 500, "timely/silence-untimed"),
    (Canary::SilenceLate, 157, 500, "timely/silence-untimed"),
    (Canary::SilenceEarly, 186, 500, "timely/silent-early"),
    (Canary::PingMissing, 495, 500, "timely/ping-untimed"),
    (Canary::BarrierMissing, 479, 500, "timely/barrier-untimed"),
    (Canary::BarrierUncounted, 42, 500, "timely/barrier-missing"),
    (Canary::DialsLate, 321, 500, "timely/dial-untimed"),
    (Canary::OpenTimeoutLate, 314, 500, "timely/open-timeout-untimed"),
    (Canary::RefillHalved, 35, 500, "timely/token-untimed"),
    (Canary::StallMissing, 27, 500, "model/stall-untimed"),
    (Canary::GraceForgotten, 10, 500, "timely/grace-untimed"),
    (Canary::GraceUnused, 18, 500, "timely/grace-unused"),
    (Canary::FlushUncounted, 5, 300, "timely/token-untimed"),
    (Canary::StopsUnasked, 21, 500, "timely/stop-unasked"),
    (Canary::LiveCalledStale, 12, 500, "link/miscalled"),
    (Canary::PongCalledUnexpected, 500, 500, "link/miscalled"),
    (Canary::DropsWithRoom, 89, 500, "model/false-inbox-full"),
    (Canary::WrongReason, 398, 500, "model/false-no-waiter"),
    (Canary::FlightUnbounded, 40, 500, "flight/flight-full"),
    (Canary::PongLimitIgnored, 7, 500, "timely/pong-limit-exceeded"),
    (Canary::StoredBeforeSync, 88, 500, "stored/stored-untrue"),
    (Canary::RestoredOutOfOrder, 5, 300, "way up/order"),
    (Canary::ForgottenWhenWritten, 93, 500, "stored/forgotten-early"),
    (Canary::NeverDrained, 500, 500, "drain/endless"),
    (Canary::ForgottenBeforeBuried, 5, 500, "world/impossible"),
    (Canary::NothingBuried, 58, 500, "stored/not-buried"),
    (Canary::DrainUnpaced, 12, 500, "pace/too-fast"),
    (Canary::DrainHoldsControl, 8, 500, "timely/exempt-waits"),
    (Canary::ProbeMissing, 329, 500, "timely/probe-untimed"),
    (Canary::ProbeAnswerRouted, 323, 500, "timely/probe-answer-routed"),
    (Canary::NoSessionStays, 44, 500, "timely/no-session-untimed"),
    (Canary::ZombieCalledStable, 11, 500, "endpoints/wrong-endpoint"),
    (Canary::FailsOverNever, 99, 500, "endpoints/wrong-endpoint"),
    (Canary::NotSticky, 123, 500, "endpoints/wrong-endpoint"),
    (Canary::ReturnsNever, 48, 500, "endpoints/returns-never"),
    (Canary::ReturnsAtOnce, 83, 500, "endpoints/returns-early"),
    (Canary::KickedUnnamed, 35, 500, "suspicions/suspicion"),
    (Canary::HealthGoodBetweenKicks, 14, 100, "suspicions/health"),
    (Canary::SlowHeartbeatUntold, 18, 100, "suspicions/suspicion"),
    (Canary::UnheardKeepaliveUntold, 4, 100, "suspicions/suspicion"),
    (Canary::RenewalUnawaited, 83, 500, "timely/renewal-unasked"),
    (Canary::RenewalBacksOff, 59, 500, "backoff/renewal-backs-off"),
    (Canary::RenewalWrites, 64, 500, "timely/renewal-writes"),
    (Canary::RenewalEndless, 5, 500, "timely/renewal-untimed"),
    (Canary::RenewalMissesDial, 4, 500, "timely/renewal-misses-dial"),
    (Canary::RenewalPaced, 5, 500, "timely/could-leave"),
    (Canary::OldCloudLeftForEver, 3, 500, "timely/no-session-early"),
    (Canary::HealthStale, 91, 500, "suspicions/health"),
    (Canary::LaneStuck, 51, 200, "endpoints/wrong-lane"),
    (Canary::LaneForgotten, 12, 200, "endpoints/wrong-lane"),
    (Canary::LaneNeverRetried, 32, 200, "endpoints/wrong-lane"),
    (Canary::LaneNotAsked, 22, 200, "endpoints/wrong-lane"),
    (Canary::HandedUncounted, 21, 500, "model/handed-too-much"),
    (Canary::PauseMissing, 27, 300, "reading/read-on"),
    (Canary::IntakeNeverCloses, 51, 300, "intake/open"),
    (Canary::IntakeNeverOpens, 51, 300, "intake/closed"),
    (Canary::PauseEarly, 57, 300, "reading/paused-early"),
    (Canary::ResumeMissing, 26, 300, "reading/unread"),
    (Canary::OutboxHalved, 44, 300, "way up/false-outbox-full"),
    (Canary::ByteWindowIgnored, 3, 300, "books and bounds/window"),
    (Canary::FetchesAll, 13, 300, "way up/fetched-too-soon"),
    (Canary::WindowUnbounded, 32, 300, "books and bounds/known-ids"),
    (Canary::TicksForNothing, 9, 12, "livelock/idle"),
    (Canary::SpeaksAfterStop, 300, 300, "books and bounds/after-stop"),
    (Canary::ConfirmedWrittenAgain, 400, 500, "way up/again"),
    (Canary::OrderInClassOnly, 50, 500, "way up/key-order"),
    (Canary::BetterLaneUnasked, 75, 500, "endpoints/asks-never"),
    (Canary::BetterLaneIgnored, 77, 500, "timely/renewal-untimed"),
];

/// How well each bug of a CloudHub is found.
const FOUND_IN_CLOUD: [Found<CloudCanary>; CloudCanary::ALL.len()] = [
    (CloudCanary::TwoInFlight, 122, 300, "cloud/two-in-flight"),
    (CloudCanary::ResendMissing, 260, 300, "cloud/untimed"),
    (CloudCanary::ResentForEver, 53, 300, "cloud/resent-too-often"),
    (CloudCanary::KeepaliveEndless, 300, 300, "cloud/untimed"),
    (CloudCanary::OlderVersionSent, 16, 300, "cloud/older-version"),
    (CloudCanary::AcknowledgementForgotten, 12, 300, "cloud/acknowledgement-lost"),
    (CloudCanary::TwoSessions, 158, 300, "cloud/two-sessions"),
    (CloudCanary::QueueUnbounded, 23, 300, "cloud/queue-full"),
];

/// How well each bug of an identity is found, but for the one that no run shows alone.
const FOUND_IN_IDENTITY: [(IdentityCanary, u64, u64); IdentityCanary::ALL.len() - 1] = [
    (IdentityCanary::HashUnchecked, 140, 300),
    (IdentityCanary::RetriesAtOnce, 291, 300),
    (IdentityCanary::NodeUnchecked, 33, 300),
    (IdentityCanary::KeyUnchecked, 27, 300),
    (IdentityCanary::RootUnchecked, 32, 300),
    (IdentityCanary::RenewsThroughAnybody, 117, 300),
    (IdentityCanary::NeverLooksAgain, 17, 300),
    (IdentityCanary::RefusedTokenAgain, 16, 300),
    (IdentityCanary::CloudClockIgnored, 28, 300),
    (IdentityCanary::SkewUntold, 224, 300),
    (IdentityCanary::RotatesAtTheEnd, 120, 300),
    (IdentityCanary::AuthorityToldAgain, 84, 300),
    (IdentityCanary::FilesUnwatched, 13, 300),
    (IdentityCanary::StrangersPairUsed, 24, 300),
    (IdentityCanary::StrangersPairKept, 31, 300),
    (IdentityCanary::TokenDoesNotDecide, 230, 300),
    (IdentityCanary::ValidityUnchecked, 35, 300),
    (IdentityCanary::StallUnnoticed, 207, 300),
    (IdentityCanary::NoJoinAfterExpiry, 254, 300),
    (IdentityCanary::OldRootDropped, 69, 300),
    (IdentityCanary::OldRootKept, 12, 300),
    (IdentityCanary::ServersRootDropped, 149, 300),
    (IdentityCanary::ServiceStuck, 117, 300),
    (IdentityCanary::LastServiceDecides, 10, 300),
    (IdentityCanary::OutOfDateUnexplained, 18, 300),
    (IdentityCanary::OverwritesUnseen, 7, 300),
    (IdentityCanary::UsesWhatWasReplaced, 296, 300),
];

/// How well each bug of a flight recorder is found: by replays, and by questions, of so many seeds.
const FOUND_IN_TRACES: [(TraceCanary, u64, u64, u64); TraceCanary::ALL.len()] =
    [(TraceCanary::DropsUntold, 36, 12, 40), (TraceCanary::AgeUntold, 38, 10, 40)];

/// A bug that is found by one seed in n must be found by the first n seeds times this: by chance alone that fails once in
/// 20,000 times.
const MARGIN: u64 = 10;
/// So many runs together show when certificates are renewed.
const IDENTITY_SEEDS: u64 = 300;
/// One of so many seeds must find each bug of the journal …
const JOURNAL_SEEDS: u64 = 3000;
/// … and without one so many seeds must hold …
const SOUND_SEEDS: u64 = 500;
/// … of so many minutes each.
const MINUTES: u64 = 2;

/// Set to a number of seeds, it makes the test measure the table with so many for each bug, and print it.
const MEASURE: &str = "EDGEHUB_MEASURE_CANARIES";
/// … and only for those whose names contain this.
const MEASURE_ONLY: &str = "EDGEHUB_MEASURE_ONLY";

/// A kind of bug.
trait Bug: Copy + Ord + fmt::Debug + Send + Sync + 'static {
    /// Its name, as the table writes it.
    const KIND: &'static str;

    /// Whatever `body` makes has the bug.
    fn planted<T>(self, body: impl FnOnce() -> T) -> T;
}

impl Bug for Canary {
    const KIND: &'static str = "Canary";

    fn planted<T>(self, body: impl FnOnce() -> T) -> T {
        canary::with(self, body)
    }
}

impl Bug for CloudCanary {
    const KIND: &'static str = "CloudCanary";

    fn planted<T>(self, body: impl FnOnce() -> T) -> T {
        canary::with_cloud(self, body)
    }
}

/// What is wrong with a seed's scenario.
fn wrong(seed: u64) -> Option<Failure> {
    let scenario = generate(seed, Duration::from_secs(60 * MINUTES));
    run(&scenario, LogKind::Nothing).0.err()
}

/// Which of the first seeds find a bug, by the rule that catches it.
fn finders(bug: impl Bug, seeds: u64) -> BTreeMap<String, u64> {
    let next = AtomicU64::new(0);
    let count = || {
        bug.planted(|| {
            let mut rules: BTreeMap<String, u64> = BTreeMap::new();
            let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            for failure in mine.take_while(|&seed| seed < seeds).filter_map(wrong) {
                *rules.entry(format!("{}/{}", failure.check, failure.rule)).or_default() += 1;
            }
            rules
        })
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let counts: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        let joined =
            counts.into_iter().map(|count| count.join().unwrap_or_else(|why| panic::resume_unwind(why)));
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        joined.flatten().for_each(|(rule, count)| *all.entry(rule).or_default() += count);
        all
    })
}

/// Measures each of these bugs with so many seeds, and prints the table anew; behind each line, what else caught it.
fn measure<B: Bug>(bugs: impl IntoIterator<Item = B>, seeds: u64) {
    let only = std::env::var(MEASURE_ONLY).unwrap_or_default();
    for bug in bugs.into_iter().filter(|bug| format!("{bug:?}").contains(&only)) {
        let mut rules: Vec<_> = finders(bug, seeds).into_iter().collect();
        rules.sort_by_key(|(_, count)| Reverse(*count));
        let found: u64 = rules.iter().map(|(_, count)| count).sum();
        let most = rules.first().map_or("", |(rule, _)| rule);
        println!("    ({}::{bug:?}, {found}, {seeds}, {most:?}), // {rules:?}", B::KIND);
    }
}

/// Finds each of these bugs.
fn find<B: Bug>(table: &[Found<B>]) {
    let mut missed = Vec::new();
    for &(bug, found, of, _) in table {
        let within = (of * MARGIN).div_ceil(found);
        let found = (0..within).find_map(|seed| Some((seed, bug.planted(|| wrong(seed))?)));
        match found {
            Some((seed, what)) => {
                let what = what.to_string();
                println!(
                    "{bug:?}: seed {seed}, allowed {within}: {}",
                    what.lines().next().unwrap_or_default()
                );
            }
            None => {
                println!("{bug:?}: not found within {within}");
                missed.push((bug, within));
            }
        }
    }
    assert!(missed.is_empty(), "not found within so many seeds of {MINUTES} minutes: {missed:?}");
}

#[test]
fn canaries_are_found() {
    if let Some(seeds) = std::env::var(MEASURE).ok().and_then(|seeds| seeds.parse().ok()) {
        measure(Canary::ALL, seeds);
        return measure(CloudCanary::ALL, seeds);
    }
    let listed: BTreeSet<Canary> = FOUND_BY.iter().map(|(bug, ..)| *bug).collect();
    assert_eq!(listed.len(), Canary::ALL.len(), "each has a line of its own");
    find(&FOUND_BY);
}

#[test]
fn canaries_of_the_cloud_are_found() {
    let listed: BTreeSet<CloudCanary> = FOUND_IN_CLOUD.iter().map(|(bug, ..)| *bug).collect();
    assert_eq!(listed.len(), CloudCanary::ALL.len(), "each has a line of its own");
    find(&FOUND_IN_CLOUD);
}

#[test]
fn canaries_of_the_journal_are_found() {
    let mut missed = Vec::new();
    for bug in JournalCanary::ALL {
        let is_found =
            |seed| panic::catch_unwind(|| canary::with_journal(bug, || journal(seed, 4000, false))).is_err();
        match (0..JOURNAL_SEEDS).find(|seed| is_found(*seed)) {
            Some(seed) => println!("{bug:?}: seed {seed} of {JOURNAL_SEEDS}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "{JOURNAL_SEEDS} seeds do not find {missed:?}");
}

/// The same scenario on links of several streams, which may be so far apart.
fn wrong_apart(seed: u64) -> Option<Failure> {
    let mut scenario = generate(seed, Duration::from_secs(60 * MINUTES));
    scenario.streams_apart = Duration::from_millis(300);
    run(&scenario, LogKind::Nothing).0.err()
}

/// Bugs of a lane of several streams show where streams are apart, within so many seeds.
#[test]
fn canaries_of_the_lane_are_found() {
    const LANE_SEEDS: u64 = 100;
    for bug in LaneCanary::ALL {
        let found = (0..LANE_SEEDS).find(|&seed| canary::with_lane(bug, || wrong_apart(seed)).is_some());
        println!("{bug:?}: seed {found:?} of {LANE_SEEDS}");
        assert!(found.is_some(), "{LANE_SEEDS} seeds do not find {bug:?}");
    }
    for seed in 0..LANE_SEEDS {
        assert_eq!(wrong_apart(seed), None, "seed {seed}");
    }
}

/// Which of replays and questions find a bug of a flight recorder.
fn finds_in_traces(bug: TraceCanary, seed: u64) -> [bool; 2] {
    let wrong = canary::with_trace(bug, || recorded(seed, Duration::from_secs(60 * MINUTES)));
    let replayed = |wrong: &WrongRecording| matches!(wrong, WrongRecording::Replayed(_));
    [wrong.iter().any(replayed), wrong.iter().any(|wrong| !replayed(wrong))]
}

#[test]
fn canaries_of_the_recorder_are_found() {
    if let Some(seeds) = std::env::var(MEASURE).ok().and_then(|seeds| seeds.parse::<u64>().ok()) {
        for bug in TraceCanary::ALL {
            let found: Vec<_> = (0..seeds).map(|seed| finds_in_traces(bug, seed)).collect();
            let [replays, questions] = [0, 1].map(|way| found.iter().filter(|found| found[way]).count());
            println!("    (TraceCanary::{bug:?}, {replays}, {questions}, {seeds}),");
        }
        return;
    }
    for (bug, replays, questions, of) in FOUND_IN_TRACES {
        for (way, found) in [(0, replays), (1, questions)] {
            let within = (of * MARGIN).div_ceil(found);
            let seed = (0..within).find(|&seed| finds_in_traces(bug, seed)[way]);
            println!("{bug:?}: seed {seed:?}, allowed {within}");
            assert!(seed.is_some(), "{bug:?} is not found within {within}");
        }
    }
    for seed in 0..20 {
        assert_eq!(recorded(seed, Duration::from_secs(60 * MINUTES)), [], "seed {seed}");
    }
}

/// Whether a seed finds a bug of an identity.
fn finds(bug: IdentityCanary, seed: u64) -> bool {
    panic::catch_unwind(|| canary::with_identity(bug, || identity(seed))).is_err()
}

#[test]
fn canaries_of_the_identity_are_found() {
    if let Some(seeds) = std::env::var(MEASURE).ok().and_then(|seeds| seeds.parse::<u64>().ok()) {
        let only = std::env::var(MEASURE_ONLY).unwrap_or_default();
        for bug in IdentityCanary::ALL.into_iter().filter(|bug| format!("{bug:?}").contains(&only)) {
            let found = (0..seeds).filter(|&seed| finds(bug, seed)).count();
            println!("    (IdentityCanary::{bug:?}, {found}, {seeds}),");
        }
        return;
    }
    let listed: BTreeSet<IdentityCanary> = FOUND_IN_IDENTITY.iter().map(|(bug, ..)| *bug).collect();
    let all = IdentityCanary::ALL.into_iter().filter(|bug| *bug != IdentityCanary::RotatesAtOnePoint);
    assert_eq!(listed, all.collect(), "each has a line of its own");
    let mut missed = Vec::new();
    for (bug, found, of) in FOUND_IN_IDENTITY {
        let within = (of * MARGIN).div_ceil(found);
        match (0..within).find(|&seed| finds(bug, seed)) {
            Some(seed) => println!("{bug:?}: seed {seed}, allowed {within}"),
            None => missed.push((bug, within)),
        }
    }
    assert!(missed.is_empty(), "not found within so many seeds: {missed:?}");
}

/// What one run cannot show: that chance has no part in when certificates are renewed.
#[test]
fn a_canary_of_the_identity_that_no_run_shows_alone_is_found_by_many() {
    let mut total = IdentityReport::default();
    for seed in 0..IDENTITY_SEEDS {
        let bug = IdentityCanary::RotatesAtOnePoint;
        total.add(&canary::with_identity(bug, || identity(seed)));
    }
    assert!(!total.is_spread(), "{total:?}");
}

/// The feature alone changes nothing: without a bug the same seeds hold.
#[test]
fn nothing_is_found_where_nothing_is_planted() {
    let found: Vec<_> = (0..SOUND_SEEDS).filter_map(|seed| Some((seed, wrong(seed)?))).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// The way from a site to a regression test: a trace, the scenario made of it, the bug that it shows, the smallest scenario
/// that shows it.
#[test]
fn what_a_trace_shows_shrinks_to_a_regression_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traces");
    let file = std::fs::read(folder.join("01-session.trace")).unwrap();
    let imported = import(&Trace::open(&file).unwrap(), "01-session").unwrap().scenario;
    let fails = |scenario: &Scenario| run(scenario, LogKind::Nothing).0.err();
    assert_eq!(fails(&imported), None);
    let mut shown = 0;
    for bug in Canary::ALL {
        let Some(found) = canary::with(bug, || fails(&imported)) else { continue };
        let shrunk = canary::with(bug, || shrink(&imported, 300)).unwrap();
        let small: Scenario = shrunk.scenario.to_string().parse().unwrap();
        println!("{bug:?}: {} of {} actions: {found}", small.actions.len(), imported.actions.len());
        assert!(small.actions.len() < imported.actions.len() / 2, "{bug:?}: {small}");
        let again = canary::with(bug, || fails(&small));
        assert!(again.is_some_and(|again| again.rule == found.rule), "{bug:?}: {small}");
        assert_eq!(fails(&small), None, "without the bug it holds: {small}");
        shown += 1;
    }
    assert!(shown > 5, "one trace shows only {shown} bugs");
}
