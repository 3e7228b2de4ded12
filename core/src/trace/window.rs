//! A span of time in a trace, with the state before it.

use super::replay::{Replay, ReplayError, Replayed};
use super::state::last_input_at;
use super::{Moment, Trace};
use crate::time::Instant;
use core::ops::{ControlFlow, RangeInclusive};
use core::time::Duration;

/// Replays to a span of time and through it. `visit` sees the hub as it is before the span, as if a trace began with a checkpoint
/// there, and then every moment in it. Nothing of it is kept: a span may be as long as the trace is.
pub fn window(
    trace: &Trace<'_>,
    span: RangeInclusive<Instant>,
    mut visit: impl FnMut(&Moment<'_>) -> ControlFlow<()>,
) -> Result<Replayed, ReplayError> {
    let just_before = *span.start() - Duration::from_micros(1);
    let before = last_input_at(trace, just_before).filter(|_| span.start().0 > 0);
    let Some((block, record)) = before else {
        // It begins where the trace does.
        let mut has_begun = false;
        return Replay::new(trace).without_comparing().run(|moment| {
            if core::mem::replace(&mut has_begun, true) && moment.now.mono > *span.end() {
                return ControlFlow::Break(());
            }
            visit(moment)
        });
    };
    let mut is_in_it = false;
    Replay::near(trace, block).without_comparing().run(|moment| {
        if is_in_it {
            return if moment.now.mono > *span.end() { ControlFlow::Break(()) } else { visit(moment) };
        }
        if moment.record != record || moment.input.is_none() {
            return ControlFlow::Continue(());
        }
        is_in_it = true;
        let Moment { record, now, hub, .. } = *moment;
        visit(&Moment { record, now, input: None, content_hash: None, outputs: &[], hub, resumed: true })
    })
}
