use super::*;
use std::path::Path;

/// As many as a debug build plays in a few seconds; `edgehub-sim exhaustive` goes further.
const DEPTH: u32 = 3;

#[test]
fn every_sequence_of_a_few_events_holds_and_the_picture_of_them_is_the_committed_one() {
    let seen = explore(DEPTH, |_, _| {}).unwrap_or_else(|counterexample| panic!("{counterexample}"));
    assert_eq!(seen.interleavings, 5 * 25u128.pow(DEPTH));
    assert!(seen.states > 100 && seen.steps > 10_000, "{} states, {} steps", seen.states, seen.steps);
    assert_eq!(
        seen.lifecycle.unseen(),
        Vec::<String>::new(),
        "lines of the link's table that nothing reached"
    );

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lifecycle.svg");
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let command =
        format!("cargo run --release -p edgehub-sim -- exhaustive --depth {DEPTH} --svg docs/lifecycle.svg");
    assert!(committed == seen.lifecycle.svg().unwrap(), "{} is old; renew it: {command}", file.display());
}

#[test]
fn too_short_sequences_do_not_reach_the_whole_table() {
    let seen = explore(1, |_, _| {}).unwrap();
    assert!(!seen.lifecycle.unseen().is_empty());
}

#[test]
fn a_counterexample_names_its_events_and_its_command() {
    let path = super::Path { start: Start::Serving, events: vec![Event::Send, Event::Closed] };
    let shown = path.failed(Some(Event::Deadline), String::from("books: wrong")).to_string();
    assert_eq!(
        shown,
        "books: wrong\nfrom the start \"serving\", after\n  module sends\n  closed\n  deadline\n\
         reproduce: cargo run --release -p edgehub-sim -- exhaustive --depth 3"
    );
}
