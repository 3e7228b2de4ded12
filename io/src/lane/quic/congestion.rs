//! How much of a connection may be on its way: what Cubic says, and beyond that the last word.
//!
//! A connection that ends sends one more packet, which says so and why. quinn-proto 0.11 takes it for one with data while there is any left to
//! send, and holds it back while the window is full. By then it looks at no acknowledgement any more: the window stays full, and the peer
//! learns of the end by silence alone. So the window opens before a connection is closed.

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, Cubic, CubicConfig};
use quinn::{Connection, VarInt};
use quinn_proto::RttEstimator;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// Ends a connection with a last word, whatever else is on its way.
pub(super) fn close(connection: &Connection, code: VarInt, why: &[u8]) {
    if let Ok(window) = connection.congestion_state().into_any().downcast::<Window>() {
        window.ends.store(true, Relaxed);
    }
    connection.close(code, why);
}

/// Gives each path its window.
#[derive(Debug, Default)]
pub(super) struct Windows(Arc<CubicConfig>);

impl ControllerFactory for Windows {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Window { cubic: Cubic::new(self.0.clone(), now, mtu), ends: Arc::default() })
    }
}

/// The window of a path. Its copies are of the same connection, and end together.
#[derive(Debug, Clone)]
struct Window {
    cubic: Cubic,
    ends: Arc<AtomicBool>,
}

impl Controller for Window {
    fn window(&self) -> u64 {
        if self.ends.load(Relaxed) { u64::MAX } else { self.cubic.window() }
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    // All else is Cubic's.

    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_acked: Option<u64>) {
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_acked);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost_bytes: u64) {
        self.cubic.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    fn metrics(&self) -> ControllerMetrics {
        self.cubic.metrics()
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }
}
