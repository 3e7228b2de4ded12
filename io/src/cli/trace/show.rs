//! `edgehub trace show`: what happened, line by line.

use super::{Failure, File, moment};
use clap::Args;
use edgehub::core::trace::{Moment, Replay, describe};
use edgehub::core::{Input, Instant, Output};
use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The trace
    trace: PathBuf,
    /// From this time of the hub's clock on, for example 12.5s
    #[arg(long, value_parser = moment, value_name = "TIME")]
    from: Option<Instant>,
    /// Up to this time
    #[arg(long, value_parser = moment, value_name = "TIME")]
    to: Option<Instant>,
    /// Only what is about this message
    #[arg(long, value_name = "ID")]
    msg_id: Option<String>,
    /// Only what this module does, by its number
    #[arg(long)]
    module: Option<u32>,
    /// Only where the hub noted something: links, drops, ends of requests
    #[arg(long)]
    notes: bool,
    /// Inputs only, without what they led to
    #[arg(long)]
    inputs: bool,
    /// At most so many records
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
}

impl Show {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let begin = self.from.unwrap_or(Instant(0));
        let near = trace.blocks().iter().rposition(|block| block.begin() < begin).unwrap_or(0);
        let (mut out, mut shown, mut problem) = (stdout().lock(), 0, Ok(()));
        Replay::near(&trace, near).without_comparing().run(|moment| {
            if self.to.is_some_and(|to| moment.now.mono > to) || shown >= self.limit {
                return ControlFlow::Break(());
            }
            if moment.now.mono < begin || !self.wants(moment) {
                return ControlFlow::Continue(());
            }
            shown += 1;
            problem = self.show(&mut out, moment);
            if problem.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        problem?;
        Ok(ExitCode::SUCCESS)
    }

    fn wants(&self, moment: &Moment<'_>) -> bool {
        let by_id =
            self.msg_id.as_deref().is_none_or(|id| describe::is_about(moment.input, moment.outputs, id));
        let by_module = self.module.is_none_or(
            |wanted| matches!(moment.input, Some(Input::Module { module, .. }) if module.0 == wanted),
        );
        let is_note = |output: &Output| matches!(output, Output::Note(_));
        by_id && by_module && (!self.notes || moment.outputs.iter().any(is_note))
    }

    fn show(&self, out: &mut impl Write, moment: &Moment<'_>) -> std::io::Result<()> {
        let input = moment.input.map_or_else(
            || if moment.resumed { "(goes on from a checkpoint)".into() } else { "(begins)".into() },
            describe::input,
        );
        writeln!(out, "{:>14.6} s  #{:<8} {input}", moment.now.mono.0 as f64 / 1e6, moment.record)?;
        if !self.inputs {
            for output in moment.outputs {
                writeln!(out, "{:>28}→ {}", "", describe::output(output))?;
            }
        }
        Ok(())
    }
}
