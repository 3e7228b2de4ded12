//! Nobody takes anything: senders wait, what waits is bounded, and nobody else is held up.

use super::LANE;
use super::bench_of::{NODE, config, from_cloud, pair_over};
use edgehub::websocket;
use edgehub_core::cloud::Delivery;
use edgehub_core::limits::HANDED_BYTES_MAX;
use edgehub_core::{Config, Content, Draft};
use smol::future::{or, zip};
use std::cell::Cell;
use std::time::Duration;

/// Looks so often before it is said that nothing moves. Where something would have moved later, a test proves less, and does not fail.
const LOOKS: u32 = 200;

const TEXT_BYTES: usize = 16 << 10;

/// Looks until it sees the same again and again, and returns that.
async fn stuck<T: PartialEq>(look: impl AsyncFn() -> T) -> T {
    let mut last = look().await;
    let mut same = 0;
    while same < LOOKS {
        let now = look().await;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// No ping is answered by a cloud that does not read: a link is not to be lost for that here.
fn patient() -> Config {
    Config { ping_interval: Duration::from_secs(60), outbox_bytes: 1 << 20, ..config() }
}

#[test]
fn a_cloud_that_takes_nothing_stops_the_senders() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, patient()).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        let text = "x".repeat(TEXT_BYTES);
        let (begun, enough) = (Cell::new(0_u64), Cell::new(false));
        let send = async {
            while !enough.get() {
                let number = begun.replace(begun.get() + 1);
                let content = format!("{number:08}{text}");
                let message = module.compose("resource", "update", "x", &content).unwrap();
                module.send(message).await.unwrap();
            }
        };
        let receive = async {
            // It ends only if the sender waits.
            let up = stuck(async || edge.hub.account().await.unwrap().up).await;
            assert!(up.pending > 0, "{up:?}");
            assert!(up.pending as usize * TEXT_BYTES <= 8 << 20, "bounded: {up:?}");
            enough.set(true);
            let mut next = 0;
            while next < begun.get() {
                let (_, message) = server.receive().await.unwrap();
                assert_eq!(message.content()[1..9].parse(), Ok(next), "in order, once");
                next += 1;
            }
        };
        zip(send, receive).await;
        let account = edge.hub.settled().await.unwrap();
        assert_eq!((account.up.pending, account.up.dropped(), account.links), (0, 0, 1));
    });
}

#[test]
fn a_node_that_reads_nothing_holds_up_nobody_else() {
    smol::block_on(async {
        let (loopback, server, edge) = pair_over(LANE, patient()).await;
        let module = edge.hub.join("eventbus", &[]).await.unwrap();
        edge.link_up().await;
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        let options = loopback.ticket(server.address(), "edge-2").unwrap().options(config()).unwrap();
        // Nobody reads from it.
        let _deaf = websocket::connect(&options.targets[0], options.tls).await.unwrap();
        let text = "x".repeat(TEXT_BYTES);
        let to_the_deaf = async {
            for number in 0_u64.. {
                let id = number.to_string();
                let content = Content::Text(&text);
                let draft =
                    Draft { msg_id: &id, source: "c", group: "resource", content, ..Draft::default() };
                server.send("edge-2", draft.encode().unwrap(), Delivery::Unacknowledged).await.unwrap();
            }
        };
        let others = async {
            stuck(async || server.account().await.unwrap().down).await;
            let message = from_cloud(1, "router_eventbus", "user", "for-who-listens");
            server.send(NODE, message, Delivery::Unacknowledged).await.unwrap();
            assert_eq!(module.receive().await.unwrap().resource(), "for-who-listens");
        };
        or(others, to_the_deaf).await;
    });
}

/// Credit counts messages: of large ones a module is handed a few, the others wait in the hub, and all come when it takes them.
#[test]
fn large_messages_wait_in_the_hub_until_a_module_takes_some() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, patient()).await;
        let module = edge.hub.join("eventbus", &[]).await.unwrap();
        edge.link_up().await;
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        let text = "x".repeat(HANDED_BYTES_MAX / 4);
        let message = |number: u64| {
            let message = from_cloud(number, "router_eventbus", "user", "x");
            Draft { content: Content::Text(&text), ..Draft::from(&message) }.encode().unwrap()
        };
        for number in 0..12 {
            server.send(NODE, message(number), Delivery::Unacknowledged).await.unwrap();
        }
        // Four of them are as much as it is handed.
        let waits = || async { edge.hub.account().await.unwrap().down.pending };
        while waits().await < 12 - 4 {}
        for number in 0..12 {
            assert_eq!(module.receive().await.unwrap().msg_id(), message(number).msg_id());
        }
        let down = edge.hub.account().await.unwrap().down;
        assert_eq!((down.pending, down.dropped()), (0, 0), "{down:?}");
    });
}
