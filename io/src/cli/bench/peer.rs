//! The CloudHub process, as the edge process sees it: one JSON line each way per step.

use super::Seen;
use super::cloud::Order;
use crate::cli::Failure;
use edgehub::loopback::Ticket;
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(super) struct Peer {
    pub(super) ticket: Ticket,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Killed when dropped.
    _process: Child,
}

impl Peer {
    pub(super) async fn start() -> Result<Peer, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("bench-cloud")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = process.stdin.take().ok_or("the CloudHub process has no standard input")?;
        let answers = process.stdout.take().ok_or("the CloudHub process has no standard output")?;
        let mut answers = BufReader::new(answers);
        let ticket = serde_json::from_str(&line(&mut answers).await?)?;
        Ok(Peer { ticket, orders, answers, _process: process })
    }

    pub(super) async fn send_down(&mut self, messages: u64, size: usize) -> Result<(), Failure> {
        self.order(&Order::Down { messages, size }).await
    }

    /// What the cloud has received.
    pub(super) async fn report(&mut self) -> Result<Seen, Failure> {
        self.order(&Order::Report).await?;
        Ok(serde_json::from_str(&line(&mut self.answers).await?)?)
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
