//! Runs a property, and says how to run a failure again.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::fmt::Debug;
use std::panic;
use std::path::{Path, PathBuf};
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

/// The cases that failed once: files of explicit steps, named after what went wrong. Every property of such a value is
/// tried with all of them.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/laws")
}

fn kept<V: DeserializeOwned>() -> Vec<(PathBuf, V)> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        // A file may hold a value of another kind, for other properties.
        serde_json::from_str(&text).ok().map(|value| (file, value))
    };
    files.into_iter().filter_map(read).collect()
}

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
    S::Value: Debug + Serialize + DeserializeOwned,
{
    for (file, value) in kept::<S::Value>() {
        property(value).unwrap_or_else(|why| panic!("{why}\nin {}", file.display()));
    }
    let config = Config {
        cases: cases.saturating_mul(effort()),
        max_shrink_time: 20_000,
        failure_persistence: None,
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
        Err(TestError::Fail(why, smallest)) => {
            let file = folder().join(format!("found-by-{}.json", name.replace("::", "-")));
            let text = serde_json::to_string_pretty(&smallest).unwrap();
            std::fs::write(&file, text).unwrap();
            panic!(
                "{why}\nsmallest case: {smallest:#?}\nIt is in {}; run it again with\n    \
                 cargo test -p edgehub-tests --test all -- --exact {name}",
                file.display()
            )
        }
        Err(abort) => panic!("{name}: {abort}"),
    }
}

#[test]
fn what_failed_once_is_tried_again() {
    let plans = kept::<crate::world::Plan>().len();
    let files = std::fs::read_dir(folder()).unwrap().count();
    let timed = kept::<(crate::world::Plan, u64)>().len();
    assert!(plans >= 7 && plans + timed == files, "{files} files, {plans} and {timed} are understood");
}
