//! `edgehub explain`: what became of a message.

use super::Failure;
use super::trace::{File, length};
use clap::Args;
use edgehub::core::trace::explain::{Question, explain, search};
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The trace
    trace: PathBuf,
    #[command(flatten)]
    which: Which,
    /// At most so many messages
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// This message, and those that answer it
    #[arg(long, value_name = "ID")]
    msg_id: Option<String>,
    /// This sync request, and its answer
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Every message of this fate
    #[arg(long, value_name = "FATE")]
    why: Option<Why>,
    /// Every message that took longer, for example 500ms; one that is pending when the trace ends, or was dropped, until then
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    late: Option<Duration>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Why {
    /// Dropped, for any reason
    Dropped,
    /// Neither arrived nor dropped when the trace ends
    Pending,
}

impl Explain {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let Which { msg_id, request, why, late } = self.which;
        // One more than is shown, to know that there are more.
        let most = self.limit.saturating_add(1);
        let found = match (msg_id.or(request), why) {
            (Some(id), _) => explain(&trace, &id)?,
            (None, Some(Why::Dropped)) => search(&trace, Question::Dropped, most)?,
            (None, Some(Why::Pending)) => search(&trace, Question::Pending, most)?,
            (None, None) => search(&trace, Question::Late(late.unwrap_or_default()), most)?,
        };
        let mut out = stdout().lock();
        for story in found.iter().take(self.limit) {
            if self.json {
                writeln!(out, "{}", serde_json::to_string(story)?)?;
            } else {
                writeln!(out, "{story}\n")?;
            }
        }
        if found.is_empty() {
            return Err("no such message in this trace".into());
        }
        if found.len() > self.limit {
            tracing::warn!("there are more; see --limit");
        }
        Ok(ExitCode::SUCCESS)
    }
}
