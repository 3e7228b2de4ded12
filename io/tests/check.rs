//! `edgehub check`, end to end: each step that fails is named with its remedy, and those before it are good.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod process;

use async_tungstenite::tungstenite::Message as Frame;
use edgehub::core::message::operation;
use edgehub::core::{Draft, Message, UnixMillis};
use edgehub::pki::token::TokenKey;
use edgehub::pki::{Authority, Profile, Purpose};
use edgehub::server::{CertificateOptions, CertificateServer, CloudServer, ServerOptions};
use edgehub::tls::{Pems, server_config_from_pem};
use edgehub::websocket::{ServerStream, accept};
use futures_util::StreamExt;
use process::{Process, edgehub};
use rustls::ServerConfig;
use smol::net::TcpListener;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A node's files and configuration, and its cloud's authority.
struct Site {
    dir: tempfile::TempDir,
    authority: Arc<Authority>,
}

impl Site {
    /// The certificate of `edge-1`.
    fn new() -> Site {
        let authority = Arc::new(Authority::generate().unwrap());
        let site = Site { dir: tempfile::tempdir().unwrap(), authority };
        let own = site.authority.node("edge-1").unwrap();
        for (name, text) in [
            ("ca.crt", site.authority.certificate_pem()),
            ("edge.crt", own.certificate_pem.as_str()),
            ("edge.key", own.key_pem.as_str()),
        ] {
            std::fs::write(site.dir.path().join(name), text).unwrap();
        }
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(site.dir.path().join("edge.key"), private).unwrap();
        site
    }

    /// Checks a configuration for this node and server. Returns the exit code and the lines.
    fn check(
        &self,
        node: &str,
        server: &str,
        more: &str,
        environment: &[(&str, &str)],
    ) -> (i32, Vec<String>) {
        self.check_config(&self.config(node, server, more), environment)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_string()
    }

    fn config(&self, node: &str, server: &str, more: &str) -> String {
        let path = |name: &str| self.path(name);
        format!(
            "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
             {node}\n  edgeHub:\n    tlsCaFile: {}\n    tlsCertFile: {}\n    tlsPrivateKeyFile: {}\n    websocket:\n      \
             enable: true\n      server: {server}\n{more}",
            path("ca.crt"),
            path("edge.crt"),
            path("edge.key"),
        )
    }

    fn check_config(&self, config: &str, environment: &[(&str, &str)]) -> (i32, Vec<String>) {
        std::fs::write(self.path("edgecore.yaml"), config).unwrap();
        let output = edgehub(&["check", "--config", &self.path("edgecore.yaml")])
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), shown.lines().map(str::to_owned).collect())
    }

    fn server(&self) -> Arc<ServerConfig> {
        let own = self.authority.server(&["127.0.0.1".into()]).unwrap();
        let ca = self.authority.certificate_pem();
        server_config_from_pem(Pems { ca, certificate: &own.certificate_pem, key: &own.key_pem }).unwrap()
    }

    /// Checks a configuration with QUIC alone, whose handshake may take so many seconds.
    fn check_quic(&self, server: &str, seconds: u32) -> (i32, Vec<String>) {
        let more = format!(
            "    quic:\n      enable: true\n      handshakeTimeout: {seconds}\n      server: {server}\n"
        );
        let config = self.config("edge-1", "127.0.0.1:1", &more);
        self.check_config(&config.replacen("enable: true", "enable: false", 1), &[])
    }

    /// Checks against a cloud that does this with the link.
    fn check_against(
        &self,
        server: Arc<ServerConfig>,
        more: &str,
        cloud: impl AsyncFnOnce(ServerStream),
    ) -> (i32, Vec<String>) {
        let listener = smol::block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::scope(|scope| {
            let checking = scope.spawn(|| self.check("edge-1", &address, more, &[]));
            smol::block_on(async {
                let (tcp, _) = listener.accept().await.unwrap();
                if let Ok(accepted) = accept(tcp, server, Duration::from_secs(30), 1 << 20).await {
                    cloud(accepted.stream).await;
                }
            });
            checking.join().unwrap()
        })
    }
}

/// An address of this machine at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The last line is a ✗ of this step with these words, the others are good, and the exit code says so.
fn fails((code, lines): (i32, Vec<String>), step: &str, words: &[&str]) {
    let (last, before) = lines.split_last().unwrap();
    assert!(last.starts_with(&format!("✗ {step}")), "{lines:#?}");
    assert!(words.iter().all(|word| last.contains(word)), "{last}");
    assert!(before.iter().all(|line| line.starts_with("✓ ")), "{lines:#?}");
    assert_eq!(code, 1);
}

/// Reads until the question comes, and answers it at this time, or not.
async fn serve(mut stream: ServerStream, answer_at: Option<SystemTime>) {
    while let Some(Ok(frame)) = stream.next().await {
        let Frame::Text(text) = frame else { continue };
        let question = Message::decode(text.to_string()).unwrap();
        if let Some(at) = answer_at.filter(|_| question.operation() == operation::QUERY) {
            let at = UnixMillis(at.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64);
            let answer = Draft::response_to(&question, "a", at).encode().unwrap();
            stream.send(Frame::text(answer.into_frame().to_string())).await.unwrap();
        }
    }
}

/// The same steps over QUIC; and without anybody there, what to do about it.
#[test]
fn the_quic_lane_is_checked_up_to_the_first_keepalive() {
    let site = Site::new();
    let own = site.authority.server(&["127.0.0.1".into()]).unwrap();
    let ca = site.authority.certificate_pem();
    let tls =
        server_config_from_pem(Pems { ca, certificate: &own.certificate_pem, key: &own.key_pem }).unwrap();
    let (server, driver) = smol::block_on(async {
        let options = ServerOptions { quic: true, ..ServerOptions::new(tls) };
        CloudServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap()
    });
    let running = smol::spawn(driver.run());
    let (code, lines) = site.check_quic(&server.address().to_string(), 30);
    assert!(code == 0 && lines.iter().all(|line| line.starts_with("✓ ")), "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains("keepalive") && line.contains("serves this node")),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.contains("the cloud's")), "the clocks are compared: {lines:#?}");
    let nobody = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent = nobody.local_addr().unwrap().to_string();
    fails(site.check_quic(&silent, 1), "QUIC", &["let UDP through", "edgehub cloud --quic"]);
    smol::block_on(async {
        server.shutdown().await.unwrap();
        running.await;
    });
}

/// A listener as KubeEdge's: it does not answer a packet of the standard, and names its versions to whoever asks in its own dialect.
fn older_quic() -> String {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut packet) {
            if packet[0] & 0x89 == 0x09 && packet[9] == b'Q' {
                socket.send_to(&[&[0x09], &packet[1..9], b"Q044Q043Q039"].concat(), peer).unwrap();
            }
        }
    });
    address
}

#[test]
fn an_older_quic_is_named_with_the_lane_to_use_instead() {
    let words = ["version negotiation failed", "KubeEdge", "enable modules.edgeHub.websocket"];
    fails(Site::new().check_quic(&older_quic(), 30), "QUIC", &words);
}

/// The same in the log of a hub that runs.
#[test]
fn a_hub_that_finds_an_older_quic_says_so() {
    let site = Site::new();
    // It writes the configuration, too.
    site.check_quic(&nobody(), 1);
    let file = site.path("edgecore.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let server = config.lines().rfind(|line| line.trim_start().starts_with("server:")).unwrap();
    let config = config
        .replace(server, &format!("      server: {}", older_quic()))
        .replace("handshakeTimeout: 1", "handshakeTimeout: 30");
    std::fs::write(&file, config).unwrap();
    let mut hub = Process::start(&mut edgehub(&["run", "--config", &file]));
    assert!(hub.until(&["version negotiation failed"]).contains("use its WebSocket"));
}

#[test]
fn a_node_that_is_served_has_nothing_to_correct() {
    let site = Site::new();
    let (code, lines) =
        site.check_against(site.server(), "", async |stream| serve(stream, Some(SystemTime::now())).await);
    let steps: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("✓ ")?.split_whitespace().next()).collect();
    let expected = [
        "configuration",
        "secrets",
        "files",
        "names",
        "expiry",
        "authority",
        "name",
        "connection",
        "TLS",
        "upgrade",
        "keepalive",
        "clock",
    ];
    assert_eq!((code, steps), (0, expected.to_vec()), "{lines:#?}");
}

#[test]
fn a_link_without_a_session_and_a_wrong_clock_are_named() {
    let site = Site::new();
    let more = "edgehub:\n  probe: {limit: 0.2}\n";
    let zombie = site.check_against(site.server(), more, async |stream| serve(stream, None).await);
    fails(zombie, "keepalive", &["k8s/ca.crt", "no session", "node limit"]);
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let skewed = site.check_against(site.server(), "", async |stream| serve(stream, Some(long_ago)).await);
    fails(skewed, "clock", &["ahead of the cloud's", "NTP"]);
    let kicked = site.check_against(site.server(), "", async |stream| drop(stream));
    fails(kicked, "keepalive", &["link"]);
}

#[test]
fn what_is_wrong_on_this_machine_is_named() {
    let site = Site::new();
    fails(
        site.check("''", "127.0.0.1", "", &[]),
        "configuration",
        &["modules.edgeHub.websocket.server", "HOST:PORT"],
    );
    std::fs::remove_file(site.dir.path().join("edge.key")).unwrap();
    fails(site.check("edge-1", &nobody(), "", &[]), "files", &["edge.key"]);
    let site = Site::new();
    let (code, lines) = site.check("edge-2", &nobody(), "", &[]);
    assert_eq!(code, 1);
    assert!(lines.iter().any(|line| line.starts_with("✗ names") && line.contains("edge-1")), "{lines:#?}");
}

#[test]
fn what_is_wrong_on_the_way_is_named() {
    let site = Site::new();
    fails(
        site.check("edge-1", "no.such.name.invalid:10000", "", &[]),
        "name",
        &["no.such.name.invalid", "DNS"],
    );
    fails(site.check("edge-1", &nobody(), "", &[]), "connection", &["nobody listens", "start CloudHub"]);
    let proxy = format!("http://u:hidden@{}", nobody());
    let through = site.check("edge-1", &nobody(), "", &[("HTTPS_PROXY", &proxy)]);
    assert!(!through.1.concat().contains("hidden"), "{through:?}");
    fails(through, "connection", &["proxy", "HTTPS_PROXY"]);
    fails(site.check("edge-1", &nobody(), "", &[("ALL_PROXY", "ftp://x")]), "proxy", &["ALL_PROXY"]);
    fails(site.check_against(Site::new().server(), "", async |_| {}), "TLS", &["CA"]);
}

/// The lines of a step.
fn of<'a>(lines: &'a [String], step: &str) -> Vec<&'a str> {
    let of_step = |line: &&'a str| line.split_whitespace().nth(1) == Some(step);
    lines.iter().map(String::as_str).filter(of_step).collect()
}

/// What has run out is told with the command that helps, and the rest of the way is looked at all the same.
#[test]
fn an_expired_certificate_does_not_end_the_check() {
    let site = Site::new();
    site.authority.node_expired("edge-1").unwrap().write(site.dir.path(), "edge").unwrap();
    let (code, lines) = site.check_against(site.server(), "", async |_| {});
    let expiry = of(&lines, "expiry").concat();
    let command = format!("run: edgehub join --config {} --cloud 127.0.0.1", site.path("edgecore.yaml"));
    assert!(
        expiry.starts_with("✗") && expiry.contains("expired on") && expiry.contains(&command),
        "{lines:#?}"
    );
    assert!(of(&lines, "connection").concat().starts_with("✓"), "{lines:#?}");
    assert_eq!(code, 1);
}

#[test]
fn a_secret_that_everybody_can_read_is_named() {
    let site = Site::new();
    let file = |name: &str| site.dir.path().join(name);
    std::fs::set_permissions(file("edge.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let token = "    token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b.c.d\n";
    let config =
        site.config("edge-1", &nobody(), "").replacen("    tlsCaFile", &format!("{token}    tlsCaFile"), 1);
    let (_, lines) = site.check_config(&config, &[]);
    let told = of(&lines, "secrets");
    assert_eq!(told.len(), 2, "{lines:#?}");
    assert!(
        told[0].contains("a token") && told[0].contains("chmod 600") && told[0].contains("edgecore.yaml")
    );
    assert!(told[1].contains("the private key") && told[1].contains("edge.key"), "{lines:#?}");
    std::fs::set_permissions(file("edge.key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let (_, lines) = site.check("edge-1", &nobody(), "", &[]);
    assert!(of(&lines, "secrets").concat().starts_with("✓"), "{lines:#?}");
}

/// The service is a step of its own, and its clock counts also where the link cannot be made.
#[test]
fn the_certificate_service_is_asked_what_time_it_is() {
    let site = Site::new();
    let with = |address: &str| {
        let service = format!("    httpServer: \"https://{address}\"\n    tlsCaFile");
        site.check_config(&site.config("edge-1", &nobody(), "").replacen("    tlsCaFile", &service, 1), &[])
    };
    let (_, lines) = with(&nobody());
    let told = of(&lines, "certificates").concat();
    assert!(told.starts_with("✗") && told.contains("cannot be reached"), "{lines:#?}");
    let service = |authority| {
        let options = CertificateOptions::new(authority, TokenKey::generate().unwrap());
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let service = smol::block_on(CertificateServer::bind(any_port, options)).unwrap();
        let address = service.address().to_string();
        smol::spawn(async move { service.run().await }).detach();
        address
    };
    let own = service(Arc::clone(&site.authority));
    let (_, lines) = with(&own);
    assert!(of(&lines, "certificates").concat().starts_with("✓"), "{lines:#?}");
    assert!(of(&lines, "clock").concat().starts_with("✓"), "{lines:#?}");
    // One that cannot renew this node's certificate is named, each of several.
    let strange = service(Arc::new(Authority::generate().unwrap()));
    let (code, lines) = with(&format!("{own}, https://{strange}"));
    let told = of(&lines, "certificates");
    assert!(told[0].starts_with("✓") && told[0].contains(&own), "{lines:#?}");
    assert!(
        told[1].starts_with("✗") && told[1].contains(&strange) && told[1].contains("tlsCaFile"),
        "{lines:#?}"
    );
    assert_eq!(code, 1);
}

/// Somebody accepts the connection and never says a word.
#[test]
fn the_stage_that_took_too_long_is_named() {
    let site = Site::new();
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = format!("{}\n      handshakeTimeout: 1", listener.local_addr().unwrap());
    fails(site.check("edge-1", &server, "", &[]), "TLS", &["came as far as: TLS", "load of CloudHub"]);
}

/// A cloud that has another opinion of who the node is.
#[test]
fn a_cloud_that_refuses_the_upgrade_is_named() {
    let site = Site::new();
    let (server, driver) = smol::block_on(async {
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        CloudServer::bind(any_port, ServerOptions::new(site.server())).await.unwrap()
    });
    let running = smol::spawn(driver.run());
    let (code, lines) = site.check("edge-2", &server.address().to_string(), "", &[]);
    let upgrade = of(&lines, "upgrade").concat();
    assert!(upgrade.starts_with("✗") && upgrade.contains("HTTP 403"), "{lines:#?}");
    assert!(upgrade.contains("→ look whether a CloudHub is at this address"), "{lines:#?}");
    assert!(of(&lines, "TLS").concat().starts_with("✓"), "{lines:#?}");
    assert_eq!((code, lines.len()), (1, 10), "nothing is after that: {lines:#?}");
    smol::block_on(async {
        server.shutdown().await.unwrap();
        running.await;
    });
}

/// The certificate of the node, from so many days before now until so many days after.
fn from_until(site: &Site, before: i64, after: i64) {
    let day = |days: i64| {
        let (now, span) = (SystemTime::now(), Duration::from_secs(86_400 * days.unsigned_abs()));
        if days < 0 { now - span } else { now + span }
    };
    let purpose = Purpose::Node { name: "edge-1".into() };
    let profile = Profile { purpose, not_before: day(before), not_after: day(after) };
    site.authority.issue(&profile).unwrap().write(site.dir.path(), "edge").unwrap();
}

/// What to do depends on whether somebody renews it.
#[test]
fn a_certificate_that_ends_soon_or_begins_later_is_named_with_what_to_do() {
    let site = Site::new();
    let expiry = |service: &str| {
        let config = site.config("edge-1", &nobody(), "");
        let config = config.replacen("    tlsCaFile", &format!("{service}    tlsCaFile"), 1);
        let (code, lines) = site.check_config(&config, &[]);
        (code, of(&lines, "expiry").concat())
    };
    let service = format!("    httpServer: https://{}\n", nobody());
    from_until(&site, -300, 8);
    let (_, told) = expiry("");
    assert!(told.starts_with("✓") && told.contains("days left"), "{told}");
    from_until(&site, -300, 6);
    let (code, told) = expiry("");
    assert!(told.starts_with("✗") && told.contains("days left"), "{told}");
    assert!(
        told.contains("→ set modules.edgeHub.httpServer") && told.contains("run: edgehub join"),
        "{told}"
    );
    let (_, told) = expiry(&service);
    assert!(told.contains("→ look at the log of `edgehub run`"), "{told}");
    from_until(&site, 1, 300);
    let (_, told) = expiry("");
    assert!(told.starts_with("✗") && told.contains("not valid before") && told.contains("NTP"), "{told}");
    assert_eq!(code, 1);
}

#[test]
fn an_authority_that_has_run_out_is_named() {
    let site = Site::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(1999, 1, 1);
    params.not_after = rcgen::date_time_ymd(2019, 1, 1);
    let old = params.self_signed(&key).unwrap().pem();
    std::fs::write(site.path("ca.crt"), &old).unwrap();
    let (code, lines) = site.check("edge-1", &nobody(), "", &[]);
    let told = of(&lines, "authority").concat();
    assert!(told.starts_with("✗") && told.contains("expired on 2019-01-01"), "{lines:#?}");
    assert!(told.contains("→ have the cloud's authority renewed, then run: edgehub join"), "{lines:#?}");
    assert_eq!(code, 1);
    // Beside another one that lasts it does no harm.
    let both = old + site.authority.certificate_pem();
    std::fs::write(site.path("ca.crt"), both).unwrap();
    let (_, lines) = site.check("edge-1", &nobody(), "", &[]);
    assert!(of(&lines, "authority").concat().starts_with("✓"), "{lines:#?}");
}
