//! A tick before the deadline does nothing; one at or past it moves the deadline on.

use super::{Check, Outcome, Step, broken};
use edgehub_core::{Input, Note, Output};

#[derive(Debug)]
pub(super) struct Progress;

impl Check for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let deadline = step.deadline;
        if !matches!(step.input, Input::Reconfigure(_))
            && let Some(deadline) = deadline
            && deadline.at <= step.now.mono
        {
            return broken("past", format!("at {:?} the next deadline is {deadline:?}", step.now.mono));
        }
        if *step.input != Input::Tick || step.was_due() {
            return Ok(());
        }
        let acted = step.outputs.iter().any(|output| !matches!(output, Output::Note(Note::ClockBack { .. })));
        if acted || deadline != step.deadline_before {
            return broken("early-tick", format!("an early tick changed something: {:?}", step.outputs));
        }
        Ok(())
    }
}
