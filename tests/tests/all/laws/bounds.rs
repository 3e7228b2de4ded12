//! Laws 10 and 11: everything is bounded, and the books balance.

use super::{STEPS, state};
use crate::observer::Observer;
use crate::property::check;
use crate::world::{self, World, drain, plan, start};
use edgehub_core::{Config, Content, Draft, Hub, Input, LinkEvent, ModuleEvent, ModuleId, Now, Output};
use std::time::Duration;

/// Laws 10 and 11, and what a driver and CloudHub may rely on: see [`Observer`].
#[test]
fn laws_10_and_11_bounds_and_conservation() {
    check("laws::bounds::laws_10_and_11_bounds_and_conservation", 250, plan(STEPS), |plan| {
        let mut observer = Observer::new(&world::config(plan.config));
        World::run(&plan, |hub, moment| observer.watch(hub, moment));
        Ok(())
    });
}

/// Long runs reach what short ones do not: full queues, stalled modules, many links.
#[test]
fn laws_10_and_11_hold_in_long_runs() {
    check("laws::bounds::laws_10_and_11_hold_in_long_runs", 8, plan(1200), |plan| {
        let mut observer = Observer::new(&world::config(plan.config));
        World::run(&plan, |hub, moment| observer.watch(hub, moment));
        Ok(())
    });
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
        let event = ModuleEvent::Sent { message, timeout: None, receipt: None };
        hub.handle(now, Input::Module { module, event });
    };
    (0..900).for_each(|_| send(&mut hub, 100));
    (0..900).for_each(|_| send(&mut hub, 50_000));
    let account = hub.account();
    assert!(account.balanced());
    assert!(account.up.pending <= 6, "{} messages of 50 kB in an outbox of 300 kB", account.up.pending);
}
