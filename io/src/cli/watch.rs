//! `edgehub watch`: prints what modules receive.

use super::send::OPENS_A_LINK;
use super::{Failure, process, run, say};
use clap::Args;
use edgehub::EdgeHub;
use smol::future::{or, zip};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = OPENS_A_LINK)]
pub(crate) struct Watch {
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_CONFIGURATION)]
    config: PathBuf,
    /// The module's name; `eventbus`, `servicebus` and `taskmanager` receive what is meant for those modules
    #[arg(long, default_value = "watch")]
    name: String,
    /// A group to receive for; may be given several times
    #[arg(long = "group", value_name = "GROUP", default_values = ["meta", "twin", "bus", "taskmanager"])]
    groups: Vec<String>,
    /// Acknowledge each message, as the node's own modules would
    #[arg(long)]
    acknowledge: bool,
}

impl Watch {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let (hub, driver) = EdgeHub::new(run::options(&self.config)?);
        let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        let work = async {
            let module = hub.join(&self.name, &groups).await?;
            let print = async {
                while let Some(message) = module.receive().await {
                    if say(message.frame().trim_end()).is_err() {
                        break;
                    }
                    if self.acknowledge && !message.is_response() && !message.msg_id().is_empty() {
                        module.send(module.acknowledgement(&message)?).await?;
                    }
                }
                Ok::<(), Failure>(())
            };
            let end = async { process::told_to_end().await.map_err(Failure::from) };
            or(end, print).await?;
            hub.shutdown().await.map_err(Failure::from)
        };
        let (ended, ()) = zip(work, driver.run()).await;
        ended.map(|_| ExitCode::SUCCESS)
    }
}
