//! The first keepalive, and the question that only a session answers.

use async_tungstenite::tungstenite::Message as Frame;
use edgehub::core::hub::{keepalive_message, session_question};
use edgehub::core::rng::Rng;
use edgehub::core::{Message, UnixMillis};
use edgehub::websocket::Stream;
use futures_util::StreamExt;
use smol::Timer;
use smol::future::or;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Says that the node lives and asks for what CloudHub answers by itself. Returns the time at which it did, by its clock.
pub(super) async fn ask(stream: &mut Stream, resource: &str, limit: Duration) -> Result<SystemTime, String> {
    let mut rng = Rng::new(fastrand::u64(..));
    let (first, second) = (rng.uuid(), rng.uuid());
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = UnixMillis(i64::try_from(since_1970.as_millis()).unwrap_or_default());
    let keepalive = keepalive_message(first.as_str(), timestamp);
    for draft in [keepalive, session_question(second.as_str(), timestamp, resource)] {
        let message = draft.encode().map_err(|violation| violation.to_string())?;
        let frame = Frame::text(message.into_frame().to_string());
        stream.send(frame).await.map_err(|error| format!("the link broke: {error}"))?;
    }
    let answer = async {
        while let Some(frame) = stream.next().await {
            let frame = frame.map_err(|error| format!("the link broke: {error}"))?;
            let message = match frame {
                Frame::Text(text) => Message::decode_bytes(text.into()),
                Frame::Binary(bytes) => Message::decode_bytes(bytes),
                _ => continue,
            };
            if let Ok(message) = message
                && message.parent_msg_id() == second.as_str()
            {
                let millis = u64::try_from(message.timestamp().0).unwrap_or_default();
                return Ok(UNIX_EPOCH + Duration::from_millis(millis));
            }
        }
        Err("the cloud closed the link at once: another hub of this node runs, or CloudHub turns it away"
            .into())
    };
    let late = async {
        Timer::after(limit).await;
        Err(format!(
            "the cloud does not answer for {resource} within {} s: it has no session for this node",
            limit.as_secs_f64()
        ))
    };
    or(answer, late).await
}
