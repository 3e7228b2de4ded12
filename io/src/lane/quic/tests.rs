//! Both ends of the lane on loopback, and peers that break its rules.

use super::super::{Owner, Read, Write};
use super::error::code;
use super::packets::PAYLOAD_BYTES_MAX;
use super::runtime::LaneRuntime;
use super::transport::transport;
use super::*;
use crate::loopback::{Loopback, PROJECT};
use crate::tls::{self, Pems};
use crate::websocket::Target;
use async_channel::{Receiver, Sender};
use bytes::Bytes;
use edgehub_core::package::{Header, Hello, MESSAGES, Ping, RAW};
use edgehub_core::{Config, Content, Draft, Message, Violation};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, EndpointConfig, RecvStream, SendStream, VarInt};
use rustls::{ClientConfig, ServerConfig};
use smol::future::{or, zip};
use smol::{Executor, Task};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NODE: &str = "edge-1";
const SILENCE: Duration = Duration::from_secs(20);
const HANDSHAKE: Duration = Duration::from_secs(30);

mod compressed;
mod ending;
mod first_word;
mod handshake;
mod moving;
mod older_build;
mod packets;
mod rogue;
mod silence;

/// Collects what is read.
struct Reads(Sender<Read>);

impl Owner for Reads {
    async fn read(&self, batch: Vec<Read>) -> bool {
        for read in batch {
            let _ = self.0.send(read).await;
        }
        true
    }

    fn flushed(&self, _: usize, _: usize) {}
}

/// A server that runs every session that arrives, and says what it reads.
struct Bench {
    loopback: Loopback,
    address: SocketAddr,
    /// One per session, in the order in which they were accepted; what ended before is an error.
    sessions: Receiver<Result<Receiver<Read>, QuicError>>,
    /// What the cloud writes to each of them, in the same order.
    writers: Receiver<Sender<Vec<Write>>>,
    _running: Task<()>,
}

impl Bench {
    fn start() -> Bench {
        Bench::with_compression(true)
    }

    /// A server that agrees to compression, or does not.
    fn with_compression(compression: bool) -> Bench {
        let loopback = Loopback::new().unwrap();
        let tls = loopback.server_options().unwrap().tls;
        Bench::with(loopback, &tls, compression)
    }

    fn with(loopback: Loopback, tls: &ServerConfig, compression: bool) -> Bench {
        Bench::within(HANDSHAKE, loopback, tls, compression)
    }

    /// A server that gives a node so long to say who it is.
    fn within(limit: Duration, loopback: Loopback, tls: &ServerConfig, compression: bool) -> Bench {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(any, tls, SILENCE, compression).unwrap();
        let address = server.address().unwrap();
        let (told, sessions) = async_channel::unbounded();
        let (lent, writers) = async_channel::unbounded();
        let running = smol::spawn(async move {
            let serve = async {
                while let Ok(arrival) = server.accept().await {
                    let told: Sender<Result<Receiver<Read>, QuicError>> = told.clone();
                    let lent = lent.clone();
                    let session = async move {
                        match arrival.accept(limit).await {
                            Ok((session, _)) => {
                                let (reads, read) = async_channel::unbounded();
                                let (writes, to_write) = async_channel::unbounded();
                                let _ = lent.try_send(writes);
                                let _ = told.try_send(Ok(read));
                                session.run(to_write, Reads(reads)).await;
                            }
                            Err(error) => drop(told.send(Err(error)).await),
                        }
                    };
                    smol::spawn(session).detach();
                }
            };
            or(serve, server.work()).await;
        });
        Bench { loopback, address, sessions, writers, _running: running }
    }

    fn tls(&self, node: &str) -> Arc<ClientConfig> {
        tls_of(&self.loopback, node)
    }

    fn target(&self) -> Target {
        Target::new(format!("quic://{}", self.address), PROJECT, NODE)
    }

    async fn next_session(&self) -> Result<Receiver<Read>, QuicError> {
        self.sessions.recv().await.unwrap()
    }

    /// A node that speaks QUIC, and beyond that what a test wants.
    async fn raw(&self, protocol: &[u8]) -> Raw {
        self.try_raw(protocol).await.unwrap()
    }

    async fn try_raw(&self, protocol: &[u8]) -> Result<Raw, ConnectionError> {
        self.raw_at(self.address, protocol, EndpointConfig::default()).await
    }

    /// The same, which goes to this address and announces this.
    async fn raw_at(
        &self,
        address: SocketAddr,
        protocol: &[u8],
        announced: EndpointConfig,
    ) -> Result<Raw, ConnectionError> {
        let (endpoint, _packets) = raw_endpoint(announced, None);
        let mut tls = (*self.tls(NODE)).clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(transport(SILENCE, None, PAYLOAD_BYTES_MAX));
        let connection = endpoint.connect_with(config, address, "127.0.0.1").unwrap().await?;
        Ok(Raw { connection, answers: Mutex::default(), _endpoint: endpoint, _packets })
    }
}

/// An endpoint on any port, and what moves its packets.
fn raw_endpoint(announced: EndpointConfig, serves: Option<quinn::ServerConfig>) -> (Endpoint, Task<()>) {
    let executor = Arc::new(Executor::new());
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = Endpoint::new(announced, serves, socket, LaneRuntime::of(&executor)).unwrap();
    (endpoint, smol::spawn(async move { executor.run(smol::future::pending::<()>()).await }))
}

/// What a node of this name shows.
fn tls_of(loopback: &Loopback, node: &str) -> Arc<ClientConfig> {
    let identity = loopback.authority.node(node).unwrap();
    let ca = loopback.authority.certificate_pem();
    tls::client_config_from_pem(Pems { ca, certificate: &identity.certificate_pem, key: &identity.key_pem })
        .unwrap()
}

struct Raw {
    connection: Connection,
    /// The other halves of its own streams. Dropped, they would tell the server to say nothing.
    answers: Mutex<Vec<RecvStream>>,
    _endpoint: Endpoint,
    _packets: Task<()>,
}

impl Raw {
    /// Opens a stream and writes to it.
    async fn stream(&self, bytes: &[u8]) -> SendStream {
        let (mut send, answers) = self.connection.open_bi().await.unwrap();
        self.answers.lock().unwrap().push(answers);
        send.write_all(bytes).await.unwrap();
        send
    }

    /// The code with which the server ends it.
    async fn end(&self) -> u64 {
        match self.connection.closed().await {
            ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("{other}"),
        }
    }
}

fn message(number: u64, parent: &str) -> Message {
    let id = number.to_string();
    Draft {
        msg_id: &id,
        parent_msg_id: parent,
        group: "resource",
        content: Content::Text("x"),
        ..Draft::default()
    }
    .encode()
    .unwrap()
}

fn written(number: u64) -> Write {
    Write::Message(Box::new(message(number, "")))
}

fn hello() -> Vec<u8> {
    let hello = Hello { node: NODE.into(), project: PROJECT.into() };
    writing::package(&hello.to_message().unwrap()).to_vec()
}

/// Another connection on the same server, from before.
struct Neighbour {
    session: Session,
    arrives: Receiver<Read>,
}

impl Neighbour {
    async fn of(bench: &Bench) -> Neighbour {
        let client = Client::new(&Config::default(), false);
        let session = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        Neighbour { session, arrives: bench.next_session().await.unwrap() }
    }

    /// A message and a question for it get through.
    async fn lives_on(self) {
        let (writes, to_write) = async_channel::unbounded();
        writes.try_send(vec![written(1), Write::Ping(1)]).unwrap();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            assert!(matches!(self.arrives.recv().await, Ok(Read::Message(it)) if it == message(1, "")));
            assert!(matches!(heard.recv().await, Ok(Read::Pong(1))), "the neighbour lives on");
            drop(writes);
        };
        zip(self.session.run(to_write, Reads(told)), talk).await;
    }
}

/// A peer that does this after its hello breaks that rule.
fn check(violation: Violation, misbehave: impl AsyncFn(&Raw, &mut SendStream) -> Option<SendStream>) {
    check_as(ALPN, violation, misbehave);
}

/// The same for one that has agreed to this protocol.
fn check_as(
    protocol: &[u8],
    violation: Violation,
    misbehave: impl AsyncFn(&Raw, &mut SendStream) -> Option<SendStream>,
) {
    smol::block_on(async {
        let bench = Bench::start();
        let raw = bench.raw(protocol).await;
        let mut control = raw.stream(&hello()).await;
        let reads = bench.next_session().await.unwrap();
        let neighbour = Neighbour::of(&bench).await;
        let _open = misbehave(&raw, &mut control).await;
        assert_eq!(raw.end().await, code(violation).into_inner(), "{violation}");
        let Ok(Read::Malformed(found)) = reads.recv().await else { panic!("the owner is not told") };
        assert_eq!(found, violation);
        assert!(matches!(reads.recv().await, Ok(Read::Ended(_))));
        neighbour.lives_on().await;
    });
}

fn broken_header(at: usize, octet: u8) -> Vec<u8> {
    let mut header = Header { compressed: false, length: 0 }.to_bytes();
    header[at] = octet;
    [&MESSAGES[..], &header].concat()
}

#[test]
fn a_bad_header_ends_the_connection_by_its_name() {
    let with = |violation, bytes: Vec<u8>| {
        check(violation, async move |raw: &Raw, _: &mut SendStream| Some(raw.stream(&bytes).await));
    };
    with(Violation::PackageVersion { version: 0x0201_0100 }, broken_header(0, 2));
    with(Violation::PackageType { code: 3 }, broken_header(4, 3));
    with(Violation::PackageType { code: 2 }, broken_header(4, 2));
    with(Violation::PackageFlags { flags: 0x80 }, broken_header(5, 0x80));
    let limit = edgehub_core::limits::PACKAGE_BYTES_MAX;
    with(Violation::PackageTooLarge { bytes: 0x0400_0000, limit }, broken_header(6, 4));
}

#[test]
fn a_stream_must_say_what_it_is_for() {
    check(Violation::StreamUse, async |raw: &Raw, _: &mut SendStream| Some(raw.stream(b"xyz").await));
    check(Violation::StreamUse, async |raw: &Raw, _: &mut SendStream| Some(raw.stream(b"ms").await));
    check(Violation::StreamUse, async |raw: &Raw, _: &mut SendStream| {
        let mut stream = raw.stream(b"m").await;
        stream.finish().unwrap();
        Some(stream)
    });
}

#[test]
fn a_stream_may_not_end_inside_a_package() {
    check(Violation::PackageTruncated, async |raw: &Raw, _: &mut SendStream| {
        let mut stream = raw.stream(&broken_header(9, 7)).await;
        stream.finish().unwrap();
        Some(stream)
    });
}

#[test]
fn the_control_lane_is_for_what_belongs_there() {
    let large =
        Violation::PackageTooLarge { bytes: 1 << 20, limit: edgehub_core::limits::CONTROL_PACKAGE_BYTES_MAX };
    check(large, async |_: &Raw, control: &mut SendStream| {
        control.write_all(&Header { compressed: false, length: 1 << 20 }.to_bytes()).await.unwrap();
        None
    });
    check(Violation::ControlLane, async |_: &Raw, control: &mut SendStream| {
        control.write_all(&hello()).await.unwrap();
        None
    });
    check(Violation::ControlLaneClosed, async |_: &Raw, control: &mut SendStream| {
        control.finish().unwrap();
        None
    });
}

#[test]
fn what_is_wrong_on_the_control_lane_has_its_own_name() {
    check(Violation::ControlLaneClosed, async |_: &Raw, control: &mut SendStream| {
        control.reset(VarInt::from_u32(9)).unwrap();
        None
    });
    check(Violation::NotProtobuf, async |_: &Raw, control: &mut SendStream| {
        let header = Header { compressed: false, length: 3 }.to_bytes();
        control.write_all(&[&header[..], &[0xff; 3]].concat()).await.unwrap();
        None
    });
}

#[test]
fn a_peer_that_takes_no_more_of_a_stream_is_named() {
    check(Violation::ControlLaneClosed, async |raw: &Raw, control: &mut SendStream| {
        raw.answers.lock().unwrap()[0].stop(VarInt::from_u32(9)).unwrap();
        // What is asked has to be answered.
        let ping = Ping { number: 1, written: vec![] }.to_message().unwrap();
        control.write_all(&writing::package(&ping)).await.unwrap();
        None
    });
}

/// Three of the largest messages come at once, and are read one after another: until one is whole the others are held back, and none ends the link. What is
/// short arrives meanwhile.
#[test]
fn large_messages_of_several_streams_do_not_add_up() {
    use edgehub_core::limits::{LARGE_PACKAGE_BYTES, PACKAGE_BYTES_MAX};
    const STREAMS: usize = 3;
    smol::block_on(async {
        let bench = Bench::start();
        let raw = bench.raw(ALPN).await;
        let _control = raw.stream(&hello()).await;
        let reads = bench.next_session().await.unwrap();
        let header = Header { compressed: false, length: PACKAGE_BYTES_MAX as u32 }.to_bytes();
        let piece = Bytes::from(vec![0; 1 << 16]);
        let taken = [const { AtomicUsize::new(0) }; STREAMS];
        let mut all_but_one = FuturesUnordered::new();
        for taken in &taken {
            let mut stream = raw.stream(&[&MESSAGES[..], &header].concat()).await;
            let piece = &piece;
            all_but_one.push(async move {
                while taken.load(Relaxed) < PACKAGE_BYTES_MAX - 1 {
                    let length = piece.len().min(PACKAGE_BYTES_MAX - 1 - taken.load(Relaxed));
                    stream.write_all(&piece[..length]).await.unwrap();
                    taken.fetch_add(length, Relaxed);
                }
                stream
            });
        }
        // What the transport takes before anything is read of it, and what one reading may bring beyond the first octets.
        let held = transport::STREAM_WINDOW_BYTES as usize + reading::PIECES_BYTES_MAX + LARGE_PACKAGE_BYTES;
        let mut whole = Vec::new();
        while let Some(mut stream) = all_but_one.next().await {
            let begun =
                taken.iter().map(|taken| taken.load(Relaxed)).filter(|taken| *taken < PACKAGE_BYTES_MAX - 1);
            for begun in begun {
                assert!(begun <= held + piece.len(), "{begun} of one that is to wait");
            }
            let short = message(1, "");
            whole.push(raw.stream(&[&MESSAGES[..], &writing::package(&short)].concat()).await);
            assert!(matches!(reads.recv().await, Ok(Read::Message(read)) if read == short));
            stream.write_all(&[0]).await.unwrap();
            whole.push(stream);
            // It is not protobuf, which harms nobody but itself.
            assert!(matches!(reads.recv().await, Ok(Read::Malformed(Violation::NotProtobuf))));
        }
        assert_eq!(whole.len(), 2 * STREAMS);
    });
}

#[test]
fn a_flood_of_pings_that_cannot_be_answered_has_an_end() {
    check(Violation::ControlLane, async |_: &Raw, control: &mut SendStream| {
        let ping = Ping { number: 1, written: vec![1] }.to_message().unwrap();
        let flood = writing::package(&ping).repeat(edgehub_core::limits::PINGS_MAX + 1);
        control.write_all(&flood).await.unwrap();
        None
    });
}

#[test]
fn streams_are_limited_by_the_transport() {
    smol::block_on(async {
        let bench = Bench::start();
        let raw = bench.raw(ALPN).await;
        let _control = raw.stream(&hello()).await;
        bench.next_session().await.unwrap();
        let mut streams = Vec::new();
        for _ in 0..edgehub_core::limits::MESSAGE_STREAMS_MAX {
            streams.push(raw.stream(&MESSAGES).await);
        }
        let more = smol::future::poll_once(raw.connection.open_bi()).await;
        assert!(more.is_none(), "a stream more has to wait until another one ends");
    });
}

#[test]
fn a_node_with_the_certificate_of_another_one_is_refused() {
    smol::block_on(async {
        let bench = Bench::start();
        let client = Client::new(&Config::default(), false);
        let refused = client.open(&bench.target(), HANDSHAKE, bench.tls("edge-2")).await;
        assert!(matches!(refused, Err(QuicError::Refused)), "{refused:?}");
        assert!(matches!(bench.next_session().await, Err(QuicError::Refused)));
    });
}

#[test]
fn addresses_are_checked() {
    let check = |url: &str, words: &str| {
        let error = client::host_and_port(url).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    assert_eq!(client::host_and_port("quic://[::1]:10001").unwrap(), ("::1".into(), 10001));
    assert_eq!(client::host_and_port("quic://cloud:1/").unwrap(), ("cloud".into(), 1));
    for url in ["wss://h:1", "quic://h", "quic://h:0", "quic://:1", "quic://h:x", "quic://h/p:1"] {
        check(url, "expected quic://HOST:PORT");
    }
}

/// Streams one after another, none of which has a use: the transport's limit lets them pass, ours ends it.
#[test]
fn a_flood_of_streams_has_an_end() {
    check(Violation::TooManyStreams, async |raw: &Raw, _: &mut SendStream| {
        for _ in 0..=edgehub_core::limits::STREAMS_MAX {
            let Ok((mut send, _)) = raw.connection.open_bi().await else { break };
            let _ = send.write_all(&RAW).await;
            let _ = send.finish();
            // The server resets its half; then there is room for another one.
            let _ = send.stopped().await;
        }
        None
    });
}

/// A ninth stream of messages is one that no ping counts.
#[test]
fn messages_come_on_streams_that_pings_count() {
    check(Violation::TooManyStreams, async |raw: &Raw, _: &mut SendStream| {
        for _ in 0..edgehub_core::limits::MESSAGE_STREAMS_MAX {
            let mut stream = raw.stream(&MESSAGES).await;
            stream.finish().unwrap();
            stream.stopped().await.unwrap();
        }
        raw.answers.lock().unwrap().clear();
        Some(raw.stream(&MESSAGES).await)
    });
}
