//! Whether a recording answers as truly as a replay of all of it.

use crate::generate::generate;
use crate::log::LogKind;
use crate::world::World;
use edgehub_core::trace::explain::{Fate, Question, Story, search, stories};
use edgehub_core::trace::{Trace, replay};
use std::time::Duration;

/// What is wrong with the recordings of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongRecording {
    /// A replay does not do what was done, or does not agree with what the recording says of itself.
    Replayed(String),
    /// A question is answered in another way than by a replay of everything.
    Searched(String),
}

/// Runs a seed with every hub recorded, and tells what is wrong with the recordings.
pub fn recorded(seed: u64, length: Duration) -> Vec<WrongRecording> {
    let scenario = generate(seed, length);
    let mut world = World::new(&scenario, LogKind::Nothing).recorded();
    if let Err(failure) = world.run(&scenario) {
        return vec![WrongRecording::Replayed(failure.to_string())];
    }
    let mut wrong = Vec::new();
    for flight in world.land() {
        match Trace::open(&flight.file) {
            Ok(trace) => {
                let replayed = replay(&trace).map_err(|error| WrongRecording::Replayed(error.to_string()));
                let searched = same_found(&trace).map_err(WrongRecording::Searched);
                wrong.extend(replayed.err().into_iter().chain(searched.err()));
            }
            Err(refusal) => wrong.push(WrongRecording::Replayed(refusal.to_string())),
        }
    }
    wrong
}

/// What is found without replaying everything is what a whole replay finds. Returns how many it was for each question.
pub(super) fn same_found(trace: &Trace<'_>) -> Result<[usize; 5], String> {
    let end = trace.blocks().iter().map(|block| block.end()).max().unwrap_or_default();
    let all = stories(trace, |_| true).map_err(|error| error.to_string())?;
    let late = [100, 1_000, 20_000].map(|millis| Question::Late(Duration::from_millis(millis)));
    let [brief, long, longest] = late;
    let questions = [Question::Dropped, Question::Pending, brief, long, longest];
    let mut counts = [0; 5];
    for (count, question) in counts.iter_mut().zip(questions) {
        let fits = |story: &&Story| match question {
            Question::Dropped => matches!(story.fate(), Fate::Dropped(_)),
            Question::Pending => story.fate() == Fate::Pending,
            Question::Late(limit) => story.lasted(end) > limit,
        };
        let mut expected: Vec<Story> = all.iter().filter(fits).cloned().collect();
        let in_order = |story: &Story| (story.events.first().map(|event| event.record), story.to_string());
        expected.sort_by_key(in_order);
        let mut found = search(trace, question, usize::MAX).map_err(|error| error.to_string())?;
        found.sort_by_key(in_order);
        if let Some(missed) = expected.iter().find(|story| !found.contains(story)) {
            let alike: String = found
                .iter()
                .filter(|story| story.msg_id == missed.msg_id)
                .map(|story| format!("\nbut:\n{story}"))
                .collect();
            return Err(format!("{question:?} does not find:\n{missed}{alike}"));
        }
        if let Some(wrong) = found.iter().find(|story| !expected.contains(story)) {
            return Err(format!("{question:?} finds:\n{wrong}"));
        }
        if found.len() != expected.len() {
            return Err(format!("{question:?} finds {} of {}", found.len(), expected.len()));
        }
        *count = found.len();
    }
    Ok(counts)
}
