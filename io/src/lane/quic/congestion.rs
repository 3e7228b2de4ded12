//! How much of a connection may be on its way: what Cubic says, and beyond that a few packets, a probe in a silence, and the last word.
//!
//! **A few packets.** Where packets are lost for other reasons than congestion, Cubic goes down to two of them, and an answer waits for
//! the window. BBR's is never below four, and neither is this.
//!
//! **A silence.** While nothing is acknowledged the window soon is full. Then a packet leaves beyond it now and then, see `silence`.
//!
//! **The last word.** A connection that ends sends one more packet, which says so and why. quinn-proto 0.11 takes it for one with data
//! while there is any left to send, and holds it back while the window is full. By then it looks at no acknowledgement any more: the
//! window stays full, and the peer learns of the end by silence alone. So the window opens before a connection is closed.

use event_listener::Event;
use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, Cubic, CubicConfig};
use quinn::{Connection, VarInt};
use quinn_proto::RttEstimator;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The smallest window, in packets. quinn-proto leaves it less than full: three are on their way.
const PACKETS_MIN: u64 = 4;

/// How long nothing is acknowledged and nothing sent before a packet leaves beyond the window, at least.
pub(super) const PROBE_EVERY: Duration = Duration::from_millis(500);

/// The same in round trips: who is only far away is not silent.
const PROBE_ROUND_TRIPS: u32 = 3;

/// The window of a connection, as it is now.
pub(super) fn window_of(connection: &Connection) -> Option<Window> {
    connection.congestion_state().into_any().downcast::<Window>().ok().map(|window| *window)
}

/// Ends a connection with a last word, whatever else is on its way.
pub(super) fn close(connection: &Connection, code: VarInt, why: &[u8]) {
    if let Some(window) = window_of(connection) {
        window.ends.store(true, Relaxed);
    }
    connection.close(code, why);
}

/// Gives each path its window.
#[derive(Debug, Default)]
pub(super) struct Windows(Arc<CubicConfig>);

impl ControllerFactory for Windows {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Window {
            cubic: Cubic::new(self.0.clone(), now, mtu),
            ends: Arc::default(),
            sent: Arc::default(),
            is_asked: Arc::default(),
            quiet_since: None,
            patience: PROBE_EVERY,
            in_flight: 0,
            mtu,
        })
    }
}

/// The window of a path. Its copies are of the same connection, and end together.
#[derive(Debug, Clone)]
pub(super) struct Window {
    cubic: Cubic,
    ends: Arc<AtomicBool>,
    /// Something is on its way, as nothing was before.
    pub(super) sent: Arc<Event>,
    /// Whether there was room was asked: so quinn-proto does before each packet that wants an acknowledgement, and for no other.
    is_asked: Arc<AtomicBool>,
    /// When something was sent or acknowledged last, while anything waits for an acknowledgement.
    quiet_since: Option<Instant>,
    /// How long a silence is none yet.
    patience: Duration,
    /// Bytes that were sent and not acknowledged, about: the next acknowledgement puts it right.
    in_flight: u64,
    mtu: u16,
}

impl Window {
    /// When a silence will be one that wants a packet; `None` while nothing is on its way.
    pub(super) fn silent_at(&self) -> Option<Instant> {
        self.quiet_since.map(|since| since + self.patience)
    }

    fn window_at(&self, now: Instant) -> u64 {
        let mtu = u64::from(self.mtu);
        // quinn-proto sends what leaves the window less than full: one packet more, and not two; none while it looks for a larger packet
        // size, which is not told here.
        let probe = self.silent_at().filter(|at| *at <= now).map_or(0, |_| self.in_flight + 2 * mtu);
        self.cubic.window().max(PACKETS_MIN * mtu).max(probe)
    }
}

impl Controller for Window {
    fn window(&self) -> u64 {
        self.is_asked.store(true, Relaxed);
        if self.ends.load(Relaxed) { u64::MAX } else { self.window_at(Instant::now()) }
    }

    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        // Nobody acknowledges what is nothing but an acknowledgement.
        if self.is_asked.swap(false, Relaxed) || self.quiet_since.is_some() {
            self.in_flight += bytes;
            if self.quiet_since.replace(now).is_none() {
                self.sent.notify(1);
            }
        }
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.patience = PROBE_EVERY.max(rtt.conservative() * PROBE_ROUND_TRIPS);
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_acked: Option<u64>) {
        self.in_flight = in_flight;
        self.quiet_since = (in_flight > 0).then_some(now);
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_acked);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.cubic.on_mtu_update(new_mtu);
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost_bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(lost_bytes);
        self.cubic.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    // All else is Cubic's.

    fn metrics(&self) -> ControllerMetrics {
        self.cubic.metrics()
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 1200;

    fn window(now: Instant) -> Window {
        let built = Arc::new(Windows::default()).build(now, PACKET as u16);
        *built.into_any().downcast::<Window>().unwrap()
    }

    /// Sends packets while the window has room for one, as quinn-proto does.
    fn send(window: &mut Window, now: Instant) -> usize {
        let mut sent = 0;
        while window.in_flight + PACKET < window.window_at(now) {
            window.is_asked.store(true, Relaxed);
            window.on_sent(now, PACKET, 0);
            sent += 1;
        }
        sent
    }

    #[test]
    fn a_packet_leaves_beyond_a_full_window_now_and_then_while_nothing_is_acknowledged() {
        let begin = Instant::now();
        let mut window = window(begin);
        let whole = send(&mut window, begin);
        assert!((8..100).contains(&whole), "{whole}");
        let mut beyond = 0;
        for millis in 1..=5000 {
            let sent = send(&mut window, begin + Duration::from_millis(millis));
            assert!(sent <= 1, "{sent} at once");
            beyond += sent;
        }
        assert_eq!(beyond, 10);
    }

    #[test]
    fn an_acknowledgement_ends_the_silence() {
        let begin = Instant::now();
        let mut window = window(begin);
        send(&mut window, begin);
        let full = window.in_flight;
        for tenth in 1..100 {
            let now = begin + Duration::from_millis(100) * tenth;
            window.on_end_acks(now, full, false, None);
            assert_eq!(send(&mut window, now), 0, "the window is full, and there is no silence");
        }
        // Whose packets are all acknowledged owes no probe, however long ago that was.
        let later = begin + Duration::from_secs(11);
        window.on_end_acks(later, 0, true, None);
        assert_eq!(window.window_at(later + Duration::from_secs(3600)), window.cubic.window());
    }

    #[test]
    fn an_acknowledgement_waits_for_none() {
        let begin = Instant::now();
        let mut window = window(begin);
        window.on_sent(begin, PACKET, 0);
        assert_eq!((window.silent_at(), window.in_flight), (None, 0));
    }

    #[test]
    fn a_few_packets_may_always_be_on_their_way() {
        let begin = Instant::now();
        let mut window = window(begin);
        send(&mut window, begin);
        for second in 1..10 {
            window.on_congestion_event(begin + Duration::from_secs(second), begin, true, PACKET);
        }
        assert!(window.cubic.window() < 4 * PACKET);
        window.on_end_acks(begin + Duration::from_secs(10), 0, false, None);
        assert_eq!(send(&mut window, begin + Duration::from_secs(10)), 3, "the fourth would fill it");
    }
}
