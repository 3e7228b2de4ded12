//! The address changes under which the cloud knows a node, in the middle of everything: a network that is left for another one.

use super::LANE;
use super::bench_of::{NODE, any_port, config, from_cloud, serve, server_options};
use async_channel::Receiver;
use edgehub::loopback::Loopback;
use edgehub_core::Config;
use edgehub_core::cloud::{CloudConfig, Delivery};
use smol::future::{or, yield_now, zip};
use smol::net::UdpSocket;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

/// Long enough that nothing is sent again, and no link given up, for being late.
const NEVER: Duration = Duration::from_secs(3600);

/// Carries packets between a node and a cloud, which sees another address of the node from each change on. What is on its way
/// to the old one is lost.
async fn carry(node: UdpSocket, cloud: SocketAddr, changes: Receiver<()>) {
    let seen = Mutex::new(None);
    let mut old = None;
    loop {
        let far = UdpSocket::bind(any_port()).await.unwrap();
        // Only now is the old one's port free.
        drop(old.take());
        far.connect(cloud).await.unwrap();
        let up = async {
            let mut packet = vec![0; 1 << 16];
            loop {
                let (length, from) = node.recv_from(&mut packet).await.unwrap();
                *seen.lock().unwrap() = Some(from);
                // One that finds no room is lost, as anywhere.
                let _ = far.send(&packet[..length]).await;
            }
        };
        let down = async {
            let mut packet = vec![0; 1 << 16];
            loop {
                let Ok(length) = far.recv(&mut packet).await else { continue };
                let to: SocketAddr = seen.lock().unwrap().expect("the node speaks first");
                let _ = node.send_to(&packet[..length], to).await;
            }
        };
        let changed = async { changes.recv().await.expect("the test goes on") };
        or(changed, or(up, down)).await;
        old = Some(far);
    }
}

/// Messages of every kind go down, and others up, while the address changes twice: each comes once, those that want to be are acknowledged,
/// nothing is sent again, and the link stays.
#[test]
fn nothing_is_lost_or_sent_twice_when_the_address_changes() {
    const MESSAGES: u64 = 600;
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let mut options = server_options(&loopback);
        options.config = CloudConfig { resend_interval: NEVER, ..CloudConfig::default() };
        let server = serve(&loopback, any_port(), options).await;
        let way = UdpSocket::bind(any_port()).await.unwrap();
        let ticket = loopback.ticket(way.local_addr().unwrap(), NODE).unwrap();
        let (change, changes) = async_channel::unbounded();
        let test = async {
            // A machine that is busy is not silent.
            let edge = LANE.edge(ticket, Config { ping_interval: Duration::from_secs(10), ..config() });
            let module = edge.hub.join("metamanager", &["meta"]).await.unwrap();
            edge.link_up().await;
            let (acknowledged, other) = ("default/configmap/a", "default/configmap/b");
            let message = |number: u64| {
                let resource = if number.is_multiple_of(3) { acknowledged } else { other };
                from_cloud(number, "edgecontroller", "resource", resource)
            };
            // Until the session stands, what is not acknowledged has nowhere to go.
            module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
            server.receive().await.unwrap();
            let send = async {
                for number in 0..MESSAGES {
                    let delivery = match number % 3 {
                        0 => Delivery::Acknowledged,
                        _ => Delivery::Unacknowledged,
                    };
                    server.send(NODE, message(number), delivery).await.unwrap();
                }
            };
            let receive = async {
                let mut missing: BTreeMap<String, u64> =
                    (0..MESSAGES).map(|number| (message(number).msg_id().into(), number)).collect();
                let mut last = [None, None];
                while !missing.is_empty() {
                    let received = module.receive().await.unwrap();
                    if received.operation() == "connect" {
                        continue;
                    }
                    let number = missing.remove(received.msg_id()).expect("one of them, once");
                    let is_acknowledged = number.is_multiple_of(3);
                    let last = &mut last[usize::from(is_acknowledged)];
                    assert!(*last < Some(number), "out of order");
                    *last = Some(number);
                    if is_acknowledged {
                        module.send(module.acknowledgement(&received).unwrap()).await.unwrap();
                    }
                    if [MESSAGES / 3, MESSAGES / 2].contains(&(missing.len() as u64)) {
                        change.send(()).await.unwrap();
                    }
                    // The cloud learns of an address from what comes from there.
                    let up = MESSAGES - missing.len() as u64;
                    module.send(module.compose("resource", "update", "x", &up).unwrap()).await.unwrap();
                }
            };
            let arrived = Cell::new(0);
            let hear = async {
                loop {
                    let (_, message) = server.receive().await.unwrap();
                    arrived.set(arrived.get() + 1);
                    assert_eq!(message.content(), arrived.get().to_string(), "in order, once");
                }
            };
            let all = async {
                zip(send, receive).await;
                let edge = edge.hub.settled().await.unwrap();
                assert_eq!((edge.links, edge.up.dropped(), edge.down.dropped()), (1, 0, 0));
                while arrived.get() < MESSAGES
                    || server.account().await.unwrap().up.acknowledgements < MESSAGES / 3
                {
                    yield_now().await;
                }
            };
            or(all, hear).await;
            let cloud = server.account().await.unwrap();
            assert_eq!((cloud.down.pending, cloud.resends), (0, 0));
            assert_eq!(cloud.up.acknowledgements, MESSAGES / 3);
        };
        or(test, carry(way, server.address(), changes)).await;
    });
}
