//! The CloudHub process, as the edge process sees it: one JSON line each way per step.

use super::cloud::{Asked, Order};
use super::{REPORTS_MAX, Seen};
use crate::cli::Failure;
use clap::Args;
use edgehub::loopback::Ticket;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::net::SocketAddr;
use std::time::Duration;

/// Where the CloudHub process runs.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// What our own CloudHub process is started with, to run it on another host made of a network namespace: "ip netns exec NAME"
    #[arg(long, value_name = "COMMAND", requires = "cloud_listen", conflicts_with = "server")]
    cloud_through: Option<String>,
    /// Where our own CloudHub process listens; a free port of 127.0.0.1 unless given
    #[arg(long, value_name = "ADDRESS", conflicts_with = "server")]
    cloud_listen: Option<SocketAddr>,
}

pub(super) struct Peer {
    pub(super) ticket: Ticket,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Killed when dropped.
    _process: Child,
}

impl Peer {
    pub(super) async fn start(place: &Place) -> Result<Peer, Failure> {
        let this = std::env::current_exe()?;
        let through = place.cloud_through.as_deref().unwrap_or_default();
        let mut command = match through.split_whitespace().collect::<Vec<_>>().split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
            None => Command::new(this),
        };
        command.arg("bench-cloud");
        if let Some(address) = place.cloud_listen {
            command.arg("--listen").arg(address.to_string());
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let orders = process.stdin.take().ok_or("the CloudHub process has no standard input")?;
        let answers = process.stdout.take().ok_or("the CloudHub process has no standard output")?;
        let mut answers = BufReader::new(answers);
        let ticket = serde_json::from_str(&line(&mut answers).await?)?;
        Ok(Peer { ticket, orders, answers, _process: process })
    }

    pub(super) async fn send_down(&mut self, messages: u64, size: usize) -> Result<(), Failure> {
        self.order(&Order::Down { messages, size }).await
    }

    /// Lets the cloud ask the node for so long, so many times a second.
    pub(super) async fn ask(&mut self, time: Duration, per_second: u32) -> Result<(), Failure> {
        self.order(&Order::Ask { time, per_second }).await
    }

    /// What became of the questions; once all of them are asked.
    pub(super) async fn asked(&mut self) -> Result<Asked, Failure> {
        self.order(&Order::ReportAsked).await?;
        Ok(serde_json::from_str(&line(&mut self.answers).await?)?)
    }

    /// What the cloud has received.
    pub(super) async fn report(&mut self) -> Result<Seen, Failure> {
        self.order(&Order::Report).await?;
        Ok(serde_json::from_str(&line(&mut self.answers).await?)?)
    }

    /// The same, when so many of them are confirmed: the last may still be on their way to whoever counts them there.
    pub(super) async fn report_of(&mut self, messages: u64) -> Result<Seen, Failure> {
        let mut seen = self.report().await?;
        for _ in 0..REPORTS_MAX {
            if seen.received >= messages {
                break;
            }
            seen = self.report().await?;
        }
        Ok(seen)
    }

    async fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let mut text = serde_json::to_string(order)?;
        text.push('\n');
        self.orders.write_all(text.as_bytes()).await?;
        Ok(self.orders.flush().await?)
    }
}

async fn line(answers: &mut BufReader<ChildStdout>) -> Result<String, Failure> {
    let mut line = String::new();
    if answers.read_line(&mut line).await? == 0 {
        return Err("the CloudHub process ended early".into());
    }
    Ok(line)
}
