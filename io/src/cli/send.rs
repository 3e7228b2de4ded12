//! `edgehub send`: one message to the cloud, or one for each line.

mod lines;

use super::{Failure, run, say};
use clap::Args;
use edgehub::EdgeHub;
use edgehub::core::hub::Stage;
use smol::future::{or, zip};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What both commands do to a node whose hub runs.
pub(super) const OPENS_A_LINK: &str = "\
This command opens a link of its own, in the node's name. A cloud keeps one session for a node: a hub that runs with the same \
configuration loses its own to this command, and takes it back when it dials again. Messages of a running hub are not at risk; \
use a node of its own for anything but a look.";

#[derive(Debug, Args)]
#[command(after_help = OPENS_A_LINK)]
pub(crate) struct Send {
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIGURATION)]
    config: PathBuf,
    /// The sending module's name
    #[arg(long, default_value = "send")]
    name: String,
    /// Route group
    #[arg(long, default_value = "resource")]
    group: String,
    /// Route operation
    #[arg(long, default_value = "update")]
    operation: String,
    /// Route resource, for example default/podstatus/web
    #[arg(long)]
    resource: String,
    /// Wait for the cloud's answer and print it
    #[arg(long)]
    request: bool,
    /// How long to wait for the cloud, in seconds
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// Send each line of standard input as a message
    #[arg(long, conflicts_with_all = ["content", "request"])]
    lines: bool,
    /// Print what becomes of each line, as JSON: stored, confirmed, written or dropped
    #[arg(long, requires = "lines")]
    track: bool,
    /// The content: JSON, or plain text
    #[arg(required_unless_present = "lines")]
    content: Option<String>,
}

impl Send {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let (hub, driver) = EdgeHub::new(run::options(&self.config)?);
        let content = content(self.content.as_deref().unwrap_or_default());
        let timeout = Duration::from_secs(self.timeout);
        let work = async {
            let module = hub.join(&self.name, &[]).await?;
            let message = module.compose(&self.group, &self.operation, &self.resource, &content)?;
            let sent = if self.lines {
                self.send_lines(&module).await?
            } else if self.request {
                say(module.request(&message, Some(timeout)).await?.frame().trim_end())?;
                true
            } else {
                let receipt = module.send_tracked(message).await?;
                let settled = async { receipt.settled().await.map(Some) };
                let too_long = async {
                    smol::Timer::after(timeout).await;
                    Ok(None)
                };
                match or(settled, too_long).await? {
                    Some(Stage::Dropped { reason, .. }) => {
                        return Err(format!("the message was dropped: {reason}").into());
                    }
                    settled => settled.is_some(),
                }
            };
            hub.shutdown().await?;
            if !sent {
                return Err(
                    "the cloud did not confirm everything in time; what is not stored in a journal is lost with this process".into()
                );
            }
            Ok::<_, Failure>(ExitCode::SUCCESS)
        };
        let work = async {
            let ended = work.await;
            // Whatever happened, the driver must end too.
            let _ = hub.shutdown().await;
            ended
        };
        zip(work, driver.run()).await.0
    }
}

/// JSON as it is, anything else as a text.
fn content(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.into()))
}
