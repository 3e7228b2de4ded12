//! What a hub held at one moment of a trace.

use super::block::BlockKind;
use super::record::Record;
use super::replay::{Replay, ReplayError};
use super::{BlockPlace, Trace};
use crate::hub::View;
use crate::time::Instant;
use core::ops::ControlFlow;

/// The hub after the last input at or before `at`; `None` if the trace begins later, or cannot be replayed there.
/// Replays from the nearest checkpoint on.
pub fn state_at(trace: &Trace<'_>, at: Instant) -> Result<Option<View>, ReplayError> {
    let mut view = None;
    let Some((block, record)) = last_input_at(trace, at) else {
        if trace.header().begin.mono <= at {
            Replay::new(trace).without_comparing().run(|moment| {
                view = Some(moment.hub.view());
                ControlFlow::Break(())
            })?;
        }
        return Ok(view);
    };
    Replay::near(trace, block).without_comparing().run(|moment| {
        if moment.record < record || moment.input.is_none() {
            return ControlFlow::Continue(());
        }
        if moment.record == record {
            view = Some(moment.hub.view());
        }
        ControlFlow::Break(())
    })?;
    Ok(view)
}

/// The block and the number of the last input at or before `at`, as far as it can be read.
pub(super) fn last_input_at(trace: &Trace<'_>, at: Instant) -> Option<(usize, u64)> {
    let holds = |block: &BlockPlace| block.kind() == BlockKind::Records && block.begin() <= at;
    let block = trace.blocks().iter().rposition(holds)?;
    let mut last = None;
    // What is damaged ends the search; what came before it counts.
    let _ = trace.each_record(&trace.blocks()[block], |number, record| match record {
        Record::Input { now, .. } if now.mono > at => false,
        Record::Input { .. } => {
            last = Some((block, number));
            true
        }
        Record::Outputs { .. } => true,
    });
    last
}
