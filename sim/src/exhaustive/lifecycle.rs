//! What the link did: every state × event, as it was seen.

use super::event::Event;
use super::node::Step;
use edgehub_core::hub::link::LinkChange;
use edgehub_core::hub::{DropReason, LinkEnd, LinkState, TimerKind};
use edgehub_core::{Note, Output};
use std::collections::{BTreeMap, BTreeSet};

/// A state, by its place in [`LinkState::ALL`].
type StateIndex = usize;

/// The transitions of the link that were seen, accepted or refused.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    cells: BTreeMap<(StateIndex, &'static str), Cell>,
    changes: BTreeSet<(StateIndex, &'static str)>,
    refusals: BTreeSet<(StateIndex, &'static str)>,
}

/// What one event did in one state.
#[derive(Debug, Clone, Default)]
struct Cell {
    /// Where it led.
    to: BTreeSet<StateIndex>,
    /// Whether the hub ever took it.
    accepted: bool,
}

impl Lifecycle {
    /// Notes a step. The error says that the link went where its table does not lead.
    pub(super) fn saw(&mut self, step: &Step) -> Result<(), String> {
        let mut state = step.before;
        for change in changes(step) {
            let Some(next) = state.after(change) else {
                return Err(format!("lifecycle: {change:?} while {state:?}"));
            };
            self.changes.insert((index(state), name(change)));
            state = next;
        }
        if state != step.after {
            return Err(format!("lifecycle: the hub is {:?}, and by its outputs {state:?}", step.after));
        }
        let refused = is_refused(step);
        if let Some(change) = wanted(step.event).filter(|_| refused) {
            self.refusals.insert((index(step.before), name(change)));
        }
        let cell = self.cells.entry((index(step.before), cause(step))).or_default();
        cell.to.insert(index(step.after));
        cell.accepted |= !refused;
        Ok(())
    }

    /// Lines of the core's table that were never seen, accepted or refused. `WaitOver` and `Drained` are the hub's own
    /// words: nobody outside can say them where they have no place.
    pub fn unseen(&self) -> Vec<String> {
        let pairs =
            LinkState::ALL.into_iter().flat_map(|state| LinkChange::ALL.map(|change| (state, change)));
        pairs
            .filter(|&(state, change)| {
                let key = (index(state), name(change));
                match state.after(change) {
                    Some(_) => !self.changes.contains(&key),
                    None => {
                        !matches!(change, LinkChange::WaitOver | LinkChange::Drained)
                            && !self.refusals.contains(&key)
                    }
                }
            })
            .map(|(state, change)| format!("{state:?} + {change:?}"))
            .collect()
    }

    /// What leads from one state to another, in the order of the alphabet's names.
    pub(super) fn causes(&self, from: LinkState, to: LinkState) -> Vec<&'static str> {
        let leads = |(key, cell): (&(StateIndex, &'static str), &Cell)| {
            (key.0 == index(from) && cell.to.contains(&index(to))).then_some(key.1)
        };
        self.cells.iter().filter_map(leads).collect()
    }

    /// What the hub takes in a state without leaving it, and what it always refuses there.
    pub(super) fn inside(&self, state: LinkState) -> (Vec<&'static str>, Vec<&'static str>) {
        let here = self.cells.iter().filter(|((from, _), _)| *from == index(state));
        let (taken, refused): (Vec<_>, Vec<_>) = here
            .filter(|(_, cell)| cell.to.contains(&index(state)))
            .map(|((_, cause), cell)| (*cause, cell.accepted))
            .partition(|&(_, accepted)| accepted);
        let causes = |cells: Vec<(&'static str, bool)>| cells.into_iter().map(|(cause, _)| cause).collect();
        (causes(taken), causes(refused))
    }

    /// Every pair of different states between which the link went.
    pub(super) fn arrows(&self) -> BTreeSet<(usize, usize)> {
        let arrows =
            self.cells.iter().flat_map(|(&(from, _), cell)| cell.to.iter().map(move |&to| (from, to)));
        arrows.filter(|(from, to)| from != to).collect()
    }
}

fn index(state: LinkState) -> StateIndex {
    state as StateIndex
}

/// The changes that a step's outputs speak of, in their order.
fn changes(step: &Step) -> Vec<LinkChange> {
    let begun = match step.event {
        Event::Shutdown if step.before != step.after => Some(LinkChange::Shutdown),
        Event::Renew if step.before != step.after => Some(LinkChange::Renew),
        _ => None,
    };
    let told = step.outputs.iter().filter_map(|output| match output {
        Output::Open { .. } => Some(LinkChange::WaitOver),
        Output::Note(Note::LinkUp { .. }) => Some(LinkChange::Opened),
        Output::Note(Note::LinkDown { end, .. }) => Some(match end {
            LinkEnd::OpenFailed | LinkEnd::OpenTimeout => LinkChange::OpenFailed,
            LinkEnd::Closed
            | LinkEnd::Silent
            | LinkEnd::Stalled
            | LinkEnd::Violation
            | LinkEnd::NoSession
            | LinkEnd::Moved => LinkChange::Lost,
            LinkEnd::Shutdown => LinkChange::Drained,
            // A dial begins anew, or a link is left.
            LinkEnd::Renewed if step.before == LinkState::Opening => LinkChange::Renew,
            LinkEnd::Renewed => LinkChange::Drained,
        }),
        _ => None,
    });
    begun.into_iter().chain(told).collect()
}

/// The change that an event asks for when it comes from the current link or the operator.
fn wanted(event: Event) -> Option<LinkChange> {
    match event {
        Event::Opened => Some(LinkChange::Opened),
        Event::OpenFailed => Some(LinkChange::OpenFailed),
        Event::Closed | Event::BrokenFraming => Some(LinkChange::Lost),
        Event::Shutdown => Some(LinkChange::Shutdown),
        Event::Renew => Some(LinkChange::Renew),
        _ => None,
    }
}

/// Whether the hub said no.
fn is_refused(step: &Step) -> bool {
    let told = step.outputs.iter().any(|output| {
        use DropReason::{NotJoined, RequestIdTaken, Shutdown};
        matches!(
            output,
            Output::JoinRefused { .. }
                | Output::Note(
                    Note::StaleLinkEvent { .. }
                        | Note::UnexpectedLinkEvent { .. }
                        | Note::UnexpectedJournalEvent
                        | Note::Dropped { reason: NotJoined | RequestIdTaken | Shutdown, .. }
                )
        )
    });
    let redialled = step.before == LinkState::Opening && step.event == Event::Renew;
    let unmoved = step.event == Event::Shutdown || step.event == Event::Renew;
    step.before == step.after && (told || unmoved && !redialled)
}

/// As the event is called in the picture: a deadline by what it is for.
fn cause(step: &Step) -> &'static str {
    match (step.event, step.deadline) {
        (Event::Deadline, Some(deadline)) => timer(deadline.kind),
        (Event::Deadline, None) => Event::SpuriousTick.name(),
        (event, _) => event.name(),
    }
}

fn timer(kind: TimerKind) -> &'static str {
    match kind {
        TimerKind::OpenTimeout => "timer: open timeout",
        TimerKind::Backoff => "timer: backoff",
        TimerKind::ShutdownGrace => "timer: shutdown grace",
        TimerKind::LinkLost => "timer: link silent",
        TimerKind::PeerStall => "timer: peer stalled",
        TimerKind::PongOverdue => "timer: pong overdue",
        TimerKind::Heartbeat => "timer: heartbeat",
        TimerKind::Ping => "timer: ping",
        TimerKind::Barrier => "timer: barrier",
        TimerKind::Throttle => "timer: throttle",
        TimerKind::Drain => "timer: drain",
        TimerKind::MessageExpiry => "timer: message expiry",
        TimerKind::SyncTimeout => "timer: sync timeout",
        TimerKind::ModuleStall => "timer: module stall",
        TimerKind::Probe => "timer: probe",
        TimerKind::NoSession => "timer: no session",
        TimerKind::Return => "timer: return",
        TimerKind::RenewalGrace => "timer: renewal grace",
        TimerKind::BetterLane => "timer: better lane",
    }
}

fn name(change: LinkChange) -> &'static str {
    match change {
        LinkChange::WaitOver => "wait over",
        LinkChange::Opened => "opened",
        LinkChange::OpenFailed => "open failed",
        LinkChange::Lost => "lost",
        LinkChange::Shutdown => "shutdown",
        LinkChange::Drained => "drained",
        LinkChange::Renew => "renew",
    }
}
