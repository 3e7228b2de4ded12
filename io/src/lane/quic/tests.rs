//! Both ends of the lane on loopback, and peers that break its rules.

use super::super::{Owner, Read, Write};
use super::error::code;
use super::runtime::LaneRuntime;
use super::transport::transport;
use super::*;
use crate::loopback::{Loopback, PROJECT};
use crate::tls::{self, Pems};
use crate::websocket::Target;
use async_channel::{Receiver, Sender};
use edgehub_core::package::{Header, Hello, Kind, Ping};
use edgehub_core::{Config, Content, Draft, Message, Violation};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, EndpointConfig, RecvStream, SendStream};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use smol::future::{or, zip};
use smol::{Executor, Task};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NODE: &str = "edge-1";
const SILENCE: Duration = Duration::from_secs(20);
const HANDSHAKE: Duration = Duration::from_secs(30);

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
    _running: Task<()>,
}

impl Bench {
    fn start() -> Bench {
        Bench::with_compression(true)
    }

    /// A server that agrees to compression, or does not.
    fn with_compression(compression: bool) -> Bench {
        let loopback = Loopback::new().unwrap();
        let options = loopback.server_options().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(any, &options.tls, SILENCE, compression).unwrap();
        let address = server.address().unwrap();
        let (told, sessions) = async_channel::unbounded();
        let running = smol::spawn(async move {
            let serve = async {
                while let Ok(arrival) = server.accept().await {
                    let told: Sender<Result<Receiver<Read>, QuicError>> = told.clone();
                    let session = async move {
                        match arrival.accept(HANDSHAKE).await {
                            Ok((session, _)) => {
                                let (reads, read) = async_channel::unbounded();
                                let _ = told.send(Ok(read)).await;
                                let (_writes, nothing) = async_channel::unbounded();
                                session.run(nothing, Reads(reads)).await;
                            }
                            Err(error) => drop(told.send(Err(error)).await),
                        }
                    };
                    smol::spawn(session).detach();
                }
            };
            or(serve, server.work()).await;
        });
        Bench { loopback, address, sessions, _running: running }
    }

    fn tls(&self, node: &str) -> Arc<ClientConfig> {
        let identity = self.loopback.authority.node(node).unwrap();
        let ca = self.loopback.authority.certificate_pem();
        tls::client_config_from_pem(Pems {
            ca,
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        })
        .unwrap()
    }

    fn target(&self) -> Target {
        Target::new(format!("quic://{}", self.address), PROJECT, NODE)
    }

    async fn next_session(&self) -> Result<Receiver<Read>, QuicError> {
        self.sessions.recv().await.unwrap()
    }

    /// The same, with its looks at the server's certificate counted.
    fn watched(&self, node: &str) -> (Arc<ClientConfig>, Arc<Shown>) {
        let mut tls = (*self.tls(node)).clone();
        let mut roots = rustls::RootCertStore::empty();
        let ca =
            CertificateDer::from_pem_slice(self.loopback.authority.certificate_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let shown = Arc::new(Shown { verifier, times: AtomicUsize::new(0) });
        tls.dangerous().set_certificate_verifier(shown.clone());
        (Arc::new(tls), shown)
    }

    /// A node that speaks QUIC, and beyond that what a test wants.
    async fn raw(&self, protocol: &[u8]) -> Raw {
        let executor = Arc::new(Executor::new());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint =
            Endpoint::new(EndpointConfig::default(), None, socket, LaneRuntime::of(&executor)).unwrap();
        let on = executor.clone();
        let _packets = smol::spawn(async move { on.run(smol::future::pending::<()>()).await });
        let mut tls = (*self.tls(NODE)).clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(transport(SILENCE, None));
        let connection = endpoint.connect_with(config, self.address, "127.0.0.1").unwrap().await.unwrap();
        Raw { connection, answers: Mutex::default(), _endpoint: endpoint, _packets }
    }
}

struct Raw {
    connection: Connection,
    /// Dropped, they would tell the server to say nothing.
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
        // A neighbour on the same server, from before.
        let client = Client::new(&Config::default(), false);
        let neighbour = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        let neighbours = bench.next_session().await.unwrap();
        let _open = misbehave(&raw, &mut control).await;
        assert_eq!(raw.end().await, code(violation).into_inner(), "{violation}");
        let Ok(Read::Malformed(found)) = reads.recv().await else { panic!("the owner is not told") };
        assert_eq!(found, violation);
        assert!(matches!(reads.recv().await, Ok(Read::Ended(_))));
        let (writes, to_write) = async_channel::unbounded();
        writes.try_send(vec![written(1), Write::Ping(1)]).unwrap();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            assert!(matches!(neighbours.recv().await, Ok(Read::Message(it)) if it == message(1, "")));
            assert!(matches!(heard.recv().await, Ok(Read::Pong(1))), "the neighbour lives on");
            drop(writes);
        };
        zip(neighbour.run(to_write, Reads(told)), talk).await;
    });
}

fn broken_header(at: usize, octet: u8) -> Vec<u8> {
    let mut header = Header { kind: Kind::Message, compressed: false, length: 0 }.to_bytes();
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
        control
            .write_all(&Header { kind: Kind::Message, compressed: false, length: 1 << 20 }.to_bytes())
            .await
            .unwrap();
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
fn a_first_word_that_breaks_a_rule_is_answered_by_its_code() {
    let check = |first: Vec<u8>, violation: Violation| {
        smol::block_on(async {
            let bench = Bench::start();
            let raw = bench.raw(ALPN).await;
            let _control = raw.stream(&first).await;
            assert!(matches!(bench.next_session().await, Err(QuicError::Violation(it)) if it == violation));
            assert_eq!(raw.end().await, code(violation).into_inner());
        });
    };
    let limit = edgehub_core::limits::CONTROL_PACKAGE_BYTES_MAX;
    let header = Header { kind: Kind::Message, compressed: false, length: 1 << 20 }.to_bytes();
    check(header.to_vec(), Violation::PackageTooLarge { bytes: 1 << 20, limit });
    check(writing::package(&message(1, "")).to_vec(), Violation::ControlLane);
    check(b"GET / HTTP".to_vec(), Violation::PackageVersion { version: u32::from_be_bytes(*b"GET ") });
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

/// A listener from before the standard: it answers with the versions that it knows, none of which is ours.
#[test]
fn an_older_quic_is_named() {
    smol::block_on(async {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let answering = smol::unblock(move || {
            let mut packet = [0; 2048];
            let (_, peer) = socket.recv_from(&mut packet).unwrap();
            // Long header: version, then both connection ids with their lengths.
            let to = &packet[6..6 + usize::from(packet[5])];
            let from = &packet[6 + to.len() + 1..][..usize::from(packet[6 + to.len()])];
            let ids = [&[from.len() as u8], from, &[to.len() as u8], to].concat();
            let answer = [&[0x80, 0, 0, 0, 0][..], &ids, b"Q043", b"Q039"].concat();
            socket.send_to(&answer, peer).unwrap();
        });
        let loopback = Loopback::new().unwrap();
        let identity = loopback.authority.node(NODE).unwrap();
        let ca = loopback.authority.certificate_pem();
        let pems = Pems { ca, certificate: &identity.certificate_pem, key: &identity.key_pem };
        let tls = tls::client_config_from_pem(pems).unwrap();
        let target = Target::new(format!("quic://{address}"), PROJECT, NODE);
        let client = Client::new(&Config::default(), false);
        let (failed, ()) = zip(client.open(&target, HANDSHAKE, tls), answering).await;
        let Err(error) = failed else { panic!("opened") };
        assert!(error.to_string().contains("use its WebSocket"), "{error}");
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

/// The node's address changes in the middle: the connection goes on, and everything arrives once and in order.
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
        let (writes, to_write) = async_channel::unbounded();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            for round in 0..2 {
                let numbers = round * HALF..(round + 1) * HALF;
                writes.try_send(numbers.clone().map(written).chain([Write::Ping(round)]).collect()).unwrap();
                if round == 0 {
                    // While the first half is on its way.
                    endpoint.rebind(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap()).unwrap();
                }
                for number in numbers {
                    let Ok(Read::Message(read)) = arrived.recv().await else {
                        panic!("the connection ended")
                    };
                    assert_eq!(read, message(number, ""));
                }
                assert!(matches!(heard.recv().await, Ok(Read::Pong(number)) if number == round));
            }
            assert_ne!(endpoint.local_addr().unwrap(), before);
            drop(writes);
        };
        zip(session.run(to_write, Reads(told)), talk).await;
        assert!(matches!(arrived.recv().await, Ok(Read::Ended(_))));
    });
}

/// A listener as KubeEdge's: a packet of the standard gets no answer, one of its own kind with an unknown version those that it knows.
#[test]
fn an_older_quic_that_says_nothing_is_asked_and_named() {
    smol::block_on(async {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let answering = smol::unblock(move || {
            let mut packet = [0; 2048];
            loop {
                let (length, peer) = socket.recv_from(&mut packet).unwrap();
                // Flags, an id of eight octets, a version; and not shorter than what it could make others receive.
                if packet[0] & 0x89 == 0x09 && length >= 1024 && packet[9] == b'Q' {
                    let answer = [&[0x09], &packet[1..9], b"Q044Q043Q039"].concat();
                    socket.send_to(&answer, peer).unwrap();
                    return;
                }
            }
        });
        let bench = Bench::start();
        let target = Target::new(format!("quic://{address}"), PROJECT, NODE);
        let client = Client::new(&Config::default(), false);
        let (failed, ()) = zip(client.open(&target, HANDSHAKE, bench.tls(NODE)), answering).await;
        let Err(error) = failed else { panic!("opened") };
        assert!(matches!(error, QuicError::OlderQuic), "{error}");
        assert!(error.to_string().contains("use its WebSocket"), "{error}");
    });
}

/// A port at which nobody listens is said to be one, long before the time for a handshake is over.
#[test]
fn a_port_without_a_listener_is_named() {
    smol::block_on(async {
        let bench = Bench::start();
        let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let target = Target::new(format!("quic://{address}"), PROJECT, NODE);
        let client = Client::new(&Config::default(), false);
        let failed = client.open(&target, HANDSHAKE, bench.tls(NODE)).await;
        assert!(matches!(failed, Err(QuicError::NobodyThere)), "{failed:?}");
    });
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

/// What arrives at the cloud of these messages, and how many bytes the node's machine sent for it.
fn sent(messages: &[Message], offered: bool, accepted: bool) -> (Vec<Message>, u64) {
    smol::block_on(async {
        let bench = Bench::with_compression(accepted);
        let client = Client::new(&Config::default(), offered);
        let session = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        let connection = session.connection();
        let reads = bench.next_session().await.unwrap();
        let before = connection.stats().udp_tx.bytes;
        let (writes, to_write) = async_channel::unbounded();
        let batch = messages.iter().cloned().map(|message| Write::Message(Box::new(message)));
        writes.try_send(batch.chain([Write::Ping(1)]).collect()).unwrap();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            let mut found = Vec::new();
            while found.len() < messages.len() {
                let Ok(Read::Message(message)) = reads.recv().await else { panic!("no message") };
                found.push(message);
            }
            assert!(matches!(heard.recv().await, Ok(Read::Pong(1))));
            let bytes = connection.stats().udp_tx.bytes - before;
            drop(writes);
            (found, bytes)
        };
        zip(session.run(to_write, Reads(told)), talk).await.1
    })
}

fn statuses() -> Vec<Message> {
    let status = |number: u64| {
        let text =
            format!("{{\"phase\":\"Running\",\"restartCount\":{number},\"hostIP\":\"192.0.2.{number}\"}}")
                .repeat(9);
        let id = number.to_string();
        Draft { msg_id: &id, group: "meta", content: Content::Text(&text), ..Draft::default() }
            .encode()
            .unwrap()
    };
    (0..100).map(status).collect()
}

#[test]
fn compression_needs_both_ends_and_changes_no_message() {
    let messages = statuses();
    let (plain, most) = sent(&messages, false, true);
    let (refused, as_many) = sent(&messages, true, false);
    let (compressed, few) = sent(&messages, true, true);
    assert!(plain == messages && refused == messages && compressed == messages);
    assert!(few * 4 < most && few * 4 < as_many, "{few} of {most} and {as_many}");
}

#[test]
fn what_is_compressed_already_travels_as_it_is() {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
    let content = Content::Text(&noise);
    let message = Draft { msg_id: "1", group: "meta", content, ..Draft::default() }.encode().unwrap();
    let messages: Vec<Message> = statuses().into_iter().take(3).chain([message]).chain(statuses()).collect();
    assert_eq!(sent(&messages, true, true).0, messages, "in order, too");
}

#[test]
fn a_bomb_ends_the_connection_by_its_name() {
    let claim = edgehub_core::limits::CHUNK_BYTES_MAX + 1;
    let violation = Violation::PackageTooLarge { bytes: claim, limit: edgehub_core::limits::CHUNK_BYTES_MAX };
    let chunk = |claim: u32, deflate: &[u8]| {
        let length = deflate.len() as u32 + 4;
        let header = Header { kind: Kind::Message, compressed: true, length }.to_bytes();
        [&MESSAGES[..], &header, &claim.to_be_bytes(), deflate].concat()
    };
    for (violation, bytes) in
        [(violation, chunk(claim as u32, &[0; 9])), (Violation::NotDeflate, chunk(9, &[0xff; 9]))]
    {
        check_as(ALPN_COMPRESSED, violation, async move |raw: &Raw, _: &mut SendStream| {
            Some(raw.stream(&bytes).await)
        });
    }
}

/// Counts how often a server shows its certificate: not when a session is resumed.
#[derive(Debug)]
struct Shown {
    verifier: Arc<dyn ServerCertVerifier>,
    times: AtomicUsize,
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.times.fetch_add(1, Relaxed);
        self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The second connection resumes the first one's session; with another certificate, and so another configuration, it does not.
#[test]
fn a_session_is_resumed() {
    smol::block_on(async {
        let bench = Bench::start();
        let client = Client::new(&Config::default(), true);
        let (tls, shown) = bench.watched(NODE);
        for times in [1, 1, 1] {
            let _session = client.open(&bench.target(), HANDSHAKE, tls.clone()).await.unwrap();
            bench.next_session().await.unwrap();
            assert_eq!(shown.times.load(Relaxed), times);
        }
        let (tls, shown) = bench.watched(NODE);
        let _session = client.open(&bench.target(), HANDSHAKE, tls).await.unwrap();
        assert_eq!(
            shown.times.load(Relaxed),
            1,
            "a new certificate is shown, and seen, in a handshake of its own"
        );
    });
}

/// 0-RTT is not used: a node that would like to finds no ticket that allows it, even when it may resume.
#[test]
fn nothing_is_said_before_the_handshake() {
    smol::block_on(async {
        let bench = Bench::start();
        let executor = Arc::new(Executor::new());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint =
            Endpoint::new(EndpointConfig::default(), None, socket, LaneRuntime::of(&executor)).unwrap();
        let (tls, shown) = bench.watched(NODE);
        let mut tls = (*tls).clone();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls.enable_early_data = true;
        tls.resumption = rustls::client::Resumption::in_memory_sessions(8);
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let connect = || endpoint.connect_with(config.clone(), bench.address, "127.0.0.1").unwrap();
        let twice = async {
            let first = connect().await.unwrap();
            let mut control = first.open_bi().await.unwrap();
            control.0.write_all(&hello()).await.unwrap();
            bench.next_session().await.unwrap();
            // The answer comes behind the ticket.
            control.1.read_chunk(1, true).await.unwrap();
            let Err(second) = connect().into_0rtt() else { panic!("0-RTT is offered") };
            second.await.unwrap();
            assert_eq!(shown.times.load(Relaxed), 1, "resumed all the same");
        };
        executor.run(twice).await;
    });
}
