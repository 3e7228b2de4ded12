//! Properties of every run, tried on random ones.

use super::tests::script::{keepalive, large, message, response};
use super::*;
use crate::limits::WRITE_WINDOW_BYTES;
use crate::message::{Draft, Message, operation};
use crate::violation::Violation;
use proptest::prelude::*;
use std::format;
use std::string::String;
use std::vec::Vec;

/// An input and the microseconds since the one before; negative ones try the clamp.
type Step = (i64, CloudInput);

const NODES: [&str; 3] = ["a", "b", "c"];

/// Few nodes, few ids and small limits, so that everything meets everything.
fn config() -> CloudConfig {
    CloudConfig {
        node_limit: 2,
        known_nodes_max: 2,
        node_queue_messages_max: 4,
        sends_max: 2,
        ..CloudConfig::default()
    }
}

fn node() -> impl Strategy<Value = NodeName> {
    prop_oneof![3 => Just("a"), 1 => Just("b"), 1 => Just("c")].prop_map(NodeName::from)
}

fn connection() -> impl Strategy<Value = ConnectionId> {
    (0..12u64).prop_map(ConnectionId)
}

fn sent() -> impl Strategy<Value = Message> {
    (0..32u32, 0..3u32, 0..4u32).prop_map(|(id, resource, version)| {
        if id == 31 {
            return large("m7", WRITE_WINDOW_BYTES);
        }
        let (msg_id, resource) = (&*format!("m{}", id % 8), &*format!("r{resource}"));
        let resource_version = &*format!("{version}");
        Draft { msg_id, resource, resource_version, operation: "update", ..Draft::default() }
            .encode()
            .unwrap()
    })
}

fn received() -> impl Strategy<Value = Message> {
    let control = |operation: &str| Draft { msg_id: "c", operation, ..Draft::default() }.encode().unwrap();
    let ca = Draft { msg_id: "q", operation: "query", resource: "k8s/ca.crt", ..Draft::default() };
    prop_oneof![
        4 => Just(keepalive()),
        6 => (0..8u32).prop_map(|id| response(&format!("m{id}"), operation::RESPONSE)),
        1 => (0..8u32).prop_map(|id| response(&format!("m{id}"), operation::ERROR)),
        2 => Just(message("u")),
        1 => Just(control("ping")),
        1 => Just(ca.encode().unwrap()),
    ]
}

fn input() -> impl Strategy<Value = CloudInput> {
    let delivery = prop_oneof![3 => Just(Delivery::Acknowledged), 1 => Just(Delivery::Unacknowledged)];
    prop_oneof![
        60 => Just(CloudInput::Tick),
        15 => (connection(), node()).prop_map(|(connection, node)| {
            CloudInput::Connected { connection, node, project: "p".into() }
        }),
        90 => (connection(), received())
            .prop_map(|(connection, message)| CloudInput::Received { connection, message }),
        3 => connection().prop_map(|connection| CloudInput::Malformed { connection, violation: Violation::Empty }),
        30 => (connection(), 0..9usize)
            .prop_map(|(connection, messages)| CloudInput::Flushed { connection, messages }),
        5 => connection().prop_map(|connection| CloudInput::Closed { connection }),
        60 => (node(), sent(), delivery)
            .prop_map(|(node, message, delivery)| CloudInput::Send { node, message, delivery }),
        1 => Just(CloudInput::Shutdown),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![
        8 => Just(0i64), 4 => 0..2_000_000i64, 2 => Just(5_000_000i64), 1 => 0..32_000_000i64, 1 => -9_000_000..0i64,
    ];
    prop::collection::vec((pause, input()), 0..120).prop_map(numbered)
}

/// Most connections get the next number, as a driver gives it, and most events belong to one of the newest three.
fn numbered(mut steps: Vec<Step>) -> Vec<Step> {
    let mut newest = 0;
    for (_, input) in &mut steps {
        match input {
            CloudInput::Connected { connection, .. } => {
                newest += u64::from(connection.0 < 11);
                connection.0 = newest;
            }
            CloudInput::Received { connection, .. }
            | CloudInput::Malformed { connection, .. }
            | CloudInput::Flushed { connection, .. }
            | CloudInput::Closed { connection }
                if connection.0 < 11 =>
            {
                connection.0 = newest.saturating_sub(connection.0 % 5 / 2);
            }
            _ => {}
        }
    }
    steps
}

/// Runs a script and calls `check` with the hub before and after each step, and the outputs of the step.
fn run(
    steps: &[Step],
    mut check: impl FnMut(&CloudHub, &CloudHub, &CloudInput, &[CloudOutput]),
) -> Vec<CloudOutput> {
    let mut cloud = CloudHub::new(config(), 7, Now::default());
    let mut all = Vec::new();
    let mut mono = 0i64;
    for (pause, input) in steps {
        mono = (mono + pause).max(0);
        let before = cloud.clone();
        cloud.handle(Now::new(mono as u64, mono / 1000), input.clone());
        let outputs: Vec<_> = core::iter::from_fn(|| cloud.poll_output()).collect();
        check(&before, &cloud, input, &outputs);
        all.extend(outputs);
    }
    all
}

fn state(cloud: &CloudHub) -> String {
    format!("{:?}", CloudHub { now: Now::default(), ..cloud.clone() })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_and_the_tables_are_bounded(steps in steps()) {
        run(&steps, |_, cloud, _, _| {
            let account = cloud.account();
            assert!(account.balanced(), "{account:#?}");
            assert!(cloud.sessions.len() <= config().node_limit);
            assert_eq!(cloud.deadlines.len(), cloud.sessions.len());
        });
    }

    #[test]
    fn writes_go_to_open_sessions_only(steps in steps()) {
        let mut open = BTreeSet::new();
        let mut closed = BTreeSet::new();
        run(&steps, |_, _, input, outputs| {
            if let CloudInput::Connected { connection, .. } = input && !closed.contains(connection) {
                open.insert(*connection);
            }
            if let CloudInput::Closed { connection } = input {
                // Before its `Connected` it means nothing.
                if open.remove(connection) {
                    closed.insert(*connection);
                }
            }
            for output in outputs {
                match output {
                    CloudOutput::Write { connection, .. } => assert!(open.contains(connection), "{output:?}"),
                    CloudOutput::Close { connection, .. } => {
                        assert!(open.remove(connection), "{output:?}");
                        closed.insert(*connection);
                    }
                    _ => {}
                }
            }
        });
    }

    /// Seen from outside: between two different acknowledged messages of a node, the first one was acknowledged,
    /// requeued, or its session ended.
    #[test]
    fn one_acknowledged_message_per_node_is_in_flight(steps in steps()) {
        let mut in_flight: BTreeMap<NodeName, String> = BTreeMap::new();
        let mut node_of: BTreeMap<ConnectionId, NodeName> = BTreeMap::new();
        // Unacknowledged messages get ids of their own.
        let steps: Vec<Step> = steps.into_iter().map(|(pause, input)| (pause, match input {
            CloudInput::Send { node, delivery: Delivery::Unacknowledged, .. } =>
                CloudInput::Send { node, message: message("plain"), delivery: Delivery::Unacknowledged },
            input => input,
        })).collect();
        run(&steps, |_, _, input, outputs| {
            for output in outputs {
                match output {
                    // What is outdated when its time is over does not go back.
                    CloudOutput::Note(CloudNote::Dropped { node, .. }) if *input == CloudInput::Tick => {
                        in_flight.remove(node);
                    }
                    CloudOutput::Note(CloudNote::Connected { connection, node, .. }) => {
                        node_of.insert(*connection, node.clone());
                    }
                    CloudOutput::Note(CloudNote::Disconnected { node, .. }) => {
                        in_flight.remove(node);
                    }
                    CloudOutput::Note(CloudNote::Requeued { node, msg_id })
                    | CloudOutput::Acknowledged { node, msg_id } => {
                        in_flight.retain(|name, id| name != node || **id != **msg_id);
                    }
                    CloudOutput::Write { connection, message } if message.msg_id().starts_with('m') => {
                        let node = node_of[connection].clone();
                        let before = in_flight.insert(node, message.msg_id().into());
                        assert!(before.is_none_or(|before| before == message.msg_id()), "{output:?}");
                    }
                    _ => {}
                }
            }
        });
    }

    #[test]
    fn an_early_tick_changes_nothing_and_a_late_one_moves_on(steps in steps(), late in 0..100_000_000u64) {
        run(&steps, |_, cloud, _, _| {
            let Some(deadline) = cloud.next_deadline() else { return };
            if deadline.at > cloud.now.mono {
                let mut early = cloud.clone();
                early.handle(Now::new(deadline.at.0 - 1, 0), CloudInput::Tick);
                assert_eq!(state(&early), state(cloud));
            }
            let mut ticked = cloud.clone();
            let at = deadline.at.max(cloud.now.mono).0 + late;
            ticked.handle(Now::new(at, 0), CloudInput::Tick);
            assert!(ticked.next_deadline().is_none_or(|deadline| deadline.at.0 > at));
            let outputs = core::iter::from_fn(|| ticked.poll_output());
            let writes = outputs.filter(|output| matches!(output, CloudOutput::Write { .. })).count();
            assert!(writes <= cloud.sessions.len(), "a burst");
        });
    }

    #[test]
    fn a_replay_gives_the_same_outputs(steps in steps()) {
        let recorded = serde_json::to_string(&steps).unwrap();
        let replayed: Vec<Step> = serde_json::from_str(&recorded).unwrap();
        prop_assert_eq!(&replayed, &steps);
        let outputs = run(&steps, |_, _, _, _| {});
        prop_assert_eq!(&run(&replayed, |_, _, _, _| {}), &outputs);
        let text = serde_json::to_string(&outputs).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Vec<CloudOutput>>(&text).unwrap(), &outputs);
    }

    /// Nothing that a session does changes while nobody feeds it: `poll_output` and `next_deadline` only look.
    #[test]
    fn draining_late_gives_the_same_sequence(steps in steps()) {
        let drained = run(&steps, |_, _, _, _| {});
        let mut cloud = CloudHub::new(config(), 7, Now::default());
        let mut mono = 0i64;
        for (pause, input) in steps {
            mono = (mono + pause).max(0);
            cloud.handle(Now::new(mono as u64, mono / 1000), input);
            let _ = cloud.next_deadline();
        }
        let late: Vec<_> = core::iter::from_fn(|| cloud.poll_output()).collect();
        prop_assert_eq!(late, drained);
    }

    /// A node that keeps its link and answers everything gets everything.
    #[test]
    fn every_acknowledged_message_arrives_in_the_end(steps in steps()) {
        let steps: Vec<Step> =
            steps.into_iter().filter(|(_, input)| !matches!(input, CloudInput::Shutdown)).collect();
        let mut cloud = CloudHub::new(config(), 7, Now::default());
        run(&steps, |_, after, _, _| cloud = after.clone());
        let now = cloud.now;
        for (number, name) in NODES.into_iter().enumerate() {
            let connection = ConnectionId(100 + number as u64);
            cloud.handle(now, CloudInput::Connected { connection, node: name.into(), project: "p".into() });
            while let Some(output) = cloud.poll_output() {
                if let CloudOutput::Write { connection, message } = output {
                    cloud.handle(now, CloudInput::Flushed { connection, messages: 1 });
                    let message = response(message.msg_id(), operation::RESPONSE);
                    cloud.handle(now, CloudInput::Received { connection, message });
                }
            }
            cloud.handle(now, CloudInput::Closed { connection });
        }
        prop_assert_eq!(cloud.nodes.queued(), 0);
        prop_assert_eq!(cloud.account().down.pending, 0);
    }
}
