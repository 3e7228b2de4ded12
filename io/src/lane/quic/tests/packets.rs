//! How large a packet each end takes, it says in the handshake, and the other end keeps to it.

use super::older_build::read_plain;
use super::rogue::RawCloud;
use super::*;
use smol::net::UdpSocket as Datagrams;

/// What a way of Ethernet and some tunnels passes. Between our own ends, on loopback, packets become larger.
const LITTLE: u16 = 1_300;

/// The search for the largest packet ends this close to it.
const CLOSE: usize = 20;

/// Carries packets between a node and a cloud, and tells each size that is larger than those before, of one way and the other.
async fn carry(node: Datagrams, cloud: SocketAddr, sizes: [Sender<usize>; 2]) {
    let far = Datagrams::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    far.connect(cloud).await.unwrap();
    let peer = Mutex::new(None);
    let [up, down] = sizes;
    let larger = |length: usize, largest: &mut usize, tell: &Sender<usize>| {
        if length > *largest {
            *largest = length;
            let _ = tell.try_send(length);
        }
    };
    let to_cloud = async {
        let (mut packet, mut largest) = (vec![0; 1 << 16], 0);
        loop {
            let (length, from) = node.recv_from(&mut packet).await.unwrap();
            *peer.lock().unwrap() = Some(from);
            larger(length, &mut largest, &up);
            // A packet that finds no room, or nobody, is lost, as anywhere.
            let _ = far.send(&packet[..length]).await;
        }
    };
    let to_node = async {
        let (mut packet, mut largest) = (vec![0; 1 << 16], 0);
        loop {
            let Ok(length) = far.recv(&mut packet).await else { continue };
            larger(length, &mut largest, &down);
            let to: Option<SocketAddr> = *peer.lock().unwrap();
            let _ = node.send_to(&packet[..length], to.unwrap()).await;
        }
    };
    or(to_cloud, to_node).await
}

/// The sizes of packets on a way, of which each is larger than the one before, up to those that come close to what was announced.
async fn grown(sizes: &Receiver<usize>, announced: u16) {
    let mut largest = 0;
    while largest + CLOSE < usize::from(announced) {
        largest = sizes.recv().await.unwrap();
    }
    assert!(largest <= usize::from(announced), "{largest} bytes for a peer that takes {announced}");
}

/// Of a way whose packets nobody looks at.
fn nobody() -> Sender<usize> {
    async_channel::unbounded().0
}

fn announces(payload: u16) -> EndpointConfig {
    transport::endpoint(payload)
}

/// No packet since was larger either.
fn kept(sizes: &Receiver<usize>, announced: u16) {
    while let Ok(length) = sizes.try_recv() {
        assert!(length <= usize::from(announced), "{length} bytes for a peer that takes {announced}");
    }
}

/// What is written once packets are as large as they become: some hundred of them.
fn bulk() -> Vec<Write> {
    (0..3000).map(written).chain([Write::Ping(1)]).collect()
}

#[test]
fn a_cloud_sends_no_larger_packets_than_its_node_takes() {
    for announced in [LITTLE, PAYLOAD_BYTES_MAX] {
        smol::block_on(async {
            let bench = Bench::start();
            let way = Datagrams::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = way.local_addr().unwrap();
            let (down, sizes) = async_channel::unbounded();
            let talk = async {
                let raw = bench.raw_at(address, ALPN, announces(announced)).await.unwrap();
                let _control = raw.stream(&hello()).await;
                let _reads = bench.next_session().await.unwrap();
                let arrives = read_plain(&raw.connection);
                grown(&sizes, announced).await;
                bench.writers.recv().await.unwrap().try_send(bulk()).unwrap();
                for number in 0..3000 {
                    assert_eq!(arrives.recv().await.unwrap(), Ok(message(number, "")));
                }
                kept(&sizes, announced);
            };
            or(talk, carry(way, bench.address, [nobody(), down])).await;
        });
    }
}

#[test]
fn a_node_sends_no_larger_packets_than_its_cloud_takes() {
    for announced in [LITTLE, PAYLOAD_BYTES_MAX] {
        smol::block_on(async {
            let cloud = RawCloud::with(announces(announced), false);
            let way = Datagrams::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let target = Target::new(format!("quic://{}", way.local_addr().unwrap()), PROJECT, NODE);
            let (up, sizes) = async_channel::unbounded();
            let (writes, to_write) = async_channel::unbounded();
            let (told, _heard) = async_channel::unbounded();
            let node = async {
                let client = Client::new(&Config::default(), false);
                let session = client.open(&target, HANDSHAKE, cloud.tls()).await.unwrap();
                session.run(to_write, Reads(told)).await;
            };
            let hears = async {
                let mut node = cloud.accept().await;
                node.welcome().await;
                let arrives = read_plain(&node.connection);
                grown(&sizes, announced).await;
                writes.try_send(bulk()).unwrap();
                for number in 0..3000 {
                    assert_eq!(arrives.recv().await.unwrap(), Ok(message(number, "")));
                }
                kept(&sizes, announced);
                drop(writes);
            };
            or(async { zip(node, hears).await.1 }, carry(way, cloud.address(), [up, nobody()])).await;
        });
    }
}
