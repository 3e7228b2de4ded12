//! One input leads to so many outputs and no more: whoever drains a state machine comes to an end.

use super::Broken;
use edgehub_core::Hub;
use edgehub_core::limits::MODULES_MAX;

/// What one input leads to by itself: every module is told something, and much besides.
const OUTPUTS_ALONE: u64 = 4 * MODULES_MAX as u64;

/// … and for each message or request that was there before: its end, who is told of it, what the journal is to do.
const OUTPUTS_FOR_EACH: u64 = 4;

/// Messages and requests that a hub holds.
pub(super) fn held(hub: &Hub) -> u64 {
    let account = hub.account();
    account.up.pending + account.down.pending + hub.pending_requests() as u64
}

/// Takes outputs until there are no more, which must be so before there are too many for what was `held`.
pub(super) fn drain<T>(held: u64, poll: impl FnMut() -> Option<T>) -> Result<Vec<T>, Broken> {
    let most = OUTPUTS_ALONE + held * OUTPUTS_FOR_EACH;
    let outputs: Vec<T> = std::iter::from_fn(poll).take(most as usize + 1).collect();
    if outputs.len() as u64 > most {
        return Err(Broken::new(
            "drain",
            "endless",
            format!("more than {most} outputs of one input, with {held} held before it"),
        ));
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_output_that_passes_and_the_first_that_does_not() {
        for held in [0, 7] {
            let most = OUTPUTS_ALONE + held * OUTPUTS_FOR_EACH;
            let of = |outputs: u64| {
                let mut left = 0..outputs;
                drain(held, || left.next()).map(|outputs| outputs.len() as u64)
            };
            assert_eq!(of(most), Ok(most));
            assert_eq!(of(most + 1).unwrap_err().rule, "endless");
        }
    }
}
