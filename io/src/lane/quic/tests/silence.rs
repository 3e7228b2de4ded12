//! A path on which everything is lost for a while.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// quinn-proto sends the limit of what the peer may send when it has read much, and here it reads nothing: only who asks a silent
/// path for a sign of life sends it.
#[test]
fn a_silent_path_is_asked_and_what_waited_arrives_once_it_carries_again() {
    smol::block_on(async {
        let bench = Bench::start();
        let path = smol::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = Target::new(format!("quic://{}", path.local_addr().unwrap()), PROJECT, NODE);
        let (is_dark, (swallowed, seen)) = (AtomicBool::new(false), async_channel::unbounded());
        let carry = async {
            let (mut node, mut packet) = (None, vec![0; 1 << 16]);
            loop {
                let (length, from) = path.recv_from(&mut packet).await.unwrap();
                let to = if from == bench.address { node } else { Some(bench.address) };
                if from != bench.address {
                    node = Some(from);
                }
                if is_dark.load(Relaxed) {
                    swallowed.try_send(()).unwrap();
                } else {
                    path.send_to(&packet[..length], to.unwrap()).await.unwrap();
                }
            }
        };
        let talk = async {
            let client = Client::new(&Config::default(), false);
            let session = client.open(&target, HANDSHAKE, bench.tls(NODE)).await.unwrap();
            let connection = session.connection();
            let arrived = bench.next_session().await.unwrap();
            let (from_node, to_write) = async_channel::unbounded();
            let (told, _heard) = async_channel::unbounded();
            let through_the_dark = async {
                from_node.try_send(vec![written(0)]).unwrap();
                assert!(matches!(arrived.recv().await, Ok(Read::Message(read)) if read == message(0, "")));
                let asked = || connection.stats().frame_tx.max_data;
                let before = asked();
                is_dark.store(true, Relaxed);
                from_node.try_send(vec![written(1)]).unwrap();
                while asked() == before {
                    seen.recv().await.unwrap();
                }
                is_dark.store(false, Relaxed);
                assert!(matches!(arrived.recv().await, Ok(Read::Message(read)) if read == message(1, "")));
                drop(from_node);
            };
            zip(session.run(to_write, Reads(told)), through_the_dark).await;
        };
        or(carry, talk).await;
    });
}
