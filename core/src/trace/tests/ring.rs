//! The newest part in memory: how much it holds, and that it replays.

use crate::config::Config;
use crate::hub::{Hub, Input, ModuleEvent, ModuleId};
use crate::message::{Content, Draft};
use crate::rng::Rng;
use crate::time::Now;
use crate::trace::{BlockKind, Header, Recorder, ReplayError, Replayed, Ring, Trace, replay};
use std::vec::Vec;

/// Messages for an outbox that is full and a link that never comes, recorded into a ring of so many bytes. `often` is
/// after how many messages the driver finishes a block by itself. Returns what a dump of the ring replays to.
fn recorded(ring_bytes: usize, messages: u64, often: u64) -> (Result<Replayed, ReplayError>, bool) {
    let config = Config { outbox_messages: 1000, rate: None, ..Config::default() };
    let header = Header { config: config.clone(), ..Header::default() };
    let mut recorder = Recorder::new(header.clone(), 1, ring_bytes).for_ring(ring_bytes);
    let (mut hub, mut ring, mut rng) =
        (Hub::new(config, 0, Now::default()), Ring::new(header, ring_bytes), Rng::new(9));
    let mut step = |number: u64, input: Input| {
        let now = Now::new(number * 1000, number as i64);
        recorder.input(now, &input, &hub);
        hub.handle(now, input);
        while let Some(output) = hub.poll_output() {
            recorder.output(&output);
        }
        recorder.drained(&hub);
        if number.is_multiple_of(often) || number == messages {
            recorder.finish_block();
        }
        while let Some(block) = recorder.next_block() {
            ring.push(&block);
            assert!(ring.bytes() <= ring_bytes, "{} bytes after {number} messages", ring.bytes());
        }
    };
    let module = ModuleId(1);
    let joined = ModuleEvent::Joined { name: "twin".into(), groups: Vec::new(), credit: 9 };
    step(0, Input::Module { module, event: joined });
    for number in 1..=messages {
        let (id, resource) = (rng.uuid(), std::format!("device/{number}"));
        let draft = Draft {
            msg_id: id.as_str(),
            source: "twin",
            group: "resource",
            operation: "update",
            resource: &resource,
            content: Content::Text("21.5"),
            ..Draft::default()
        };
        let sent = ModuleEvent::Sent { message: draft.encode().unwrap(), timeout: None, receipt: None };
        step(number, Input::Module { module, event: sent });
    }
    let dump = ring.dump("for a test");
    let trace = Trace::open(&dump).unwrap();
    assert_eq!(trace.damage(), []);
    let begins = trace.blocks().first().is_none_or(|block| block.kind() == BlockKind::Checkpoint);
    assert_eq!(begins, ring.has_dropped(), "what is left begins with a checkpoint");
    (replay(&trace), ring.has_dropped())
}

#[test]
fn a_full_outbox_does_not_burst_the_ring() {
    // A thirty-second part of this would be far less than a checkpoint, of which one has a thousand messages.
    let (replayed, has_dropped) = recorded(300_000, 12_000, u64::MAX);
    let replayed = replayed.unwrap();
    assert!(has_dropped && replayed.inputs > 1000 && replayed.skipped == 0, "{replayed:?}");
}

#[test]
fn blocks_that_the_driver_finishes_lead_to_checkpoints_too() {
    // With little to do, a driver finishes every block before it is full.
    let (replayed, has_dropped) = recorded(300_000, 12_000, 50);
    let replayed = replayed.unwrap();
    assert!(has_dropped && replayed.inputs > 1000 && replayed.skipped == 0, "{replayed:?}");
}

#[test]
fn a_ring_smaller_than_a_checkpoint_keeps_its_bound() {
    let (replayed, has_dropped) = recorded(30_000, 3000, 50);
    assert!(has_dropped && replayed.is_ok_and(|replayed| replayed.skipped == 0));
}
