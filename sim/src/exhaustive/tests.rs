use super::*;
use edgehub_core::Output;
use edgehub_core::hub::Stage;

/// As many as a debug build plays in a second or two. `edgehub-sim exhaustive` goes further, and compares the picture.
const DEPTH: u32 = 3;

#[test]
fn every_sequence_of_a_few_events_holds_and_all_of_the_links_table_is_reached() {
    let seen = explore(DEPTH, || true, |_| {}).unwrap_or_else(|counterexample| panic!("{counterexample}"));
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
    let seen = explore(1, || true, |_| {}).unwrap();
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

/// The journal takes part: what waits is really there and nowhere else, and what is dropped is really buried.
#[test]
fn the_starts_with_a_journal_are_what_they_say() {
    let outputs = |start, events: &[Event]| {
        let mut node = Path { start, events: Vec::new() }.node().unwrap();
        let played = events.iter().flat_map(|&event| node.play(event).unwrap().outputs);
        played.collect::<Vec<_>>()
    };
    for (start, messages) in [(Start::Spooled, 2), (Start::Restored, 2)] {
        let sent = outputs(start, &[Event::Opened, Event::JournalAnswers, Event::JournalAnswers]);
        let count = |is: fn(&Output) -> bool| sent.iter().filter(|output| is(output)).count();
        assert_eq!(count(|output| matches!(output, Output::Fetch { .. })), messages, "{sent:?}");
    }
    let told = outputs(Start::Restored, &[Event::Ask, Event::JournalAnswers]);
    assert!(
        told.iter().any(|output| matches!(output, Output::Receipt { stage: Stage::Stored, .. })),
        "{told:?}"
    );
    // The outbox holds three. What it drops first is read back, behind the answers to three stores.
    let answers = [Event::JournalAnswers; 4];
    let dropped = outputs(Start::Storing, &[[Event::Send, Event::Send].as_slice(), &answers].concat());
    assert!(dropped.iter().any(|output| matches!(output, Output::Bury { .. })), "{dropped:?}");
}

/// A dropped message is in memory, and its letter on the way, when the journal says that it never took the message.
#[test]
fn what_the_journal_refused_is_not_forgotten_with_its_letter() {
    let mut node = Path { start: Start::Storing, events: Vec::new() }.node().unwrap();
    for event in [Event::Reconfigure, Event::Send, Event::JournalFails, Event::JournalAnswers] {
        node.play(event).unwrap();
    }
}
