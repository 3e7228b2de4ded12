//! The one acknowledged message of a node that is in flight: written again when its acknowledgement is late, no sooner and
//! no more often than configured, and then at the back of its queue.

use super::{Outcome, broken};
use edgehub_core::Instant;
use edgehub_core::cloud::CloudConfig;

#[derive(Debug, Clone)]
pub(super) struct Flight {
    id: u64,
    /// Writes so far.
    sends: u32,
    /// Its acknowledgement is expected by then; `None`: it is late, and the message waits for room.
    until: Option<Instant>,
}

impl Flight {
    pub(super) fn is_of(&self, id: u64) -> bool {
        self.id == id
    }

    /// Whether it is to be written again as soon as there is room.
    pub(super) fn is_due(&self) -> bool {
        self.until.is_none()
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// A message of the queue is written.
    pub(super) fn written(
        flight: &mut Option<Flight>,
        id: u64,
        now: Instant,
        config: &CloudConfig,
    ) -> Outcome {
        let sends = match flight.take() {
            None => 0,
            Some(other) if other.id != id => {
                return broken(
                    "two-in-flight",
                    format!("{:x} is in flight, and {id:x} is written", other.id),
                );
            }
            Some(before) if before.until.is_some_and(|until| until > now) => {
                return broken("resent-early", format!("{id:x} is written again at {now:?}: {before:?}"));
            }
            Some(before) if before.sends >= config.sends_max => {
                return broken("resent-too-often", format!("{id:x} is written again: {before:?}"));
            }
            Some(before) => before.sends,
        };
        *flight = Some(Flight { id, sends: sends + 1, until: Some(now + config.resend_interval) });
        Ok(())
    }

    /// Whether the last wait for this message's acknowledgement is over.
    pub(super) fn is_over(&self, id: u64, now: Instant, config: &CloudConfig) -> bool {
        self.id == id && self.sends >= config.sends_max && self.until.is_some_and(|until| until <= now)
    }

    /// A tick has come, after which the link has room for it or not: what is late was written again, or waits for room.
    pub(super) fn ticked(&mut self, now: Instant, config: &CloudConfig, room: bool) -> Outcome {
        if self.until.is_none_or(|until| until > now) {
            return Ok(());
        }
        if room || self.sends >= config.sends_max {
            return broken("resend-overdue", format!("{self:?} is late at {now:?}, and nothing comes of it"));
        }
        self.until = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: u64 = 1;

    /// Writes one message at these seconds, with a tick before each but the first; returns the rule that is broken, if one is.
    fn rule(seconds: &[u64]) -> Option<&'static str> {
        let config = CloudConfig { sends_max: 2, ..CloudConfig::default() };
        let mut flight = None;
        let second = |count: u64| Instant(count * 1_000_000);
        let mut written = seconds.iter().map(|at| Flight::written(&mut flight, FIRST, second(*at), &config));
        written.find_map(Result::err).map(|broken| broken.rule)
    }

    #[test]
    fn a_message_is_written_again_in_time_and_not_too_often() {
        let config = CloudConfig { sends_max: 2, ..CloudConfig::default() };
        assert_eq!(rule(&[0, 5]), None);
        assert_eq!(rule(&[0, 4]), Some("resent-early"));
        assert_eq!(rule(&[0, 5, 10]), Some("resent-too-often"));
        let mut flight = None;
        Flight::written(&mut flight, FIRST, Instant(0), &config).unwrap();
        assert_eq!(
            Flight::written(&mut flight, 2, Instant(9), &config).map_err(|broken| broken.rule),
            Err("two-in-flight")
        );
    }

    #[test]
    fn what_is_late_waits_for_room_alone() {
        let config = CloudConfig { sends_max: 2, ..CloudConfig::default() };
        let late = |now: u64, room: bool| {
            let mut flight = None;
            Flight::written(&mut flight, FIRST, Instant(0), &config).unwrap();
            let mut flight = flight.unwrap();
            let outcome = flight.ticked(Instant(now), &config, room).map_err(|broken| broken.rule);
            (outcome, flight.is_due())
        };
        assert_eq!(late(4_999_999, true), (Ok(()), false));
        assert_eq!(late(5_000_000, false), (Ok(()), true));
        assert_eq!(late(5_000_000, true), (Err("resend-overdue"), false));
    }
}
