//! The cloud's side of the demo.

use super::show::{Kind, Show};
use crate::cli::Failure;
use edgehub::core::cloud::Delivery;
use edgehub::core::message::operation;
use edgehub::core::rng::Rng;
use edgehub::core::{Content, Draft, Message, UnixMillis};
use edgehub::server::CloudServer;
use serde_json::value::RawValue;
use smol::future::zip;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the demo looks whether it can go on.
const STEP: Duration = Duration::from_millis(1);

/// Streams acknowledged and unacknowledged messages to the node.
pub(super) async fn stream_down(
    server: &CloudServer,
    node: &str,
    messages: u64,
    pace: Duration,
    show: &Show,
) -> Result<(), Failure> {
    let acknowledged = async {
        let mut ids = Rng::new(1);
        for number in 0..messages {
            let message =
                message(&mut ids, "edgecontroller", "resource", "default/configmap/settings", number)?;
            server.send(node, message, Delivery::Acknowledged).await?;
            show.sent(Kind::Acknowledged);
            smol::Timer::after(pace).await;
        }
        Ok::<_, Failure>(())
    };
    let unacknowledged = async {
        let mut ids = Rng::new(2);
        for number in 0..messages {
            while show.hold.load(Ordering::Relaxed) {
                smol::Timer::after(STEP).await;
            }
            show.sent(Kind::Unacknowledged);
            let message = match number % 2 {
                0 => message(&mut ids, "router_eventbus", "user", "factory/line-1", number)?,
                _ => message(&mut ids, "taskmanager", "taskmanager", "upgrade/t1", number)?,
            };
            server.send(node, message, Delivery::Unacknowledged).await?;
            smol::Timer::after(pace).await;
        }
        Ok(())
    };
    let (acknowledged, unacknowledged) = zip(acknowledged, unacknowledged).await;
    acknowledged.and(unacknowledged)
}

/// Cuts every connection once, in the middle of the streams.
pub(super) async fn cut_once(server: &CloudServer, show: &Show, messages: u64) -> Result<(), Failure> {
    while show.arrived_of(Kind::Telemetry) < messages / 2 {
        smol::Timer::after(STEP).await;
    }
    show.hold.store(true, Ordering::Relaxed);
    show.line(
        "cloud",
        format_args!("pauses the unacknowledged stream: what of it is on its way when a link ends is lost"),
    );
    while show.arrived_of(Kind::Unacknowledged) < show.sent_of(Kind::Unacknowledged) {
        smol::Timer::after(STEP).await;
    }
    show.line("cloud", format_args!("cuts the link without a word"));
    let sessions = show.sessions.load(Ordering::Relaxed);
    server.cut_all().await?;
    while show.sessions.load(Ordering::Relaxed) == sessions {
        smol::Timer::after(STEP).await;
    }
    show.hold.store(false, Ordering::Relaxed);
    Ok(())
}

/// Takes what arrives, and answers queries, until the server stops.
pub(super) async fn serve(server: &CloudServer, show: &Show) -> Result<(), Failure> {
    let mut ids = Rng::new(3);
    while let Some((node, message)) = server.receive().await {
        if message.operation() == operation::QUERY {
            let id = ids.uuid();
            let draft = Draft::response_to(&message, id.as_str(), message.timestamp());
            let answer = Draft { content: Content::Text("colour=blue"), ..draft }.encode()?;
            // Unless it is stopping, the server takes it.
            let _ = server.send(&node, answer, Delivery::Unacknowledged).await;
        } else if let Ok(number) = message.content().parse() {
            let first = show.arrived(Kind::Telemetry, number);
            let again = if first { "" } else { " (again: its confirmation was lost with the link)" };
            show.line("cloud", format_args!("← {:<12} edge_updated #{number}{again}", message.source()));
        }
    }
    Ok(())
}

fn message(
    ids: &mut Rng,
    source: &str,
    group: &str,
    resource: &str,
    number: u64,
) -> Result<Message, Failure> {
    let id = ids.uuid();
    let content = RawValue::from_string(number.to_string())?;
    let draft = Draft {
        msg_id: id.as_str(),
        timestamp: UnixMillis(0),
        source,
        group,
        operation: "update",
        resource,
        content: Content::Json(&content),
        ..Draft::default()
    };
    Ok(draft.encode()?)
}
