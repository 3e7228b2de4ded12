//! The CloudHub process of the benchmark.

use super::mixed::ticks;
use super::tally::{LAST, Tally, payload};
use super::{Latency, Seen};
use crate::cli::{Failure, process, say};
use clap::Args;
use edgehub::core::cloud::Delivery;
use edgehub::core::message::operation;
use edgehub::core::rng::Rng;
use edgehub::core::{Content, Draft, Message, UnixMillis};
use edgehub::loopback::Loopback;
use edgehub::server::{CloudServer, ServerOptions};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use smol::future::{or, zip};
use smol::io::AsyncBufReadExt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const NODE: &str = "bench";

/// What the edge process asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    Down { messages: u64, size: usize },
    Report,
    Ask { time: Duration, per_second: u32 },
    ReportAsked,
}

/// What became of the cloud's questions.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) asked: u64,
    pub(super) answered: u64,
    /// From the question to its answer.
    pub(super) latency_us: Latency,
}

/// Where this process listens.
#[derive(Debug, Args)]
pub(crate) struct BenchCloud {
    #[arg(long)]
    listen: Option<SocketAddr>,
}

/// What the node has said: by itself, and when asked.
struct Heard {
    messages: Mutex<Tally>,
    answers: Mutex<Tally>,
}

/// Serves until standard input ends.
pub(crate) async fn run(arguments: BenchCloud) -> Result<ExitCode, Failure> {
    let loopback = Loopback::new()?;
    let address = arguments.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let options = ServerOptions { quic: true, ..loopback.server_options_for(&[address.ip().to_string()])? };
    let (server, driver) = loopback.serve_on(address, options).await?;
    say(serde_json::to_string(&loopback.ticket(server.address(), NODE)?)?)?;
    let heard = Heard { messages: Mutex::new(Tally::new()), answers: Mutex::new(Tally::new()) };
    let work = async {
        let ended = or(serve_orders(&server, &heard), receive(&server, &heard)).await;
        server.shutdown().await?;
        ended
    };
    let (ended, ()) = zip(work, driver.run()).await;
    ended.map(|()| ExitCode::SUCCESS)
}

async fn receive(server: &CloudServer, heard: &Heard) -> Result<(), Failure> {
    let mut ids = Rng::new(1);
    while let Some((node, message)) = server.receive().await {
        if message.operation() == operation::QUERY {
            let id = ids.uuid();
            let draft = Draft::response_to(&message, id.as_str(), message.timestamp());
            let content = serde_json::from_str(message.content()).map_or(Content::Null, Content::Json);
            server.send(&node, Draft { content, ..draft }.encode()?, Delivery::Unacknowledged).await?;
        } else {
            let tally = if message.is_response() { &heard.answers } else { &heard.messages };
            locked(tally).add(message.content(), process::monotonic_ns());
        }
    }
    Ok(())
}

async fn serve_orders(server: &CloudServer, heard: &Heard) -> Result<(), Failure> {
    let mut orders = smol::io::BufReader::new(smol::Unblock::new(std::io::stdin()));
    let mut line = String::new();
    let mut asked = 0;
    while orders.read_line(&mut line).await? > 0 {
        match serde_json::from_str(&line)? {
            Order::Down { messages, size } => send_down(server, messages, size).await?,
            Order::Report => {
                let seen = locked(&heard.messages).seen();
                say(serde_json::to_string(&seen)?)?;
            }
            Order::Ask { time, per_second } => asked = ask(server, time, per_second).await?,
            Order::ReportAsked => {
                let Seen { received, latency_us, .. } = locked(&heard.answers).seen();
                say(serde_json::to_string(&Asked { asked, answered: received, latency_us })?)?;
            }
        }
        line.clear();
    }
    Ok(())
}

async fn send_down(server: &CloudServer, messages: u64, size: usize) -> Result<(), Failure> {
    let (mut ids, mut content) = (Rng::new(2), String::new());
    for number in (0..messages).chain([LAST]) {
        payload(&mut content, number, process::monotonic_ns(), size);
        server.send(NODE, downstream(&mut ids, &content)?, Delivery::Unacknowledged).await?;
    }
    Ok(())
}

/// Asks the node at a steady pace, whether it answers or not. Returns how often.
async fn ask(server: &CloudServer, time: Duration, per_second: u32) -> Result<u64, Failure> {
    let (mut ids, mut content) = (Rng::new(3), String::new());
    let mut ticks = ticks(time, per_second);
    let mut asked = 0;
    while ticks.next().await.is_some() {
        payload(&mut content, asked, process::monotonic_ns(), 0);
        server.send(NODE, downstream(&mut ids, &content)?, Delivery::Unacknowledged).await?;
        asked += 1;
    }
    Ok(asked)
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

fn downstream(ids: &mut Rng, content: &str) -> Result<Message, Failure> {
    let id = ids.uuid();
    let draft = Draft {
        msg_id: id.as_str(),
        timestamp: UnixMillis(0),
        source: "router_eventbus",
        group: "user",
        operation: "publish",
        resource: "default/topic/bench",
        content: Content::Text(content),
        ..Draft::default()
    };
    Ok(draft.encode()?)
}
