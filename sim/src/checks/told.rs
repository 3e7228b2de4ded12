//! Nothing is dropped in silence: each drop in the books has its note, with the same reason (defect D3).

use super::{Check, Outcome, Step};
use edgehub_core::hub::{Direction, DropReason, Ledger};
use edgehub_core::{Note, Output};

/// What the books said last, both ways.
#[derive(Debug, Default)]
pub(super) struct Told {
    up: Ledger,
    down: Ledger,
}

impl Check for Told {
    fn name(&self) -> &'static str {
        "drops are told"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let account = step.hub.account();
        for (way, before, now) in
            [(Direction::Up, self.up, account.up), (Direction::Down, self.down, account.down)]
        {
            if before.dropped() == now.dropped()
                && !step.outputs.iter().any(|output| matches!(output, Output::Note(Note::Dropped { .. })))
            {
                continue;
            }
            for reason in DropReason::ALL {
                let booked = now.dropped_for(reason) - before.dropped_for(reason);
                let is_told = |output: &&Output| {
                    matches!(output, Output::Note(Note::Dropped { direction, reason: why, .. })
                        if *direction == way && *why == reason)
                };
                let told = step.outputs.iter().filter(is_told).count() as u64;
                if booked != told {
                    return Err(format!("{booked} dropped {way:?} ({reason}), {told} told"));
                }
            }
        }
        (self.up, self.down) = (account.up, account.down);
        Ok(())
    }
}
