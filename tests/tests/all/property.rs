//! Runs a property, and says how to run a failure again.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use std::cell::Cell;
use std::fmt::Debug;
use std::panic;
use std::sync::Once;

thread_local! {
    /// Whether panics of this thread are cases that failed: they are reported once, as the smallest of them.
    static SHRINKING: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the hundreds of panics on the way to the smallest case to itself.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !SHRINKING.get() {
                loud(info);
            }
        }));
    });
}

/// The cases that failed once are kept here and tried first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/laws.regressions");

/// Multiplies the number of cases: `EDGEHUB_EFFORT=50 cargo test …` for a night.
fn effort() -> u32 {
    std::env::var("EDGEHUB_EFFORT").ok().and_then(|effort| effort.parse().ok()).unwrap_or(1)
}

/// Checks `property` for so many generated values. `name` is the test's own path.
pub(crate) fn check<S>(
    name: &'static str,
    cases: u32,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S: Strategy,
    S::Value: Debug,
{
    let config = Config {
        cases: cases.saturating_mul(effort()),
        max_shrink_time: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        source_file: Some(file!()),
        test_name: Some(name),
        ..Config::default()
    };
    quiet_panics();
    SHRINKING.set(true);
    let outcome = TestRunner::new(config).run(&strategy, property);
    SHRINKING.set(false);
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, smallest)) => panic!(
            "{why}\nsmallest case: {smallest:#?}\nThe seed is in {REGRESSIONS}; run it again with\n    \
             cargo test -p edgehub-tests --test all -- --exact {name}"
        ),
        Err(abort) => panic!("{name}: {abort}"),
    }
}
