//! A cloud that breaks the rules, and what its node makes of it.

use super::*;
use edgehub_core::package::{Incoming, STREAMS, answer};
use quinn::crypto::rustls::QuicServerConfig;

/// A cloud that speaks QUIC, and beyond that what a test wants.
pub(super) struct RawCloud {
    loopback: Loopback,
    endpoint: Endpoint,
    target: Target,
    _packets: Task<()>,
}

impl RawCloud {
    pub(super) fn start() -> RawCloud {
        RawCloud::with(EndpointConfig::default(), false)
    }

    /// One that announces this, and agrees to compression or does not.
    pub(super) fn with(announced: EndpointConfig, compression: bool) -> RawCloud {
        let loopback = Loopback::new().unwrap();
        let mut tls = (*loopback.server_options().unwrap().tls).clone();
        tls.alpn_protocols = protocols(compression);
        let crypto = QuicServerConfig::try_from(tls).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let (endpoint, _packets) = raw_endpoint(announced, Some(config));
        let address = endpoint.local_addr().unwrap();
        let target = Target::new(format!("quic://{address}"), PROJECT, NODE);
        RawCloud { loopback, endpoint, target, _packets }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        tls_of(&self.loopback, NODE)
    }

    /// The next node, which has said who it is.
    pub(super) async fn accept(&self) -> RawNode {
        let connection = self.endpoint.accept().await.unwrap().await.unwrap();
        let (control, mut hears) = connection.accept_bi().await.unwrap();
        let mut lane = Incoming::control_lane();
        let hello = reading::control_message(&mut hears, &mut lane).await.unwrap();
        RawNode { connection, control, hears, lane, hello }
    }
}

/// A node as such a cloud sees it.
pub(super) struct RawNode {
    pub(super) connection: Connection,
    pub(super) control: SendStream,
    pub(super) hears: RecvStream,
    pub(super) lane: Incoming,
    hello: Message,
}

impl RawNode {
    /// Lets the node in.
    pub(super) async fn welcome(&mut self) {
        self.control.write_all(&writing::package(&answer(&self.hello, true).unwrap())).await.unwrap();
    }
}

/// The cloud's end of one connection, after the handshake and the greeting, and what the node's owner is told meanwhile.
struct Rogue {
    connection: Connection,
    control: SendStream,
    /// The node's streams of messages, in the order in which it opened them, and the halves that nobody uses.
    streams: Vec<(RecvStream, SendStream)>,
    _hears: RecvStream,
    told: Receiver<Read>,
}

/// A cloud that does this to its node, whose session writes a message at a time, ends it by the name of that rule.
fn check(violation: Violation, misbehave: impl AsyncFn(&mut Rogue)) {
    smol::block_on(async {
        let cloud = RawCloud::start();
        let (owner, told) = async_channel::unbounded();
        let node = async {
            let client = Client::new(&Config::default(), false);
            let session = client.open(cloud.target(), HANDSHAKE, cloud.tls()).await.unwrap();
            let (writes, to_write) = async_channel::bounded(1);
            let speak = async {
                for number in 1.. {
                    if writes.send(vec![written(number)]).await.is_err() {
                        break;
                    }
                }
            };
            zip(session.run(to_write, Reads(owner)), speak).await;
        };
        let cloud = async {
            let mut node = cloud.accept().await;
            node.welcome().await;
            let RawNode { connection, control, hears, .. } = node;
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                let (send, receive) = connection.accept_bi().await.unwrap();
                streams.push((receive, send));
            }
            let mut rogue = Rogue { connection, control, streams, _hears: hears, told };
            misbehave(&mut rogue).await;
            let mut ends = Vec::new();
            while let Ok(read) = rogue.told.recv().await {
                ends.push(read);
            }
            let [Read::Malformed(found), Read::Ended(_)] = &ends[..] else { panic!("{ends:?}") };
            assert_eq!(*found, violation);
            match rogue.connection.closed().await {
                ConnectionError::ApplicationClosed(close) => assert_eq!(close.error_code, code(violation)),
                other => panic!("{other}"),
            }
        };
        zip(node, cloud).await;
    });
}

#[test]
fn a_stream_that_the_cloud_takes_no_more_of_is_named() {
    // Which of them the messages go on is the node's business.
    check(Violation::StreamStopped, async |rogue: &mut Rogue| {
        rogue.streams.iter_mut().for_each(|(receive, _)| receive.stop(VarInt::from_u32(9)).unwrap());
    });
}

#[test]
fn a_control_lane_that_the_cloud_takes_back_is_named() {
    check(Violation::ControlLaneClosed, async |rogue: &mut Rogue| {
        rogue.control.reset(VarInt::from_u32(9)).unwrap();
    });
    check(Violation::ControlLaneClosed, async |rogue: &mut Rogue| rogue.control.finish().unwrap());
}

#[test]
fn a_package_of_the_cloud_that_is_none_is_named() {
    check(Violation::PackageType { code: 3 }, async |rogue: &mut Rogue| {
        let (mut send, receive) = rogue.connection.open_bi().await.unwrap();
        send.write_all(&broken_header(4, 3)).await.unwrap();
        rogue.streams.push((receive, send));
    });
}
