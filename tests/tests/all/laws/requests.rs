//! Law 12: every sync request ends once.

use super::{STEPS, run};
use crate::property::check;
use crate::world::{Moment, drain, plan, start};
use edgehub_core::hub::{JournalEvent, SyncOutcome};
use edgehub_core::{Input, ModuleEvent, ModuleId, Note, Now, Output};
use proptest::prelude::*;
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
        let mut asked: BTreeMap<String, u32> = BTreeMap::new();
        let mut ended: BTreeMap<String, u32> = BTreeMap::new();
        let mut joined: Vec<ModuleId> = Vec::new();
        let mut kept: BTreeSet<u64> = BTreeSet::new();
        for moment in moments {
            hub.handle(moment.now, moment.input.clone());
            let outputs = drain(&mut hub);
            let mut refused = Vec::new();
            match &moment.input {
                Input::Module { event: ModuleEvent::Sent { message, .. }, .. } if message.is_sync() => {
                    *asked.entry(message.msg_id().to_string()).or_default() += 1;
                }
                Input::Journal(JournalEvent::Restored { number, .. }) => drop(kept.insert(number.0)),
                Input::Module { module, event: ModuleEvent::Joined { .. } } => joined.push(*module),
                Input::Module { module, event: ModuleEvent::Left } => joined.retain(|other| other != module),
                _ => {}
            }
            for output in &outputs {
                match output {
                    Output::Store { number, .. } => drop(kept.insert(number.0)),
                    Output::Forget { first, last } => {
                        kept.retain(|number| !(first.0..=last.0).contains(number))
                    }
                    _ => {}
                }
                if let Output::Note(Note::SyncEnded { msg_id, outcome }) = output {
                    *ended.entry(msg_id.to_string()).or_default() += 1;
                    refused.push((msg_id.clone(), *outcome));
                }
            }
            // The sender is told of every end that is not an answer, once, and by an error of its own.
            let told = |id: &str| {
                let is_error = |output: &&Output| {
                    matches!(output, Output::Deliver { message, .. }
                        if message.parent_msg_id() == id && message.operation() == "error")
                };
                outputs.iter().filter(is_error).count()
            };
            for (id, outcome) in refused {
                let expected = match outcome {
                    SyncOutcome::Timeout => 1..=2,
                    SyncOutcome::Rejected(_) => 0..=2,
                    SyncOutcome::Response | SyncOutcome::Error => 0..=usize::MAX,
                };
                prop_assert!(expected.contains(&told(&id)), "{} {:?}: told {}", id, outcome, told(&id));
            }
        }
        prop_assert_eq!(asked, ended);
        prop_assert_eq!(hub.pending_requests(), 0);
        let held = hub.account().up.pending;
        prop_assert!(held <= kept.len() as u64, "a stopped hub holds {} that no journal keeps", held);
        Ok(())
    });
}
