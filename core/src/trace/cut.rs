//! A part of a trace as a trace of its own.

use super::header::{Header, Start};
use super::recorder::Recorder;
use super::replay::ReplayError;
use super::window::window;
use super::{Moment, Trace};
use crate::time::Instant;
use alloc::vec::Vec;
use core::ops::{ControlFlow, RangeInclusive};

/// The records of this time, behind a checkpoint of all that came before. `key` is a random number for the hashes of
/// contents that the trace has kept; hashes that it has stay as they are.
pub fn cut(trace: &Trace<'_>, span: RangeInclusive<Instant>, key: u64) -> Result<Vec<u8>, ReplayError> {
    let mut part = Vec::new();
    cut_into(trace, span, key, |bytes| {
        part.extend_from_slice(bytes);
        ControlFlow::Continue(())
    })?;
    Ok(part)
}

/// The same, handed to `put` piece by piece, until that breaks off: no more than a block of it is in memory at a time. Where there
/// is nothing in this time, `put` is not called.
pub fn cut_into(
    trace: &Trace<'_>,
    span: RangeInclusive<Instant>,
    key: u64,
    put: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), ReplayError> {
    let mut cutter = Cutter { trace, key, recorder: None, held_since: None, put };
    let mut flow = ControlFlow::Continue(());
    window(trace, span, |moment| {
        flow = cutter.take(moment);
        flow
    })?;
    if flow.is_continue() {
        // Whoever breaks off now has all but the end.
        let _ = cutter.end();
    }
    Ok(())
}

struct Cutter<'t, 'a, P> {
    trace: &'t Trace<'a>,
    key: u64,
    recorder: Option<Recorder>,
    /// Since when the hub has held something, behind the last moment.
    held_since: Option<Instant>,
    put: P,
}

impl<P: FnMut(&[u8]) -> ControlFlow<()>> Cutter<'_, '_, P> {
    fn take(&mut self, moment: &Moment<'_>) -> ControlFlow<()> {
        let recorder = match &mut self.recorder {
            Some(recorder) => recorder,
            None => {
                // Only a new hub has come from nowhere.
                let header = self.trace.header().clone();
                let (begin, start) = match moment.resumed {
                    true => (moment.now, Start::Checkpoint),
                    false => (header.begin, Start::New),
                };
                let recorder = Recorder::new(Header { begin, start, ..header }, self.key, CHECKPOINT_EVERY);
                (self.put)(&recorder.head())?;
                self.recorder.insert(recorder)
            }
        };
        if moment.resumed {
            // Nobody can go on from here but with all that the hub is.
            recorder.checkpoint(moment.hub);
        }
        if let Some(input) = moment.input {
            recorder.input_again(moment.now, input, moment.content_hash, self.held_since);
        }
        moment.outputs.iter().for_each(|output| recorder.output(output));
        recorder.drained(moment.hub);
        self.held_since = moment.hub.holds_since();
        self.put_blocks()
    }

    fn put_blocks(&mut self) -> ControlFlow<()> {
        let Some(recorder) = &mut self.recorder else { return ControlFlow::Continue(()) };
        while let Some(block) = recorder.next_block() {
            (self.put)(&block.pack())?;
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self) -> ControlFlow<()> {
        self.recorder.iter_mut().for_each(Recorder::finish_block);
        self.put_blocks()
    }
}

/// Bytes of records between two checkpoints of the part, as a driver's recorder has them.
const CHECKPOINT_EVERY: usize = 256 << 10;
