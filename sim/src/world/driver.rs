//! What the driver does with the hub's outputs, and when it ticks.

use super::edge::TickFault;
use super::network::{End, Side, Way};
use super::stream::Frame;
use super::{Event, World};
use crate::checks::{Broken, Outcome};
use edgehub_core::hub::Direction;
use edgehub_core::journal::{self, Operation};
use edgehub_core::{Input, Instant, LinkEpoch, LinkEvent, Message, Note, Output};

impl World {
    /// Does what the hub says, now or, if the driver is behind, later, in the same order.
    pub(super) fn do_or_put_off(&mut self, node: usize, outputs: Vec<Output>) -> Outcome {
        let now = self.now;
        let edge = &mut self.edges[node];
        let late = edge.driver.drains_late.filter(|(_, until)| now < *until).map(|(by, _)| by);
        if late.is_none() && edge.undone.is_empty() {
            return self.carry_out(node, outputs);
        }
        if edge.undone.is_empty() && !outputs.is_empty() {
            self.queue.plan(now + late.unwrap_or_default(), Event::Drains { node });
        }
        self.edges[node].undone.extend(outputs);
        self.set_timer(node);
        Ok(())
    }

    pub(super) fn drains(&mut self, node: usize) -> Outcome {
        let outputs = std::mem::take(&mut self.edges[node].undone);
        self.carry_out(node, outputs)
    }

    fn carry_out(&mut self, node: usize, outputs: impl IntoIterator<Item = Output>) -> Outcome {
        let mut touched = false;
        let mut at_once = Vec::new();
        for output in outputs {
            match output {
                Output::Open { epoch, endpoint, lane, within: _ } => {
                    self.edges[node].link = None;
                    self.dial(node, epoch, endpoint, lane);
                }
                Output::Write { epoch, message } => {
                    let answer = self.answer_at_once(node, &message);
                    if self.write_up(node, epoch, Frame::Message(message)) {
                        touched = true;
                        at_once.extend(answer.map(|answer| (epoch, answer)));
                    }
                }
                Output::Ping { epoch, number } => touched |= self.write_up(node, epoch, Frame::Ping(number)),
                Output::Pause { .. } => self.hold(node, true),
                Output::Resume { .. } => self.hold(node, false),
                Output::Close { epoch } => self.close_from_edge(node, epoch),
                Output::Intake { open } => self.edges[node].intake = open,
                Output::Deliver { module, message, answer } => self.deliver(node, module, message, answer),
                Output::JoinRefused { module } => {
                    if !self.edges[node].stopped && self.edges[node].undone.is_empty() {
                        return Err(Broken::new("joining", "refused", format!("{module:?} may not join")));
                    }
                }
                Output::Store { number, class, message } => {
                    self.store(node, Operation::Store(World::entry(number, class, message)));
                }
                Output::Bury { letter, class, reason, message } => {
                    let entry = World::entry(journal::EntryNumber(letter.0), class, message);
                    self.bury(node, journal::Entry { reason: Some(reason.to_string().into()), ..entry });
                }
                Output::Forget { first, last } => self.store(node, Operation::Forget { first, last }),
                Output::Fetch { number } => self.store(node, Operation::Fetch(number)),
                // The checks have seen it.
                Output::Receipt { .. } => {}
                Output::Stopped => self.edges[node].stopped = true,
                Output::Note(note) => self.take_note(node, &note),
            }
        }
        if touched && let Some(link) = self.edges[node].link {
            self.send(link, Way::Up);
        }
        self.set_timer(node);
        self.drive_store(node);
        at_once.into_iter().try_for_each(|(epoch, answer)| self.arrives_at_once(node, epoch, answer))
    }

    /// An answer is there before the driver knows that its question has left, if the link carries anything back at present.
    fn arrives_at_once(&mut self, node: usize, epoch: LinkEpoch, answer: Message) -> Outcome {
        let Some(id) = self.edges[node].link else { return Ok(()) };
        let link = self.network.link(id);
        let carries = link.edge == Side::Open && !link.cut && !link.down.silent && !link.down.held;
        if link.epoch != epoch || !carries {
            return Ok(());
        }
        self.edge_handle(node, Input::Link { epoch, event: LinkEvent::Received(answer) })
    }

    fn take_note(&mut self, node: usize, note: &Note) {
        let edge = &mut self.edges[node];
        if let Note::Dropped { direction: Direction::Up, msg_id, .. } = note {
            // A crash may bring it back before its forgetting was synced; then it has no place in the order.
            self.arrivals.unordered(node, msg_id);
        }
        edge.requests_ended += u64::from(matches!(note, Note::SyncEnded { .. }));
        if !matches!(note, Note::RoundTrip { .. }) {
            self.log.transition(self.now, edge.name.as_str(), || format!("{note:?}"));
        }
    }

    /// A frame for the link of this epoch; a driver that is behind may have no such link any more.
    fn write_up(&mut self, node: usize, epoch: LinkEpoch, frame: Frame) -> bool {
        let Some(id) = self.edges[node].link else { return false };
        let link = self.network.link_mut(id);
        if link.epoch != epoch || link.edge == Side::Closed {
            return false;
        }
        link.up.write(frame);
        true
    }

    /// Stops reading, or goes on.
    fn hold(&mut self, node: usize, held: bool) {
        if let Some(link) = self.edges[node].link {
            self.network.link_mut(link).down.held = held;
            self.send(link, Way::Down);
        }
    }

    /// Plans the next tick, unless one comes before it anyway.
    pub(super) fn set_timer(&mut self, node: usize) {
        let now = self.now;
        let edge = &mut self.edges[node];
        let Some(deadline) = edge.hub.next_deadline().filter(|_| !edge.down) else { return };
        let mut at = edge.clock.shows(deadline.at).max(now);
        if at == now && edge.clock.held() < deadline.at {
            // The clock shows less than it will: one looks again a little later.
            at = edge.clock.relook(now, deadline.at);
        }
        let fault = edge.driver.ticks.filter(|(.., until)| now < *until);
        let mut sure = false;
        match fault {
            Some((TickFault::Early, by, _)) if at - by > now => {
                self.queue.plan(at - by, Event::Tick { node, sure: true });
            }
            Some((TickFault::Late, by, _)) => at = at + by,
            Some((TickFault::Twice, ..)) => sure = true,
            _ => {}
        }
        let edge = &mut self.edges[node];
        if edge.timer.is_some_and(|timer| timer <= at) {
            return;
        }
        edge.timer = Some(at);
        self.queue.plan(at, Event::Tick { node, sure: false });
        if sure {
            self.queue.plan(at, Event::Tick { node, sure: true });
        }
    }

    pub(super) fn tick(&mut self, node: usize, sure: bool) -> Outcome {
        let now = self.now;
        let edge = &mut self.edges[node];
        if sure {
            return self.edge_tick(node);
        }
        if edge.timer.is_none_or(|timer| timer > now) {
            // Another one has replaced it.
            return Ok(());
        }
        edge.timer = None;
        let due = edge.hub.next_deadline().is_some_and(|deadline| edge.clock.shows(deadline.at) <= now);
        if due {
            return self.edge_tick(node);
        }
        self.set_timer(node);
        Ok(())
    }

    /// Before a tick the driver asks its operating system how the link is doing: the acknowledgements of the other one
    /// come back if anything does.
    fn edge_tick(&mut self, node: usize) -> Outcome {
        if let Some(id) = self.edges[node].link {
            let link = self.network.link_mut(id);
            let made = link.up.made_progress() && !link.down.silent && link.edge == Side::Open;
            if made && link.incarnation == self.edges[node].incarnation {
                let epoch = self.network.link(id).epoch;
                self.edge_handle(node, Input::Link { epoch, event: LinkEvent::Progress })?;
            }
        }
        self.edge_handle(node, Input::Tick)
    }

    /// Something is said about a link, whether the world knows of it or not.
    pub(crate) fn inject(&mut self, node: usize, epoch: LinkEpoch, event: LinkEvent) -> Outcome {
        self.edge_handle(node, Input::Link { epoch, event })
    }

    /// The end of a link that was cut learns of it.
    pub(super) fn plan_severed(&mut self, link: super::LinkId, end: End, at: Instant) {
        self.queue.plan(at, Event::Severed { link, end });
    }
}
