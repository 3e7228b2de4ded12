//! What is left to the journal is fetched shortly before its turn, not sooner: memory is what it was left there for.

use super::{Amount, Outcome, Step, Upstream, broken};
use edgehub_core::Output;
use edgehub_core::limits::{SPOOL_AHEAD_BYTES, SPOOL_AHEAD_MESSAGES};
use std::collections::{BTreeMap, BTreeSet};

impl Upstream {
    /// Judges what is fetched in this step. Numbers of messages that do not wait are somebody else's business: they are
    /// fetched for a letter.
    pub(super) fn is_fetched_for_its_turn(&self, step: &Step<'_>) -> Outcome {
        let fetched: BTreeSet<u64> = step
            .outputs
            .iter()
            .filter_map(|output| if let Output::Fetch { number } = output { Some(number.0) } else { None })
            .collect();
        if fetched.is_empty() {
            return Ok(());
        }
        let ahead = Amount { messages: SPOOL_AHEAD_MESSAGES, bytes: SPOOL_AHEAD_BYTES };
        let mut before: BTreeMap<&str, Amount> = BTreeMap::new();
        for (.., number) in &self.waiting {
            let Some(message) = self.numbers.get(number).and_then(|id| self.messages.get(id)) else {
                continue;
            };
            let before = before.entry(&message.class).or_default();
            if message.kept.is_some_and(|kept| fetched.contains(&kept))
                && !before.has_room(message.bytes, ahead)
            {
                return broken(
                    "fetched-too-soon",
                    format!("{message:?} is fetched behind {before:?} of its class"),
                );
            }
            *before = before.and(message.bytes);
        }
        Ok(())
    }
}
