//! A silence is asked for its end at an even pace.
//!
//! While nothing is acknowledged, quinn-proto probes the path after twice the time of the probe before: an outage of some seconds is
//! followed by a standstill of as many. Here another packet leaves each time that a silence has lasted for so long again: too little
//! to congest a path, and the first that arrives ends the silence. TCP has the same as an upper limit of its retransmission time.

use super::congestion::{PROBE_EVERY, window_of};
use super::session::after;
use super::transport::WINDOW_BYTES;
use quinn::{Connection, VarInt};
use smol::Timer;
use smol::future::or;
use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

/// After another way to the peer the window is another one: how late that may be noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Sends a packet in each silence of a connection, again and again until it ends.
pub(super) async fn end_silences(connection: &Connection) -> Infallible {
    loop {
        let Some(sent) = window_of(connection).map(|window| window.sent.listen()) else { pending().await };
        match window_of(connection).and_then(|window| window.silent_at()) {
            None => or(sent, after(LOOK_AGAIN)).await,
            Some(at) if at > Instant::now() => drop(Timer::at(at).await),
            Some(_) => {
                send_something(connection);
                after(PROBE_EVERY).await;
            }
        }
    }
}

/// The least that a peer acknowledges, besides what waits to be sent: it may send one byte more, which later ones pay for.
fn send_something(connection: &Connection) {
    connection.set_receive_window(VarInt::from_u32(WINDOW_BYTES + 1));
    connection.set_receive_window(VarInt::from_u32(WINDOW_BYTES));
}
