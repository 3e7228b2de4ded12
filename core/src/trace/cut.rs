//! A part of a trace as a trace of its own.

use super::header::{Header, Start};
use super::recorder::Recorder;
use super::replay::{Replay, ReplayError};
use super::state::last_input_at;
use super::{Moment, Trace};
use crate::time::Instant;
use alloc::vec::Vec;
use core::ops::{ControlFlow, RangeInclusive};
use core::time::Duration;

/// The records of this time, behind a checkpoint of all that came before. `key` is a random number for the hashes of
/// contents that the trace has kept; hashes that it has stay as they are.
pub fn cut(trace: &Trace<'_>, span: RangeInclusive<Instant>, key: u64) -> Result<Vec<u8>, ReplayError> {
    let just_before = *span.start() - Duration::from_micros(1);
    let before = last_input_at(trace, just_before).filter(|_| span.start().0 > 0);
    let replay = match before {
        Some((block, _)) => Replay::near(trace, block),
        None => Replay::new(trace),
    };
    let mut cutter = Cutter { recorder: None, out: Vec::new(), held_since: None };
    replay.without_comparing().run(|moment| {
        match (&mut cutter.recorder, before) {
            (Some(_), _) if moment.now.mono > *span.end() => return ControlFlow::Break(()),
            (Some(_), _) => cutter.take(moment),
            (None, Some((_, record))) if moment.record == record && moment.input.is_some() => {
                cutter.begin(trace, moment, Start::Checkpoint, key);
            }
            (None, Some(_)) => {}
            // The part begins where the trace does.
            (None, None) => cutter.begin(trace, moment, trace.header().start, key),
        }
        ControlFlow::Continue(())
    })?;
    Ok(cutter.end())
}

struct Cutter {
    recorder: Option<Recorder>,
    out: Vec<u8>,
    /// Since when the hub has held something, behind the last moment.
    held_since: Option<Instant>,
}

impl Cutter {
    fn begin(&mut self, trace: &Trace<'_>, moment: &Moment<'_>, start: Start, key: u64) {
        let begin = if start == Start::New { trace.header().begin } else { moment.now };
        let header = Header { begin, start, ..trace.header().clone() };
        let mut recorder = Recorder::new(header, key, CHECKPOINT_EVERY);
        self.out = recorder.head();
        match start {
            Start::Checkpoint => recorder.checkpoint(moment.hub),
            Start::New => {
                moment.outputs.iter().for_each(|output| recorder.output(output));
                recorder.drained(moment.hub);
            }
        }
        self.recorder = Some(recorder);
        self.held_since = moment.hub.holds_since();
    }

    fn take(&mut self, moment: &Moment<'_>) {
        let Some(recorder) = &mut self.recorder else { return };
        if moment.resumed {
            // A damaged part lies between: only a checkpoint can go on from here.
            recorder.checkpoint(moment.hub);
        }
        if let Some(input) = moment.input {
            recorder.input_again(moment.now, input, moment.content_hash, self.held_since);
        }
        moment.outputs.iter().for_each(|output| recorder.output(output));
        recorder.drained(moment.hub);
        self.held_since = moment.hub.holds_since();
        while let Some(block) = recorder.next_block() {
            self.out.extend_from_slice(&block.pack());
        }
    }

    fn end(mut self) -> Vec<u8> {
        if let Some(recorder) = &mut self.recorder {
            recorder.finish_block();
            while let Some(block) = recorder.next_block() {
                self.out.extend_from_slice(&block.pack());
            }
        }
        self.out
    }
}

/// Bytes of records between two checkpoints of the part.
const CHECKPOINT_EVERY: usize = 8 << 20;
