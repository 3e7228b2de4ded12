//! Any bytes as the life of a CloudHub.

use crate::checks::CloudChecks;
use arbitrary::{Arbitrary, Unstructured};
use edgehub_core::cloud::{CloudConfig, CloudHub, CloudInput, ConnectionId, Delivery, NodeName};
use edgehub_core::{Draft, Message, Now, Violation};

/// Reads the bytes as a list of inputs, and checks the CloudHub after each.
pub fn cloud_session(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    // Reading stops where the bytes do.
    let _ = play(&mut bytes);
}

fn play(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let config = CloudConfig {
        node_limit: 2,
        known_nodes_max: bytes.int_in_range(1..=3)?,
        node_queue_messages_max: bytes.int_in_range(1..=4)?,
        sends_max: bytes.int_in_range(1..=3)?,
        ..CloudConfig::default()
    };
    let mut checks = CloudChecks::new(&config, Now::default());
    let mut cloud = CloudHub::new(config, 7, Now::default());
    let (mut time_us, mut newest, mut sent) = (0, 0, 0);
    while !bytes.is_empty() {
        let deadline = cloud.next_deadline().map_or(0, |deadline| deadline.at.0.saturating_sub(time_us));
        time_us += match u8::arbitrary(bytes)? % 8 {
            0..4 => 0,
            4 => u64::from(u32::arbitrary(bytes)?),
            5 => deadline.saturating_sub(1),
            _ => deadline,
        };
        let input = input(bytes, &mut newest, &mut sent)?;
        let described = input.clone();
        let outcome = checks.handle(&mut cloud, Now::new(time_us, 0), input);
        assert!(outcome.is_ok(), "{described:?} at {time_us}: {outcome:?}");
    }
    Ok(())
}

fn input(bytes: &mut Unstructured<'_>, newest: &mut u64, sent: &mut u64) -> arbitrary::Result<CloudInput> {
    let node = NodeName::from(*bytes.choose(&["a", "b", "c"])?);
    let connection = ConnectionId(newest.saturating_sub(u64::from(u8::arbitrary(bytes)? % 4)));
    Ok(match u8::arbitrary(bytes)? % 16 {
        0..3 => CloudInput::Tick,
        3 => {
            // Rarely a number that was used before.
            *newest += u64::from(u8::arbitrary(bytes)? % 8 > 0);
            CloudInput::Connected { connection: ConnectionId(*newest), node, project: "p".into() }
        }
        4 => CloudInput::Closed { connection },
        5 => CloudInput::Malformed { connection, violation: Violation::Empty },
        6 | 7 => CloudInput::Flushed { connection, messages: bytes.int_in_range(0..=9)? },
        8..11 => {
            let delivery =
                if bool::arbitrary(bytes)? { Delivery::Acknowledged } else { Delivery::Unacknowledged };
            *sent += 1;
            CloudInput::Send { node, message: command(bytes, *sent)?, delivery }
        }
        11 if u8::arbitrary(bytes)? % 16 == 0 => CloudInput::Shutdown,
        _ => CloudInput::Received { connection, message: received(bytes, *sent)? },
    })
}

fn command(bytes: &mut Unstructured<'_>, number: u64) -> arbitrary::Result<Message> {
    let version = u8::arbitrary(bytes)? % 4;
    let draft = Draft {
        msg_id: &format!("m{number}"),
        resource_version: &format!("{version}"),
        resource: bytes.choose(&["r1", "r2"])?,
        operation: bytes.choose(&["update", "delete", "response"])?,
        ..Draft::default()
    };
    draft.encode().map_err(|_| arbitrary::Error::IncorrectFormat)
}

fn received(bytes: &mut Unstructured<'_>, sent: u64) -> arbitrary::Result<Message> {
    let parent = sent.saturating_sub(u64::from(u8::arbitrary(bytes)? % 4));
    let operations = ["keepalive", "response", "response", "response", "error", "ping", "query", "update"];
    let draft = Draft {
        msg_id: "u",
        parent_msg_id: &format!("m{parent}"),
        resource: bytes.choose(&["k8s/ca.crt", "default/pod/p"])?,
        operation: bytes.choose(&operations)?,
        ..Draft::default()
    };
    draft.encode().map_err(|_| arbitrary::Error::IncorrectFormat)
}
