//! Everything hostile, and everything that an operator does, in every phase of a link: a table with nothing left to chance.
//!
//! Each cell is a run of its own: the hub is brought into the phase, the thing happens in that very moment, and then the world
//! heals and idles, unless the node has stopped.

use crate::catalogue;
use crate::effects::Effect;
use crate::log::LogKind;
use crate::run::run;
use crate::scenario::verb::Call;
use crate::scenario::{Action, Kind, Scenario, Subject, Verb};
use crate::world::World;
use edgehub_core::config::LaneChoice;
use edgehub_core::hub::LinkState;
use edgehub_core::message::Field;
use edgehub_core::{Instant, LinkEvent, Violation};
use std::time::Duration;

/// The moment, in seconds.
const MOMENT: u64 = 10;

const PHASES: [LinkState; 6] = [
    LinkState::Waiting,
    LinkState::Opening,
    LinkState::Up,
    LinkState::Draining,
    LinkState::Stopped,
    LinkState::Renewing,
];

/// Where a phase stands in the table. A new one does not compile without a line here.
fn place(phase: LinkState) -> usize {
    match phase {
        LinkState::Waiting => 0,
        LinkState::Opening => 1,
        LinkState::Up => 2,
        LinkState::Draining => 3,
        LinkState::Stopped => 4,
        LinkState::Renewing => 5,
    }
}

/// What brings a hub into a phase: actions at such times in milliseconds, by name, with their first values.
fn way_into(phase: LinkState) -> &'static [(u64, &'static str, &'static [u64])] {
    // A dial that hangs for as long as the hub lets it; one that is refused; a message that is written and not confirmed yet.
    const HANGS: &[u64] = &[3, 1, 0];
    const REFUSED: &[u64] = &[0, 10, 0];
    const MESSAGE: &[u64] = &[1, 300, 1, 0];
    match phase {
        LinkState::Waiting => &[(4_000, "dial", REFUSED), (5_000, "evict", &[])],
        LinkState::Opening => &[(4_000, "dial", HANGS), (5_000, "evict", &[])],
        LinkState::Up => &[(10_000, "send", MESSAGE)],
        LinkState::Draining => &[(10_000, "send", MESSAGE), (10_000, "shutdown", &[])],
        LinkState::Stopped => &[(5_000, "shutdown", &[])],
        LinkState::Renewing => &[(10_000, "send", MESSAGE), (10_000, "renew", &[1, 0, 1, 0])],
    }
}

fn action(at_ms: u64, name: &str, values: &[u64]) -> Action {
    let verb = catalogue::verb(Subject::Node, name).unwrap_or_else(|| panic!("{name}"));
    let mut action = Action::simplest(Instant(at_ms * 1_000), 0, verb);
    action.values[..values.len()].copy_from_slice(values);
    action
}

/// Stands for an action of no verb: the violation at this place of [`VIOLATIONS`].
static MALFORMED: Verb = Verb { name: "violation", subject: Subject::Node, parameters: &[], act: violation };

fn violation(world: &mut World, call: &Call) -> Effect {
    let epoch = world.edges[0].hub.epoch();
    world.inject(0, epoch, LinkEvent::Malformed(VIOLATIONS[call.values[0] as usize]))?;
    Ok(true)
}

/// Looks whether the phase is the one at this place of [`PHASES`].
static LOOK: Verb = Verb { name: "look", subject: Subject::Node, parameters: &[], act: look };

fn look(world: &mut World, call: &Call) -> Effect {
    assert_eq!(world.edges[0].hub.link_state(), PHASES[call.values[0] as usize]);
    Ok(true)
}

const VIOLATIONS: [Violation; 22] = [
    Violation::FrameTooLarge { bytes: usize::MAX },
    Violation::Empty,
    Violation::NotUtf8,
    Violation::Truncated,
    Violation::NotJson { at: 0 },
    Violation::NotAnObject,
    Violation::NestingTooDeep { at: 0 },
    Violation::WrongType { field: Field::MsgId },
    Violation::FieldTooLong { field: Field::MsgId, bytes: usize::MAX },
    Violation::Framing,
    Violation::PackageVersion { version: u32::MAX },
    Violation::PackageType { code: u8::MAX },
    Violation::PackageFlags { flags: u8::MAX },
    Violation::PackageTooLarge { bytes: usize::MAX, limit: 0 },
    Violation::PackageTruncated,
    Violation::NotDeflate,
    Violation::NotProtobuf,
    Violation::StreamUse,
    Violation::TooManyStreams,
    Violation::ControlLane,
    Violation::ControlLaneClosed,
    Violation::StreamStopped,
];

/// Where a violation stands in the list. A new one does not compile without a line here.
fn place_of(violation: &Violation) -> usize {
    match violation {
        Violation::FrameTooLarge { .. } => 0,
        Violation::Empty => 1,
        Violation::NotUtf8 => 2,
        Violation::Truncated => 3,
        Violation::NotJson { .. } => 4,
        Violation::NotAnObject => 5,
        Violation::NestingTooDeep { .. } => 6,
        Violation::WrongType { .. } => 7,
        Violation::FieldTooLong { .. } => 8,
        Violation::Framing => 9,
        Violation::PackageVersion { .. } => 10,
        Violation::PackageType { .. } => 11,
        Violation::PackageFlags { .. } => 12,
        Violation::PackageTooLarge { .. } => 13,
        Violation::PackageTruncated => 14,
        Violation::NotDeflate => 15,
        Violation::NotProtobuf => 16,
        Violation::StreamUse => 17,
        Violation::TooManyStreams => 18,
        Violation::ControlLane => 19,
        Violation::ControlLaneClosed => 20,
        Violation::StreamStopped => 21,
    }
}

/// An action for each word of a verb's first parameter.
fn each_word(name: &str, others: &[u64]) -> Vec<Action> {
    let Kind::Word(words) = action(0, name, &[]).verb.parameters[0].kind else { panic!("{name}") };
    (0..words.len() as u64).map(|word| action(MOMENT * 1_000, name, &[&[word], others].concat())).collect()
}

/// Everything that can be said or done to a node, at the moment.
fn things() -> Vec<Action> {
    let at = Instant(MOMENT * 1_000_000);
    let violations = (0..VIOLATIONS.len() as u64).map(|place| {
        let mut action = Action::simplest(at, 0, &MALFORMED);
        action.values[0] = place;
        action
    });
    // Each setting becomes the lowest and the highest that it can be; of a few words, each.
    let settings = [0, 1, 2, 60_000_000].into_iter().flat_map(|to| each_word("reconfigure", &[to]));
    let stale = each_word("stale", &[1, 2]);
    let own = ["renew", "shutdown"].map(|name| action(MOMENT * 1_000, name, &[]));
    let said = [each_word("hostile", &[3]), each_word("malformed", &[40, 3]), stale].concat();
    said.into_iter().chain(violations).chain(settings).chain(own).collect()
}

/// A quiet world in which a thing happens in a phase.
fn scenario(phase: LinkState, thing: Action, lanes: LaneChoice) -> Scenario {
    let mut scenario = Scenario::quiet(&format!("{thing} while {phase:?}"), Duration::from_secs(MOMENT + 20));
    scenario.edge.lanes.choice = lanes;
    // A wait that lasts until the moment, and a dial that does.
    scenario.edge.backoff_base = Duration::from_secs(5);
    scenario.edge.open_timeout = Duration::from_secs(30);
    scenario.actions = way_into(phase).iter().map(|(at, name, values)| action(*at, name, values)).collect();
    let mut look = Action::simplest(thing.at, 0, &LOOK);
    look.values[0] = place(phase) as u64;
    scenario.actions.extend([look, thing]);
    // Life goes on.
    let (send, ask, command) = ((11_000, "send"), (12_000, "ask"), (13_000, "command"));
    scenario.actions.extend([send, ask, command].map(|(at, name)| action(at, name, &[])));
    scenario
}

#[test]
fn each_place_is_its_own() {
    assert!(PHASES.into_iter().enumerate().all(|(at, phase)| place(phase) == at));
    assert!(VIOLATIONS.iter().enumerate().all(|(at, violation)| place_of(violation) == at));
}

#[test]
fn everything_holds_in_every_phase() {
    let mut wrong = Vec::new();
    let things = things();
    for phase in PHASES {
        for (number, &thing) in things.iter().enumerate() {
            // What breaks the rules of a lane is of no other interest to the hub than by which one it dials next.
            let lanes = if number % 2 == 0 { LaneChoice::WebSocket } else { LaneChoice::Auto };
            let scenario = scenario(phase, thing, lanes);
            match run(&scenario, LogKind::Nothing).0 {
                Ok(report) => assert_eq!(report.effects.of(&LOOK), 1, "{}", scenario.name),
                Err(failure) => wrong.push(format!("{}: {failure}\n{scenario}", scenario.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), PHASES.len() * things.len(), wrong.join("\n"));
}
