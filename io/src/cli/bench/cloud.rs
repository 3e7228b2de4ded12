//! The CloudHub process of the benchmark.

use super::super::say;
use super::tally::{LAST, Tally, payload};
use crate::cli::{Failure, process};
use edgehub::core::cloud::Delivery;
use edgehub::core::message::operation;
use edgehub::core::rng::Rng;
use edgehub::core::{Content, Draft, Message, UnixMillis};
use edgehub::loopback::Loopback;
use edgehub::server::{CloudServer, ServerOptions};
use serde::{Deserialize, Serialize};
use smol::future::{or, zip};
use smol::io::AsyncBufReadExt;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

const NODE: &str = "bench";

/// What the edge process asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    Down { messages: u64, size: usize },
    Report,
}

/// Serves until standard input ends.
pub(crate) async fn run() -> Result<ExitCode, Failure> {
    let loopback = Loopback::new()?;
    let (server, driver) = loopback.serve(ServerOptions { quic: true, ..loopback.server_options()? }).await?;
    say(serde_json::to_string(&loopback.ticket(server.address(), NODE)?)?)?;
    let tally = Mutex::new(Tally::new());
    let work = async {
        let ended = or(serve_orders(&server, &tally), receive(&server, &tally)).await;
        server.shutdown().await?;
        ended
    };
    let (ended, ()) = zip(work, driver.run()).await;
    ended.map(|()| ExitCode::SUCCESS)
}

async fn receive(server: &CloudServer, tally: &Mutex<Tally>) -> Result<(), Failure> {
    let mut ids = Rng::new(1);
    while let Some((node, message)) = server.receive().await {
        if message.operation() == operation::QUERY {
            let id = ids.uuid();
            let draft = Draft::response_to(&message, id.as_str(), message.timestamp());
            let content = serde_json::from_str(message.content()).map_or(Content::Null, Content::Json);
            server.send(&node, Draft { content, ..draft }.encode()?, Delivery::Unacknowledged).await?;
        } else {
            tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(message.content(), process::monotonic_ns());
        }
    }
    Ok(())
}

async fn serve_orders(server: &CloudServer, tally: &Mutex<Tally>) -> Result<(), Failure> {
    let mut orders = smol::io::BufReader::new(smol::Unblock::new(std::io::stdin()));
    let mut line = String::new();
    while orders.read_line(&mut line).await? > 0 {
        match serde_json::from_str(&line)? {
            Order::Down { messages, size } => send_down(server, messages, size).await?,
            Order::Report => {
                let seen = tally.lock().unwrap_or_else(PoisonError::into_inner).seen();
                say(serde_json::to_string(&seen)?)?;
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
