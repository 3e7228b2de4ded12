//! The laws of the core, each a property over generated runs.
//!
//! A [`Plan`] becomes a run, the list of `(now, input)` with the outputs of each (`world`). A law changes that list in
//! one way, runs it again, and says what may differ.

use crate::observer::{Observer, is_hubs_own};
use crate::property::check;
use crate::world::{self, Moment, Plan, Run, World, drain, plan, replay, start};
use edgehub_core::hub::SyncOutcome;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, Instant, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Note,
    Now, Output,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const STEPS: usize = 80;

fn run(plan: &Plan) -> Run {
    World::run(plan, |_, _| {})
}

fn json(outputs: &[Output]) -> String {
    serde_json::to_string(outputs).unwrap()
}

fn without_notes(outputs: &[Output]) -> Vec<Output> {
    outputs.iter().filter(|output| !matches!(output, Output::Note(_))).cloned().collect()
}

/// Everything the hub knows, its clocks left out: a hub that was only shown the time has not changed.
fn state(hub: &Hub) -> String {
    let shown = format!("{hub:?}");
    let (before, after) = shown.split_once("now: Now {").unwrap();
    let (_, after) = after.split_once("outputs:").unwrap();
    format!("{before}{after}")
}

#[test]
fn law_01_purity() {
    check("laws::law_01_purity", 150, plan(STEPS), |plan| {
        let first = run(&plan);
        // Inputs and outputs pass through their serialised form: a trace on disk is as good as the run itself.
        let inputs: Vec<(Now, Input)> = first
            .inputs()
            .map(|(now, input)| (now, serde_json::from_str(&serde_json::to_string(&input).unwrap()).unwrap()))
            .collect();
        let second = replay(&first.config, first.seed, inputs.into_iter());
        for (a, b) in first.moments.iter().zip(&second.moments) {
            prop_assert_eq!(json(&a.outputs), json(&b.outputs), "{:?}", a.input);
        }
        Ok(())
    });
}

#[test]
fn law_02_a_tick_before_the_deadline_is_a_no_op() {
    check("laws::law_02_a_tick_before_the_deadline_is_a_no_op", 80, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        drain(&mut hub);
        let mut latest = Instant(1_000_000);
        for moment in &first.moments {
            // As late as a tick can come without being due, and without overtaking the next input.
            let due = hub.next_deadline().map_or(u64::MAX, |deadline| deadline.at.0);
            let tick = moment.now.mono.max(latest).0.min(due.saturating_sub(1));
            if tick >= latest.0 {
                let before = state(&hub);
                hub.handle(Now::new(tick, 7), Input::Tick);
                prop_assert_eq!(drain(&mut hub), vec![], "a tick at {} before {}", tick, due);
                prop_assert_eq!(state(&hub), before);
                latest = Instant(tick);
            }
            hub.handle(moment.now, moment.input.clone());
            latest = latest.max(moment.now.mono);
            prop_assert_eq!(without_clock_notes(&drain(&mut hub)), without_clock_notes(&moment.outputs));
        }
        Ok(())
    });
}

fn without_clock_notes(outputs: &[Output]) -> Vec<Output> {
    outputs.iter().filter(|output| !matches!(output, Output::Note(Note::ClockBack { .. }))).cloned().collect()
}

#[test]
fn law_03_progress() {
    check("laws::law_03_progress", 200, plan(STEPS), |plan| {
        World::run(&plan, |hub, moment| {
            // Whatever the input was, deadlines that had come are settled.
            if let Some(deadline) = hub.next_deadline() {
                assert!(deadline.at > moment.now.mono, "{deadline:?} is over at {:?}", moment.now.mono);
            }
        });
        Ok(())
    });
}

#[test]
fn law_04_nothing_hidden() {
    check("laws::law_04_nothing_hidden", 80, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        drain(&mut hub);
        for moment in &first.moments {
            hub.handle(moment.now, moment.input.clone());
            drain(&mut hub);
            let before = state(&hub);
            let again = Now { mono: hub_clock(&hub), ..moment.now };
            hub.handle(again, Input::Tick);
            prop_assert_eq!(drain(&mut hub), vec![], "after {:?}", moment.input);
            prop_assert_eq!(state(&hub), before);
        }
        Ok(())
    });
}

/// The hub's monotonic clock, from what it shows of itself.
fn hub_clock(hub: &Hub) -> Instant {
    let shown = format!("{hub:?}");
    let (_, after) = shown.split_once("now: Now { mono: Instant(").unwrap();
    Instant(after.split_once(')').unwrap().0.parse().unwrap())
}

#[test]
fn law_05_drain() {
    check("laws::law_05_drain", 150, (plan(STEPS), any::<u64>()), |(plan, when)| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        let mut outputs = Vec::new();
        drain(&mut hub);
        for (at, (now, input)) in first.inputs().enumerate() {
            hub.handle(now, input);
            // Drained now and then, by a pattern of the case's own.
            if when >> (at % 64) & 1 == 1 {
                outputs.extend(drain(&mut hub));
            }
        }
        outputs.extend(drain(&mut hub));
        prop_assert_eq!(outputs, first.outputs().cloned().collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn law_06_events_of_another_link_change_nothing() {
    check("laws::law_06_events_of_another_link_change_nothing", 80, plan(STEPS), |plan| {
        let first = run(&plan);
        let message = || Draft { msg_id: "late", group: "twin", ..Draft::default() }.encode().unwrap();
        let events = [
            LinkEvent::Opened,
            LinkEvent::OpenFailed,
            LinkEvent::Closed,
            LinkEvent::Received(message()),
            LinkEvent::Malformed(edgehub_core::Violation::Framing),
            LinkEvent::Flushed { messages: 1, bytes: 1 },
            LinkEvent::Pong(1),
        ];
        let (mut told, mut spared) = (start(&first.config, first.seed), start(&first.config, first.seed));
        for (at, (now, input)) in first.inputs().enumerate() {
            for hub in [&mut told, &mut spared] {
                hub.handle(now, input.clone());
                drain(hub);
            }
            let epoch = LinkEpoch(if at % 2 == 0 { told.epoch().0 + 1 } else { told.epoch().0 - 1 });
            told.handle(now, Input::Link { epoch, event: events[at % events.len()].clone() });
            spared.handle(now, Input::Tick);
            let mut outputs = drain(&mut told);
            prop_assert_eq!(outputs.pop(), Some(Output::Note(Note::StaleLinkEvent { epoch })));
            prop_assert_eq!(outputs, drain(&mut spared));
            prop_assert_eq!(state(&told), state(&spared));
        }
        Ok(())
    });
}

/// Nothing flows back from a note: [`World`] carries out every output and reads no note. What is left to show is that
/// it would do the same had it not been given them.
#[test]
fn law_07_notes_can_be_dropped() {
    check("laws::law_07_notes_can_be_dropped", 100, plan(STEPS), |plan| {
        let mut kept = World::new(world::config(plan.config), plan.seed);
        let mut dropped = World::new(world::config(plan.config), plan.seed).dropping_notes();
        for step in &plan.steps {
            kept.step(step, &mut |_, _| {});
            dropped.step(step, &mut |_, _| {});
        }
        let (kept, dropped) = (kept.into_run(), dropped.into_run());
        prop_assert_eq!(kept.moments.len(), dropped.moments.len());
        for (a, b) in kept.moments.iter().zip(&dropped.moments) {
            prop_assert_eq!(&a.input, &b.input);
            prop_assert_eq!(without_notes(&a.outputs), b.outputs.clone());
        }
        Ok(())
    });
}

#[test]
fn law_08_time_skip() {
    check("laws::law_08_time_skip", 200, (plan(STEPS), 1u64..400), |(plan, days)| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        for (now, input) in first.inputs() {
            hub.handle(now, input);
        }
        drain(&mut hub);
        let late = hub_clock(&hub) + Duration::from_secs(days * 86_400);
        let waited = hub.pending_requests();
        hub.handle(Now { mono: late, ..Now::default() }, Input::Tick);
        let outputs = drain(&mut hub);
        let count = |wanted: fn(&Output) -> bool| outputs.iter().filter(|output| wanted(output)).count();
        let keepalives = count(|output| {
            matches!(output, Output::Write { message, .. }
                if is_hubs_own(message) && message.operation() == "keepalive")
        });
        let writes = count(|output| matches!(output, Output::Write { .. }));
        let pings = count(|output| matches!(output, Output::Ping { .. }));
        prop_assert!(keepalives <= 1, "{} keepalives", keepalives);
        // One for the time that passed; others only as receipts for what the same tick wrote.
        prop_assert!(pings <= 1 + writes, "{} pings, {} writes", pings, writes);
        prop_assert!(writes > 0 || pings <= 1);
        let opened = count(|output| matches!(output, Output::Open { .. }));
        let closed = count(|output| matches!(output, Output::Close { .. }));
        prop_assert!(opened <= 1 && closed <= 1, "{} opened, {} closed", opened, closed);
        let ended = count(|output| matches!(output, Output::Note(Note::SyncEnded { .. })));
        prop_assert!(ended <= waited);
        prop_assert!(hub.next_deadline().is_none_or(|deadline| deadline.at > late));
        Ok(())
    });
}

#[test]
fn law_09_a_monotonic_step_back_is_held() {
    check("laws::law_09_a_monotonic_step_back_is_held", 150, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut latest = Instant(1_000_000);
        let held = first.inputs().map(|(now, input)| {
            latest = latest.max(now.mono);
            (Now { mono: latest, ..now }, input)
        });
        let held = replay(&first.config, first.seed, held);
        for (a, b) in first.moments.iter().zip(&held.moments) {
            prop_assert_eq!(without_clock_notes(&a.outputs), b.outputs.clone());
        }
        Ok(())
    });
}

#[test]
fn law_09_the_wall_clock_only_stamps() {
    check("laws::law_09_the_wall_clock_only_stamps", 150, (plan(STEPS), any::<i64>()), |(plan, wall)| {
        let first = run(&plan);
        let jumped = first
            .inputs()
            .enumerate()
            .map(|(at, (now, input))| (Now::new(now.mono.0, wall.wrapping_mul(at as i64 + 1)), input));
        let jumped = replay(&first.config, first.seed, jumped);
        for (a, b) in first.moments.iter().zip(&jumped.moments) {
            prop_assert_eq!(unstamped(&a.outputs), unstamped(&b.outputs));
        }
        Ok(())
    });
}

/// Outputs with every message's time stamp taken out. Their lengths are the stamps' business too, so byte counts of
/// the driver are not compared; the hub's decisions are.
fn unstamped(outputs: &[Output]) -> Vec<serde_json::Value> {
    outputs
        .iter()
        .map(|output| {
            let mut value = serde_json::to_value(output).unwrap();
            if let Output::Write { message, .. } | Output::Deliver { message, .. } = output {
                let mut frame: serde_json::Value = serde_json::from_str(message.frame()).unwrap();
                frame["header"]["timestamp"] = 0.into();
                let member = value.as_object_mut().unwrap().values_mut().next().unwrap();
                member["message"] = frame;
            }
            value
        })
        .collect()
}

/// Laws 10 and 11, and what a driver and CloudHub may rely on: see [`Observer`].
#[test]
fn laws_10_and_11_bounds_and_conservation() {
    check("laws::laws_10_and_11_bounds_and_conservation", 250, plan(STEPS), |plan| {
        let mut observer = Observer::new(&world::config(plan.config));
        World::run(&plan, |hub, moment| observer.watch(hub, moment));
        Ok(())
    });
}

/// Long runs reach what short ones do not: full queues, stalled modules, many links.
#[test]
fn laws_10_and_11_hold_in_long_runs() {
    check("laws::laws_10_and_11_hold_in_long_runs", 8, plan(1200), |plan| {
        let mut observer = Observer::new(&world::config(plan.config));
        World::run(&plan, |hub, moment| observer.watch(hub, moment));
        Ok(())
    });
}

#[test]
fn law_12_every_request_ends_once() {
    check("laws::law_12_every_request_ends_once", 200, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        drain(&mut hub);
        let mut moments = first.moments.clone();
        // Whatever still waits then, a shutdown and its grace end.
        let last = moments.last().map_or(Now::new(1_000_000, 0), |moment| moment.now);
        let mut late = last;
        for input in [Input::Shutdown, Input::Tick] {
            late.mono = late.mono + Duration::from_secs(1_000_000);
            moments.push(Moment { now: late, input, outputs: vec![] });
        }
        let mut asked: BTreeMap<String, u32> = BTreeMap::new();
        let mut ended: BTreeMap<String, u32> = BTreeMap::new();
        let mut joined: Vec<ModuleId> = Vec::new();
        for moment in moments {
            hub.handle(moment.now, moment.input.clone());
            let outputs = drain(&mut hub);
            let mut refused = Vec::new();
            match &moment.input {
                Input::Module { event: ModuleEvent::Sent { message, .. }, .. } if message.is_sync() => {
                    *asked.entry(message.msg_id().to_string()).or_default() += 1;
                }
                Input::Module { module, event: ModuleEvent::Joined { .. } } => joined.push(*module),
                Input::Module { module, event: ModuleEvent::Left } => joined.retain(|other| other != module),
                _ => {}
            }
            for output in &outputs {
                if let Output::Note(Note::SyncEnded { msg_id, outcome }) = output {
                    *ended.entry(msg_id.to_string()).or_default() += 1;
                    refused.push((msg_id.clone(), *outcome));
                }
            }
            // The sender is told of every end that is not an answer, once, and by an error of its own.
            let told = |id: &str| {
                let is_error = |output: &&Output| {
                    matches!(output, Output::Deliver { message, .. }
                        if message.parent_msg_id() == id && message.operation() == "error")
                };
                outputs.iter().filter(is_error).count()
            };
            for (id, outcome) in refused {
                let expected = match outcome {
                    SyncOutcome::Timeout => 1..=2,
                    SyncOutcome::Rejected(_) => 0..=2,
                    SyncOutcome::Response | SyncOutcome::Error => 0..=usize::MAX,
                };
                prop_assert!(expected.contains(&told(&id)), "{} {:?}: told {}", id, outcome, told(&id));
            }
        }
        prop_assert_eq!(asked, ended);
        prop_assert_eq!(hub.pending_requests(), 0);
        prop_assert_eq!(hub.account().up.pending, 0, "a stopped hub holds nothing");
        Ok(())
    });
}

#[test]
fn law_13_redaction() {
    check("laws::law_13_redaction", 150, plan(STEPS), |plan| {
        let first = run(&plan);
        let redacted = first.inputs().map(|(now, input)| (now, redacted_input(input)));
        let second = replay(&first.config, first.seed, redacted);
        for (a, b) in first.moments.iter().zip(&second.moments) {
            let a: Vec<Output> = a.outputs.iter().cloned().map(redacted_output).collect();
            let b: Vec<Output> = b.outputs.iter().cloned().map(redacted_output).collect();
            prop_assert_eq!(a, b);
        }
        Ok(())
    });
}

/// The message with its content replaced by a text of the same length that holds a hash of it. The hub's own contents
/// (`ping`, `ack`, connect info, reasons) say nothing about others and hash like the rest.
fn redact(message: &Message) -> Message {
    let content = message.content();
    let hash = content
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut text = format!("{hash:016x}");
    let Some(length) = content.len().checked_sub(2) else { return message.clone() };
    text.extend(std::iter::repeat_n('-', length));
    text.truncate(length);
    let draft = Draft { content: Content::Text(&text), ..Draft::from(message) };
    let redacted = draft.encode().unwrap();
    assert_eq!(redacted.bytes(), message.bytes(), "the same length: {message:?}");
    redacted
}

fn redacted_input(input: Input) -> Input {
    match input {
        Input::Link { epoch, event: LinkEvent::Received(message) } => {
            Input::Link { epoch, event: LinkEvent::Received(redact(&message)) }
        }
        Input::Module { module, event: ModuleEvent::Sent { message, timeout } } => {
            Input::Module { module, event: ModuleEvent::Sent { message: redact(&message), timeout } }
        }
        other => other,
    }
}

/// Contents that come from a module or the cloud were redacted on the way in of one run and are redacted here in the
/// other; redacting twice would hash the hash, so what is compared is everything but the content.
fn redacted_output(mut output: Output) -> Output {
    if let Output::Write { message, .. } | Output::Deliver { message, .. } = &mut output {
        let blank = "-".repeat(message.content().len().saturating_sub(2));
        let draft = Draft {
            msg_id: message.msg_id(),
            parent_msg_id: message.parent_msg_id(),
            timestamp: message.timestamp(),
            source: message.source(),
            group: message.group(),
            operation: message.operation(),
            resource: message.resource(),
            content: Content::Text(&blank),
            ..Draft::default()
        };
        *message = draft.encode().unwrap();
    }
    output
}

/// A module that joins and leaves under ever new names and groups leaves nothing behind.
#[test]
fn law_10_what_left_is_forgotten() {
    let mut hub = start(&Config::default(), 1);
    let size = |hub: &mut Hub, from: u32| {
        for number in from..from + 300 {
            let joined = ModuleEvent::Joined {
                name: format!("module-{number}").into(),
                groups: vec![format!("group-{number}").into()],
                credit: 1,
            };
            let module = ModuleId(number);
            hub.handle(Now::new(2_000_000, 0), Input::Module { module, event: joined });
            hub.handle(Now::new(2_000_000, 0), Input::Module { module, event: ModuleEvent::Left });
        }
        drain(hub);
        state(hub).len()
    };
    let early = size(&mut hub, 1000);
    assert_eq!(size(&mut hub, 2000), early);
}

/// A peer that sends, and never answers a ping, makes nothing grow but what is waiting for its confirmation.
#[test]
fn law_10_a_peer_that_never_pongs_costs_nothing() {
    let mut hub = start(&Config::default(), 1);
    let epoch = hub.epoch();
    let mut now = Now::new(1_000_000, 0);
    hub.handle(now, Input::Link { epoch, event: LinkEvent::Opened });
    let mut run = |hub: &mut Hub, messages: u32| {
        for _ in 0..messages {
            now.mono = now.mono + Duration::from_secs(1);
            let ping = Draft { msg_id: "p", operation: "ping", ..Draft::default() }.encode().unwrap();
            hub.handle(now, Input::Link { epoch, event: LinkEvent::Received(ping) });
            for output in drain(hub) {
                if let Output::Write { message, .. } = output {
                    let event = LinkEvent::Flushed { messages: 1, bytes: message.bytes() };
                    hub.handle(now, Input::Link { epoch, event });
                }
            }
        }
        state(hub).len()
    };
    let early = run(&mut hub, 2000);
    let late = run(&mut hub, 4000);
    assert!(late < early + 200, "{early} bytes of state, then {late}");
}

/// An outbox that is full of small messages does not let large ones in one for one.
#[test]
fn law_10_large_messages_make_room_by_their_bytes() {
    let config = Config { outbox_messages: 1000, outbox_bytes: 300_000, ..Config::default() };
    let mut hub = start(&config, 1);
    let now = Now::new(1_000_000, 0);
    let module = ModuleId(1);
    let joined = ModuleEvent::Joined { name: "m".into(), groups: vec![], credit: 1 };
    hub.handle(now, Input::Module { module, event: joined });
    let send = |hub: &mut Hub, size: usize| {
        let content = "x".repeat(size);
        let draft = Draft { msg_id: "m", content: Content::Text(&content), ..Draft::default() };
        let message = draft.encode().unwrap();
        let event = ModuleEvent::Sent { message, timeout: None };
        hub.handle(now, Input::Module { module, event });
    };
    (0..900).for_each(|_| send(&mut hub, 100));
    (0..900).for_each(|_| send(&mut hub, 50_000));
    let account = hub.account();
    assert!(account.balanced());
    assert!(account.up.pending <= 6, "{} messages of 50 kB in an outbox of 300 kB", account.up.pending);
}

/// The end of time is a time like any other.
#[test]
fn the_end_of_time_is_bounded_work() {
    let mut hub = start(&Config::default(), 1);
    let epoch = hub.epoch();
    for mono in [1_000_000, u64::MAX - 1, u64::MAX, u64::MAX] {
        hub.handle(Now::new(mono, i64::MAX), Input::Link { epoch, event: LinkEvent::Opened });
        assert!(drain(&mut hub).len() < 50);
    }
}
