use super::*;

/// As many as a debug build plays in a second or two. `edgehub-sim exhaustive` goes further, and compares the picture.
const DEPTH: u32 = 3;

#[test]
fn every_sequence_of_a_few_events_holds_and_all_of_the_links_table_is_reached() {
    let seen = explore(DEPTH, |_, _| {}).unwrap_or_else(|counterexample| panic!("{counterexample}"));
    let (starts, events) = (Start::ALL.len() as u128, Event::ALL.len() as u128);
    assert_eq!(seen.interleavings, starts * events.pow(DEPTH));
    assert!(seen.states > 100 && seen.steps > 10_000, "{} states, {} steps", seen.states, seen.steps);
    assert_eq!(
        seen.lifecycle.unseen(),
        Vec::<String>::new(),
        "lines of the link's table that nothing reached"
    );
}

#[test]
fn too_short_sequences_do_not_reach_the_whole_table() {
    let seen = explore(1, |_, _| {}).unwrap();
    assert!(!seen.lifecycle.unseen().is_empty());
}

#[test]
fn a_counterexample_names_its_events_and_its_command() {
    let path = Path { start: Start::Serving, events: vec![Event::Send, Event::Closed] };
    let shown = path.failed(Some(Event::Deadline), String::from("books: wrong")).to_string();
    assert_eq!(
        shown,
        "books: wrong\nfrom the start \"serving\", after\n  module sends\n  closed\n  deadline\n\
         reproduce: cargo run --release -p edgehub-sim -- exhaustive --depth 3"
    );
}
