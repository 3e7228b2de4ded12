//! Dialling, connect info, losing the link, shutting down.

use super::input::LinkEpoch;
use super::keepalive::Keepalive;
use super::link::{LinkChange, LinkState};
use super::outbox::Amount;
use super::probe::Session;
use super::route::CONNECT_INFO_GROUPS;
use super::{DropReason, Hub, LinkEnd, LinkEvent, Note, Output, SyncOutcome};
use crate::canary::Canary;
use crate::message::{Content, Draft, operation};
use alloc::vec::Vec;
use core::time::Duration;

impl Hub {
    /// Moves the link on; `false` when the change has no place in its state, and then nothing changed.
    pub(super) fn change(&mut self, change: LinkChange) -> bool {
        let Some(next) = self.state.after(change) else { return false };
        self.state = next;
        true
    }

    /// Dials.
    pub(super) fn open(&mut self) {
        if self.change(LinkChange::WaitOver) {
            self.epoch = LinkEpoch(self.epoch.0 + 1);
            let late = if self.planted.is(Canary::OpenTimeoutLate) { 2 } else { 1 };
            let lane = self.lanes.dials(self.now.mono, &self.config.lanes, self.planted);
            let within = self.lanes.open_timeout(self.config.open_timeout, &self.config.lanes) * late;
            self.state_ends = Some(self.now.mono + within);
            self.selection.dials();
            self.habits.dials(self.selection.present());
            let endpoint = self.selection.present();
            self.outputs.push_back(Output::Open { epoch: self.epoch, endpoint, lane, within });
        }
    }

    /// An event of a link. One that is not the current link changes nothing.
    pub(super) fn link_event(&mut self, epoch: LinkEpoch, event: LinkEvent) {
        let current = self.state == LinkState::Opening || self.state.is_open();
        let stale = epoch != self.epoch && !self.planted.is(Canary::EpochUnchecked);
        let stale = stale || self.state == LinkState::Draining && self.planted.is(Canary::LiveCalledStale);
        if stale || !current {
            return self.note(Note::StaleLinkEvent { epoch });
        }
        match (event, self.state.is_open()) {
            (LinkEvent::Opened, false) => self.link_up(),
            (LinkEvent::OpenFailed | LinkEvent::Closed, false) => self.open_failed(LinkEnd::OpenFailed),
            (LinkEvent::Closed, true) => self.link_lost(LinkEnd::Closed),
            (LinkEvent::Received(message), true) => self.received(message),
            (LinkEvent::Malformed(violation), true) => self.malformed(violation),
            (LinkEvent::Flushed { messages, bytes }, true) => self.flushed(messages, bytes),
            (LinkEvent::Pong(number), true) => self.pong(number),
            (LinkEvent::Progress, true) => self.keepalive.heard(self.now.mono),
            (LinkEvent::Reached, true) => self.better_lane_reached(),
            _ => self.note(Note::UnexpectedLinkEvent { epoch }),
        }
    }

    fn link_up(&mut self) {
        if !self.change(LinkChange::Opened) {
            return;
        }
        let now = self.now.mono;
        self.state_ends = None;
        self.opened_at = Some(now);
        self.keepalive = Keepalive::new(now, &self.config);
        self.session = Session::new(now);
        self.findings.link_up();
        self.in_flight = Amount::default();
        self.begin_drain();
        self.account.links += 1;
        self.note(Note::LinkUp { epoch: self.epoch, backlog: self.outbox.queued() });
        self.lanes.opened(now, &self.config.lanes, self.planted);
        self.lanes.up(now, &self.config.lanes, &mut self.rng);
        self.endpoint_up();
        self.suspect_heartbeat();
        self.send_keepalive();
        self.publish_connect_info("cloud_connected");
        if self.planted.is(Canary::ConnectInfoTwice) {
            self.publish_connect_info("cloud_connected");
        }
    }

    /// The link could not be opened, or not in time.
    pub(super) fn open_failed(&mut self, end: LinkEnd) {
        if self.change(LinkChange::OpenFailed) {
            if end == LinkEnd::OpenTimeout {
                self.outputs.push_back(Output::Close { epoch: self.epoch });
            }
            self.keep_pace(false);
            self.wait_to_dial(end, 0);
        }
    }

    /// An open link ended, or was found dead.
    pub(super) fn link_lost(&mut self, end: LinkEnd) {
        let was = self.state;
        if !self.change(LinkChange::Lost) {
            return;
        }
        if end != LinkEnd::Closed {
            self.outputs.push_back(Output::Close { epoch: self.epoch });
        }
        let unconfirmed = self.link_ended(matches!(end, LinkEnd::Silent | LinkEnd::Stalled));
        if was == LinkState::Draining {
            self.link_down(end, None, unconfirmed);
            self.publish_connect_info("cloud_disconnected");
            return self.stopped();
        }
        self.wait_to_dial(end, unconfirmed);
        self.publish_connect_info("cloud_disconnected");
        if self.planted.is(Canary::StopsUnasked) && end == LinkEnd::Violation {
            self.shutdown();
        }
    }

    /// Puts back what belonged to the link; returns how much was unconfirmed.
    pub(super) fn link_ended(&mut self, silent: bool) -> usize {
        if self.planted.is(Canary::WriteAfterClose)
            && let Some(class) = self.outbox.next(|_| true)
        {
            self.write(class);
        }
        let unconfirmed = self.outbox.unconfirmed();
        self.paused = None;
        self.peer_stalled = false;
        self.flight.ended(silent);
        let mut gone = Vec::new();
        self.outbox.link_lost(|entry| gone.push(entry));
        while let Some(message) = self.outbox.pop_own() {
            self.dropped_up(message.msg_id(), DropReason::LinkLost);
        }
        for entry in gone.into_iter().rev() {
            self.give_up(entry, DropReason::LinkLost);
        }
        unconfirmed
    }

    pub(super) fn wait_to_dial(&mut self, end: LinkEnd, unconfirmed: usize) {
        let lived = self.opened_at.take().map(|opened| self.now.mono.since(opened));
        if let Some(lived) = lived {
            self.suspect_end(end, lived);
        }
        // A link without a session did not hold, however long it was open.
        let held = lived.filter(|_| end != LinkEnd::NoSession || self.planted.is(Canary::ZombieCalledStable));
        let stable = held.is_some_and(|lived| lived >= self.config.stable_after);
        let other = self.other_lane(end, lived).or_else(|| self.other_endpoint(end, stable));
        let wait = match other {
            Some(soon) => {
                self.backoff.other(held, &self.config, self.planted);
                soon
            }
            None => self.backoff.after(held, &self.config, &mut self.rng, self.planted),
        };
        let late = if self.planted.is(Canary::DialsLate) { wait / 2 } else { Duration::ZERO };
        self.state_ends = Some(self.now.mono + wait + late);
        self.link_down(end, Some(wait), unconfirmed);
    }

    /// Tells that a link is over.
    pub(super) fn link_down(&mut self, end: LinkEnd, retry_in: Option<Duration>, unconfirmed: usize) {
        self.findings.link_down(end);
        self.note(Note::LinkDown { epoch: self.epoch, end, retry_in, unconfirmed });
    }

    /// Tells every module group once that the link came or went.
    pub(super) fn publish_connect_info(&mut self, content: &str) {
        for group in CONNECT_INFO_GROUPS {
            if self.modules.member(group, 0).is_none() {
                continue;
            }
            let id = self.rng.uuid();
            let draft = Draft {
                msg_id: id.as_str(),
                timestamp: self.now.wall,
                source: "edgehub",
                group,
                operation: operation::CONNECT,
                resource: "node/connection",
                content: Content::Text(content),
                ..Draft::default()
            };
            if let Ok(message) = draft.encode() {
                self.deliver_to_group(group, message, None);
            }
        }
    }

    /// Ends in good order: what is queued leaves first, within the grace.
    pub(super) fn shutdown(&mut self) {
        let was = self.state;
        if !self.change(LinkChange::Shutdown) {
            return;
        }
        if self.state == LinkState::Draining {
            self.state_ends = Some(self.now.mono + self.config.shutdown_grace);
            return;
        }
        if was == LinkState::Opening {
            self.outputs.push_back(Output::Close { epoch: self.epoch });
        }
        self.stopped();
    }

    /// Stops once a drain has nothing left to do.
    pub(super) fn finish_draining(&mut self) {
        if self.state != LinkState::Draining || self.outbox.queued() > 0 {
            return;
        }
        if self.outbox.unconfirmed() == 0 || self.planted.is(Canary::GraceUnused) {
            self.stop();
        } else if self.flight.is_uncovered() {
            // The last pong is all that is missing: ask for it now.
            self.ping();
        }
    }

    /// A drain is over.
    pub(super) fn stop(&mut self) {
        if !self.change(LinkChange::Drained) {
            return;
        }
        self.outputs.push_back(Output::Close { epoch: self.epoch });
        let unconfirmed = self.link_ended(false);
        self.link_down(LinkEnd::Shutdown, None, unconfirmed);
        self.publish_connect_info("cloud_disconnected");
        self.stopped();
    }

    /// Closes the books: what is still queued is left to the journal or dropped, whoever still waits is told.
    fn stopped(&mut self) {
        self.state_ends = None;
        self.drop_what_is_not_kept();
        for waiter in self.sync_keeper.end_all(None) {
            self.sync_ended(waiter, SyncOutcome::Rejected(DropReason::Shutdown));
        }
        for (module, message) in self.modules.empty_all() {
            self.dropped_in_inbox(module, &message, DropReason::Shutdown);
        }
        self.forget_settled();
        self.outputs.push_back(Output::Stopped);
    }
}
