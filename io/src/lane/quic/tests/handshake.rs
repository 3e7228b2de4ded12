//! How a connection begins: resumed, never before the handshake is over, and not at all with an older QUIC.

use super::*;
use crate::pki::Identity;
use quinn::TransportErrorCode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

impl Bench {
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

/// Lets everybody in who has the key of the certificate that he shows, as the TLS library does whenever a session is resumed.
#[derive(Debug)]
struct Lenient(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Lenient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A resumed session brings the certificate of its first handshake, at whose dates nobody looks but the lane.
#[test]
fn a_certificate_that_has_expired_since_is_refused() {
    let loopback = Loopback::new().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(loopback.authority.certificate_der().to_vec().into()).unwrap();
    let roots = Arc::new(roots);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let shown = |identity: &Identity| {
        let certificate = CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).unwrap();
        (vec![certificate], PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap())
    };
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build().unwrap();
    let (chain, key) = shown(&loopback.authority.server(&["127.0.0.1".into()]).unwrap());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Lenient(verifier)))
        .with_single_cert(chain, key)
        .unwrap();
    let open = |bench: &Bench, identity: &Identity| {
        let (chain, key) = shown(identity);
        let tls = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(chain, key)
            .unwrap();
        let client = Client::new(&Config::default(), false);
        smol::block_on(client.open(&bench.target(), HANDSHAKE, Arc::new(tls))).map(drop)
    };
    let (good, expired) =
        (loopback.authority.node(NODE).unwrap(), loopback.authority.node_expired(NODE).unwrap());
    let bench = Bench::with(loopback, &server, false);
    assert!(open(&bench, &good).is_ok());
    assert!(matches!(open(&bench, &expired), Err(QuicError::Refused)));
}

/// What the protocol is called is agreed on in the handshake, or there is none.
#[test]
fn another_protocol_is_not_spoken() {
    const NO_APPLICATION_PROTOCOL: u8 = 120;
    smol::block_on(async {
        let bench = Bench::start();
        let refused = bench.try_raw(b"h3").await.map(drop);
        let Err(ConnectionError::ConnectionClosed(close)) = refused else { panic!("{refused:?}") };
        assert_eq!(close.error_code, TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL));
    });
}

/// The hub's pings say how long silence may last, and how often the path has to see a packet.
#[test]
fn a_connection_is_kept_alive_as_often_as_the_hub_pings() {
    let ping_interval = Duration::from_millis(20);
    let config = Config { ping_interval, ping_misses: 2, ..Config::default() };
    let client = Client::new(&config, false);
    assert_eq!(client.times(), (3 * ping_interval, ping_interval));
    smol::block_on(async {
        let bench = Bench::start();
        let session = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        let connection = session.connection();
        let (writes, to_write) = async_channel::unbounded();
        let (told, _heard) = async_channel::unbounded();
        let until_kept_alive = async {
            let mut pace = smol::Timer::interval(ping_interval);
            // Probes for larger packets are pings, too.
            let pings = || connection.stats().frame_tx.ping - connection.stats().path.sent_plpmtud_probes;
            while pings() < 3 {
                pace.next().await;
            }
            drop(writes);
        };
        zip(session.run(to_write, Reads(told)), until_kept_alive).await;
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

/// One address swallows every packet, and one is refused: neither keeps the node from the one that answers, and only that one
/// hears of it.
#[test]
fn the_addresses_of_a_host_are_raced() {
    smol::block_on(async {
        let bench = Bench::start();
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let addresses = vec![silent.local_addr().unwrap(), closed, bench.address];
        let mut tls = (*bench.tls(NODE)).clone();
        tls.alpn_protocols = protocols(false);
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let executor = Arc::new(Executor::new());
        let found =
            executor.run(client::first_of(addresses, &executor, "127.0.0.1", |_| config.clone())).await;
        assert_eq!(found.unwrap().1.remote_address(), bench.address);
    });
}

#[test]
fn a_proxy_is_never_passed_by() {
    smol::block_on(async {
        let bench = Bench::start();
        let proxy = crate::reach::Proxy::parse("http://user:secret@192.0.2.1:3128").unwrap();
        let target = Target { proxy: Some(proxy), ..bench.target() };
        let client = Client::new(&Config::default(), false);
        let refused = client.open(&target, HANDSHAKE, bench.tls(NODE)).await.err().unwrap().to_string();
        assert!(refused.contains("http://192.0.2.1:3128") && !refused.contains("secret"), "{refused}");
    });
}
