//! What waits leaves as soon as there is an open link, room in the window, and, for what
//! is not exempt, room among what is on its way and a token.

use super::super::flight::Flight;
use super::super::pace::Pace;
use super::super::rate::RateLimit;
use super::super::stored::Stored;
use super::super::upstream::Upstream;
use super::{Due, Outcome, Step, broken, in_time};
use edgehub_core::Input;
use edgehub_core::hub::LinkState;

pub(super) fn after(
    step: &Step<'_>,
    upstream: &Upstream,
    stored: &Stored,
    (rate, pace): (&RateLimit, &Pace),
    flight: &Flight,
) -> Outcome {
    // What is to be left for another certificate carries no more of what modules send.
    if step.hub.link_state() == LinkState::Renewing {
        return Ok(());
    }
    // What another configuration sets free leaves in this step by rules that are between the two. And what is left to the
    // journal is waited for, since nothing overtakes it.
    if !rate.is_open() || stored.is_fetching() || matches!(step.input, Input::Reconfigure(_)) {
        return Ok(());
    }
    if let Some(waiting) = upstream.first_exempt() {
        return broken("exempt-waits", format!("{waiting:?} needs no token, and waits"));
    }
    if !flight.has_room() || pace.is_unsure(upstream) {
        return Ok(());
    }
    // What goes in its place may be of the backlog, and then waits for its turn there.
    let first = upstream.first_limited().map(|(.., number)| upstream.leaves_for(*number));
    let turn = match first {
        Some(None) => return Ok(()),
        first => first.flatten().and_then(|number| pace.turn_at(number)),
    };
    match (upstream.first_limited(), rate.token_at().max(turn)) {
        (Some(waiting), Some(at)) if at <= step.now.mono => {
            broken("could-leave", format!("{waiting:?} waits, and there is a token since {at:?}"))
        }
        (Some(_), Some(at)) => in_time(Due { overdue: "could-leave", untimed: "token-untimed", at }, step),
        (Some(waiting), None) => broken("could-leave", format!("{waiting:?} waits, and there is no limit")),
        (None, _) => Ok(()),
    }
}
