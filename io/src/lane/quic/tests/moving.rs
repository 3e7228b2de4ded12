//! A node whose address changes under a live connection.

use super::*;
use std::ops::Range;

/// These messages, each once and in order, and the answer to this ping, whenever it comes.
async fn arrive(reads: &Receiver<Read>, numbers: Range<u64>, ping: u64) {
    let (mut next, mut answered) = (numbers.start, false);
    while next < numbers.end || !answered {
        match reads.recv().await {
            Ok(Read::Message(read)) => {
                assert_eq!(read, message(next, ""));
                next += 1;
            }
            Ok(Read::Pong(number)) => {
                assert_eq!((number, answered), (ping, false));
                answered = true;
            }
            other => panic!("the connection ended: {other:?}"),
        }
    }
}

/// The node's address changes in the middle: the connection goes on, and everything arrives once and in order, up and down.
#[test]
fn a_connection_survives_another_address() {
    const HALF: u64 = 500;
    smol::block_on(async {
        let bench = Bench::start();
        let client = Client::new(&Config::default(), false);
        let session = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        let endpoint = session.endpoint().unwrap();
        let before = endpoint.local_addr().unwrap();
        let arrived = bench.next_session().await.unwrap();
        let from_cloud = bench.writers.recv().await.unwrap();
        let (from_node, to_write) = async_channel::unbounded();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            for round in 0..2 {
                let numbers = round * HALF..(round + 1) * HALF;
                let batch = || numbers.clone().map(written).chain([Write::Ping(round)]).collect();
                from_node.try_send(batch()).unwrap();
                from_cloud.try_send(batch()).unwrap();
                if round == 0 {
                    // While the first half is on its way.
                    endpoint.rebind(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap()).unwrap();
                }
                zip(arrive(&arrived, numbers.clone(), round), arrive(&heard, numbers, round)).await;
            }
            assert_ne!(endpoint.local_addr().unwrap(), before);
            drop(from_node);
        };
        zip(session.run(to_write, Reads(told)), talk).await;
        assert!(matches!(arrived.recv().await, Ok(Read::Ended(_))));
        assert!(heard.recv().await.is_err(), "nothing comes twice");
    });
}
