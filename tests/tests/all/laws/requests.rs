//! Law 12: every sync request ends once.

use super::{STEPS, run};
use crate::property::check;
use crate::world::{Moment, drain, plan, start};
use edgehub_core::hub::{DropReason, JournalEvent, SyncOutcome};
use edgehub_core::{Input, ModuleEvent, ModuleId, Note, Now, Output};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[test]
fn law_12_every_request_ends_once() {
    check("laws::requests::law_12_every_request_ends_once", 200, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        drain(&mut hub);
        let mut moments = first.moments.clone();
        // Whatever still waits then, a shutdown and its grace end.
        let last = moments.last().map_or(Now::new(1_000_000, 0), |moment| moment.now);
        let mut late = last;
        for input in [Input::Shutdown, Input::Tick] {
            late.mono = late.mono + Duration::from_secs(1_000_000);
            moments.push(Moment { now: late, input, outputs: vec![] });
        }
        let mut books = Books::default();
        for moment in moments {
            // What is due comes first, so that what follows is the input's doing.
            for input in [Input::Tick, moment.input] {
                hub.handle(moment.now, input.clone());
                books.enter(&input, &drain(&mut hub))?;
            }
        }
        let Books { asked, ended, kept, .. } = books;
        prop_assert_eq!(asked, ended);
        prop_assert_eq!(hub.pending_requests(), 0);
        let held = hub.account().up.pending;
        prop_assert!(held <= kept.len() as u64, "a stopped hub holds {} that no journal keeps", held);
        Ok(())
    });
}

#[derive(Default)]
struct Books {
    asked: BTreeMap<String, u32>,
    ended: BTreeMap<String, u32>,
    /// Who waits, by the id of the request.
    waiting: BTreeMap<String, ModuleId>,
    joined: BTreeSet<ModuleId>,
    /// What the journal holds.
    kept: BTreeSet<u64>,
}

impl Books {
    /// Of one input: each request that ends is told to its asker, once, and nothing else is an answer.
    fn enter(&mut self, input: &Input, outputs: &[Output]) -> Result<(), TestCaseError> {
        let mut sent = None;
        match input {
            Input::Module { module, event: ModuleEvent::Sent { message, .. } } if message.is_sync() => {
                *self.asked.entry(message.msg_id().to_string()).or_default() += 1;
                sent = Some((message.msg_id(), *module));
            }
            Input::Module { module, event: ModuleEvent::Joined { .. } }
                if !outputs.contains(&Output::JoinRefused { module: *module }) =>
            {
                self.joined.insert(*module);
            }
            Input::Module { module, event: ModuleEvent::Left } => drop(self.joined.remove(module)),
            Input::Journal(JournalEvent::Restored { number, .. }) => drop(self.kept.insert(number.0)),
            _ => {}
        }
        let (mut told, mut to_tell) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                Output::Store { number, .. } => drop(self.kept.insert(number.0)),
                Output::Forget { first, last } => {
                    self.kept.retain(|number| !(first.0..=last.0).contains(number))
                }
                Output::Deliver { module, message, answer: true } => {
                    told.push((message.parent_msg_id().to_string(), *module));
                }
                Output::Note(Note::SyncEnded { msg_id, outcome }) => {
                    let id = msg_id.to_string();
                    *self.ended.entry(id.clone()).or_default() += 1;
                    // Of a request that waits no second one of its id is taken: what ends is the second.
                    let refused = sent.take_if(|(sent, _)| *sent == id);
                    let Some(asker) = refused.map(|(_, sender)| sender).or_else(|| self.waiting.remove(&id))
                    else {
                        return Err(TestCaseError::fail(format!("{id} ends and nobody asked: {outcome:?}")));
                    };
                    // Who has left, or never joined, is told nothing.
                    let gone = *outcome == SyncOutcome::Rejected(DropReason::ModuleGone);
                    prop_assert!(!gone || !self.joined.contains(&asker), "{asker:?} is still there");
                    if self.joined.contains(&asker) {
                        to_tell.push((id, asker));
                    }
                }
                _ => {}
            }
        }
        self.waiting.extend(sent.map(|(id, sender)| (id.to_string(), sender)));
        told.sort_unstable();
        to_tell.sort_unstable();
        prop_assert_eq!(told, to_tell, "who is told what, after {:?}", input);
        Ok(())
    }
}
