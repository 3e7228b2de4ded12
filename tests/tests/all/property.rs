//! Runs a property, and says how to run a failure again.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use std::fmt::Debug;

/// The cases that failed once are kept here and tried first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/laws.regressions");

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
        cases,
        max_shrink_time: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        source_file: Some(file!()),
        test_name: Some(name),
        ..Config::default()
    };
    match TestRunner::new(config).run(&strategy, property) {
        Ok(()) => {}
        Err(TestError::Fail(why, smallest)) => panic!(
            "{why}\nsmallest case: {smallest:#?}\nThe seed is in {REGRESSIONS}; run it again with\n    \
             cargo test -p edgehub-tests --test all -- --exact {name}"
        ),
        Err(abort) => panic!("{name}: {abort}"),
    }
}
