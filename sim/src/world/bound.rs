//! How long a world without faults may take to be in order: until whoever is away is back, and then no longer than what
//! is left to do takes. What an action wanted says nothing about that; only what the world still has to come counts.

use super::{Event, World};
use edgehub_core::config::LaneChoice;
use edgehub_core::{Config, Instant};
use std::time::Duration;

/// What nothing else accounts for: round trips, answers, steps in which one looks.
const SPARE: Duration = Duration::from_secs(15);

/// A module takes a second for a message now and then.
const TAKEN_WITHIN: Duration = Duration::from_secs(1);

impl World {
    /// When the last one that is away by the will of a fault is back: a machine wakes, a process or CloudHub starts, a
    /// module takes what it was given, a link that was on its way to open or to end does so, and what lies on a slow
    /// stream has arrived. Nothing that a fault has begun happens later.
    pub(super) fn back_at(&self) -> Instant {
        let asleep = self.edges.iter().map(|edge| edge.asleep_until);
        let planned = self.queue.iter().filter(|(_, event)| event.ends_absence()).map(|(at, _)| at);
        let links = self.network.live().into_iter().map(|id| self.network.link(id));
        let arrived = links.flat_map(|link| [&link.up, &link.down]).map(|stream| stream.empty_at());
        asleep.chain(planned).chain(arrived).fold(self.now, Instant::max)
    }

    /// How long it takes from then on: a silent link is found out or a hung dial given up, and the longest backoff waited
    /// for, twice, because the first link may end with what is left of the trouble; requests end; then what has gathered on
    /// both sides is sent, one acknowledged message after another.
    pub(super) fn healed_within(&self) -> Duration {
        let mut longest = Duration::ZERO;
        for edge in &self.edges {
            let Config {
                ping_interval,
                ping_misses,
                open_timeout,
                backoff_max,
                rate,
                drain,
                probe,
                endpoints,
                lanes,
                backoff_base,
                ..
            } = &edge.config;
            let found_out = *ping_interval * (ping_misses + 2);
            let noticed = found_out.max(*open_timeout).max(self.cloud_config.keepalive_timeout);
            // A link without a session is left once the question for it was read.
            // How long that takes is for the hub to say, who knows how often nobody answered.
            let patience = edge.hub.session_patience().unwrap_or_default();
            let asked = probe.as_ref().map_or(Duration::ZERO, |probe| probe.after + patience * 2 + found_out);
            // Each endpoint may have its own dial that hangs, and the way back to the preferred one is another link.
            let others = *open_timeout * (endpoints.weights.len() as u32 - 1);
            // Each may be tried over both lanes, and a link over QUIC may open and carry nothing.
            let lanes = match lanes.choice {
                LaneChoice::Auto => {
                    (lanes.trial + *backoff_base + found_out) * endpoints.weights.len() as u32
                }
                LaneChoice::WebSocket | LaneChoice::Quic => Duration::ZERO,
            };
            let noticed = noticed.max(asked) + others + lanes;
            // What a lost link leaves unconfirmed takes its tokens again.
            let queued = 2 * edge.hub.account().up.pending;
            let drained = rate.map_or(Duration::ZERO, |rate| {
                Duration::from_micros(queued * 1_000_000 / u64::from(rate.per_second.max(1)))
            });
            // A backlog that leaves at a pace of its own has each link begin anew.
            let paced = drain.map_or(Duration::ZERO, |drain| {
                let length = Duration::from_micros(queued * 1_000_000 / u64::from(drain.per_second.max(1)));
                drain.spread * 2 + length
            });
            let drained = drained.max(paced);
            // Where an acknowledgement finds no room, the next one is asked for by a resend.
            let tight = edge.config.outbox_messages < 256 || edge.config.outbox_bytes < 256 * 1024;
            let again = if tight { self.cloud_config.resend_interval } else { Duration::ZERO };
            let waiting = self.clouds.iter().map(|cloud| cloud.checks.waiting(&edge.name));
            let commands = waiting.sum::<usize>() as u32;
            let delivered = (self.latency * 2 + self.streams_apart + TAKEN_WITHIN + again) * commands;
            // What a module took and never spoke of is known for a while, and not delivered again before.
            let forgotten = if commands > 0 { edge.config.duplicate_window.time } else { Duration::ZERO };
            longest = longest.max((noticed + *backoff_max) * 2 + drained + delivered + forgotten);
        }
        let resent = self.cloud_config.resend_interval * self.cloud_config.sends_max;
        longest + self.longest_wait + resent + SPARE
    }
}

impl Event {
    /// Whether somebody who was away is back with it, or something that a fault began is over.
    fn ends_absence(&self) -> bool {
        match self {
            Event::EdgeStarts { .. }
            | Event::CloudStarts { .. }
            | Event::ModuleRejoins { .. }
            | Event::ModuleTook { .. }
            | Event::Drains { .. }
            | Event::Accepted { .. }
            | Event::Dialled { .. }
            | Event::DialFailed { .. }
            | Event::Disk { .. }
            | Event::Severed { .. } => true,
            Event::Tick { .. }
            | Event::Arrives { .. }
            | Event::Flushed { .. }
            | Event::Flaps { .. }
            | Event::NatLooks { .. }
            | Event::CloudTick { .. }
            | Event::CloudAnswers { .. }
            | Event::Snapshot { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use crate::log::LogKind;
    use crate::scenario::{Action, Scenario, Subject};

    /// A world a minute after this verb struck, with every parameter as high as it goes; no fault is left.
    fn struck(name: &str) -> World {
        let verb = catalogue::verbs().find(|verb| verb.name == name && verb.subject == Subject::Node);
        let mut action = Action::simplest(Instant(30_000_000), 0, verb.unwrap());
        for (value, parameter) in action.values.iter_mut().zip(verb.unwrap().parameters) {
            *value = parameter.high;
        }
        let scenario = Scenario::quiet(name, Duration::from_secs(60));
        let mut world = World::new(&scenario, LogKind::Nothing);
        world.begin_edge(0).unwrap();
        world.until(action.at).unwrap();
        world.act(&action).unwrap();
        world.until(Instant(60_000_000)).unwrap();
        world.mend();
        world
    }

    #[test]
    fn a_clock_that_was_wrong_by_days_keeps_nobody_away() {
        for name in ["wall-step", "wall-wave", "noise", "silence", "reconfigure"] {
            let world = struck(name);
            assert!(world.back_at() <= world.now + Duration::from_secs(1), "{name}: {:?}", world.back_at());
            assert!(world.healed_within() < Duration::from_secs(600), "{name}: {:?}", world.healed_within());
        }
    }

    #[test]
    fn a_machine_that_sleeps_is_away_until_it_wakes_and_no_longer() {
        let world = struck("long-pause");
        assert_eq!(world.back_at(), Instant(30_000_000) + Duration::from_secs(3 * 86_400));
        assert!(world.healed_within() < Duration::from_secs(600), "{:?}", world.healed_within());
    }

    #[test]
    fn a_module_that_left_is_away_until_it_is_back() {
        assert_eq!(struck("gone-module").back_at(), Instant(90_000_000));
    }
}
