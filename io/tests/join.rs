//! `edgehub join`, and what `edgehub run` does with the identity afterwards, as processes against a cloud on loopback.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod process;

use edgehub::config::NodeConfig;
use edgehub::pki::token::TokenKey;
use edgehub::pki::{Authority, Profile, Purpose};
use edgehub::server::{CertificateOptions, CertificateServer, CloudServer, ServerOptions};
use edgehub::tls::{self, Pems};
use futures_rustls::{TlsAcceptor, TlsConnector};
use process::{Process, edgehub};
use rustls::{ClientConfig, RootCertStore};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

const NODE: &str = "edge-7";

/// A cloud in this process: its link and its certificate service.
struct Cloud {
    authority: Arc<Authority>,
    tokens: TokenKey,
    link: String,
    service: String,
    _server: CloudServer,
}

fn cloud() -> Cloud {
    cloud_behind(None)
}

/// The same with a link whose certificate is of another authority.
fn cloud_behind(company: Option<&Authority>) -> Cloud {
    smol::block_on(async {
        let authority = Arc::new(Authority::generate().unwrap());
        let tokens = TokenKey::generate().unwrap();
        let own = company.unwrap_or(&authority).server(&["127.0.0.1".into()]).unwrap();
        let ca = authority.certificate_pem();
        let pems = Pems { ca, certificate: &own.certificate_pem, key: &own.key_pem };
        let options = ServerOptions::new(tls::server_config_from_pem(pems).unwrap());
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let (server, driver) = CloudServer::bind(any_port, options).await.unwrap();
        smol::spawn(driver.run()).detach();
        let options = CertificateOptions::new(Arc::clone(&authority), tokens.clone());
        let certificates = CertificateServer::bind(any_port, options).await.unwrap();
        let service = certificates.address().to_string();
        smol::spawn(async move { certificates.run().await }).detach();
        Cloud { authority, tokens, link: server.address().to_string(), service, _server: server }
    })
}

impl Cloud {
    fn token(&self) -> String {
        self.tokens.token(&self.authority, Duration::from_secs(60))
    }

    /// Whether a node's files are of this cloud, and can be used.
    fn has_signed(&self, config: &Path) -> bool {
        let (config, _) = NodeConfig::load(config).unwrap();
        tls::client_config(&config.files).unwrap();
        tls::pair_on_disk(&config.files).unwrap().roots == [self.authority.certificate_der()]
    }
}

/// The exit code, and what was said.
fn told(output: Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn join(cloud: &Cloud, token: &str, more: &[&str]) -> (Option<i32>, String) {
    let arguments = ["join", "--cloud", &cloud.service, "--token", token];
    told(edgehub(&[&arguments, more].concat()).output().unwrap())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_node_joins_with_a_token_and_not_with_that_of_another_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (cloud, other) = (cloud(), cloud());
    let into =
        |name: &str| ["--node".into(), NODE.into(), "--dir".into(), path(name).to_str().unwrap().to_owned()];
    let nothing = into("nothing");
    let nothing: Vec<&str> = nothing.iter().map(String::as_str).collect();
    let (code, said) = join(&cloud, &other.token(), &nothing);
    assert!(code == Some(2) && said.contains("the token is for another cloud"), "{said}");
    assert!(!path("nothing").exists());
    let (code, said) = join(&cloud, "HASH.x", &nothing);
    assert!(code == Some(2) && said.contains("four parts"), "{said}");
    let node = into("node");
    let node: Vec<&str> = node.iter().map(String::as_str).collect();
    let (code, said) = join(&cloud, &cloud.token(), &node);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("edge-7 has a certificate now") && said.contains("next: edgehub run"), "{said}");
    let certificate = std::fs::read(path("node/certs/server.crt")).unwrap();
    let (code, said) = join(&cloud, &cloud.token(), &node);
    assert!(code == Some(0) && said.contains("has a certificate already"), "{said}");
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(std::fs::read(path("node/certs/server.crt")).unwrap(), certificate);
    let file = path("node/config/edgecore.yaml");
    let (config, _) = NodeConfig::load(&file).unwrap();
    assert_eq!((config.node_name.as_str(), mode(&file)), (NODE, 0o600));
    assert_eq!(config.http_servers, [format!("https://{}", cloud.service)]);
    assert!(cloud.has_signed(&file));
}

/// The cloud was built anew, or the node moves: who gives a token says which cloud is meant, and what the configuration says of
/// another one is told.
#[test]
fn a_token_of_another_cloud_takes_a_joined_node_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("edgecore.yaml");
    let where_to =
        ["--node", NODE, "--dir", dir.path().to_str().unwrap(), "--config", file.to_str().unwrap()];
    let (first, second) = (cloud(), cloud());
    let (code, said) = join(&first, &first.token(), &where_to);
    assert!(code == Some(0) && first.has_signed(&file), "{said}");
    // The address is that of the second, the token that of the first: nothing changes.
    let (code, said) = join(&second, &first.token(), &where_to);
    assert!(code == Some(0) && said.contains("has a certificate already"), "{said}");
    let (code, said) = join(&second, &second.token(), &where_to);
    assert!(code == Some(0) && said.contains("has a certificate now"), "{said}");
    assert!(second.has_signed(&file));
    let warning = format!(
        "says httpServer https://{}, and this node has joined by https://{}",
        first.service, second.service
    );
    assert!(said.contains(&warning), "{said} should say {warning}");
    let (code, said) =
        join(&second, &second.token(), &[&where_to[..], &["--server", "192.0.2.1:1"]].concat());
    assert!(
        code == Some(0) && said.contains("says server wss://") && said.contains("by 192.0.2.1:1"),
        "{said}"
    );
}

#[test]
fn a_token_need_not_be_on_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud();
    let token = dir.path().join("token");
    std::fs::write(&token, cloud.token() + "\n").unwrap();
    let common = ["join", "--cloud", &cloud.service, "--node", NODE, "--dir"];
    let from = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (by_file, by_pipe) = (from("by-file"), from("by-pipe"));
    let output = edgehub(&common).args([&by_file, "--token-file", token.to_str().unwrap()]).output().unwrap();
    let (code, said) = told(output);
    assert!(code == Some(0) && said.contains("has a certificate now"), "{said}");
    let input = std::fs::File::open(&token).unwrap();
    let (code, said) = told(edgehub(&common).args([&by_pipe, "--token", "-"]).stdin(input).output().unwrap());
    assert!(code == Some(0) && said.contains("has a certificate now"), "{said}");
    let (code, said) = told(edgehub(&common).args([&by_file, "--token-file", "no/such"]).output().unwrap());
    assert!(code == Some(2) && said.contains("no/such"), "{said}");
    assert_eq!(edgehub(&common).arg(&by_file).output().unwrap().status.code(), Some(2), "one is needed");
}

/// An HTTP proxy that leads to whatever it is asked for, and counts.
fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for node in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || lead(node.unwrap()));
        }
    });
    (format!("http://{address}"), asked)
}

fn lead(mut node: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        node.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let cloud = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
    node.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut up, mut to) = (node.try_clone().unwrap(), cloud.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut up, &mut to).map(|_| to.shutdown(std::net::Shutdown::Write)));
    let (mut down, mut to) = (cloud, node);
    // Whoever hangs up in the middle is none of the proxy's business.
    let _ = std::io::copy(&mut down, &mut to).map(|_| to.shutdown(std::net::Shutdown::Write));
}

#[test]
fn join_takes_the_proxy_that_it_is_told_and_later_that_of_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("somewhere.yaml");
    let cloud = cloud();
    let (url, asked) = proxy();
    let where_to =
        ["--node", NODE, "--dir", dir.path().to_str().unwrap(), "--config", file.to_str().unwrap()];
    let (code, said) = join(&cloud, &cloud.token(), &[&where_to[..], &["--proxy", &url]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "for the authority, and for the certificate");
    assert!(said.contains(&format!("next: edgehub run --config {}", file.display())), "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&format!("proxy: \"{url}\"")), "{text}");
    std::fs::remove_dir_all(dir.path().join("certs")).unwrap();
    let (code, said) = join(&cloud, &cloud.token(), &where_to);
    assert_eq!((code, asked.load(Ordering::SeqCst)), (Some(0), 4), "{said}");
    std::fs::remove_dir_all(dir.path().join("certs")).unwrap();
    let (code, said) = join(&cloud, &cloud.token(), &[&where_to[..], &["--proxy", "none"]].concat());
    assert_eq!((code, asked.load(Ordering::SeqCst)), (Some(0), 4), "{said}");
    assert!(said.contains("says another edgehub.proxy"), "{said}");
    let (code, said) = join(&cloud, &cloud.token(), &[&where_to[..], &["--proxy", "ftp://x"]].concat());
    assert!(code == Some(2) && said.contains("--proxy"), "{said}");
}

/// A node that runs.
fn start(config: &Path) -> Process {
    Process::start(&mut edgehub(&["--log-json", "run", "--config", config.to_str().unwrap()]))
}

/// Ends it as an operator does: it was alive until then.
fn stop(mut node: Process) {
    let told = Command::new("kill").arg(node.child.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}

/// A configuration of a node whose files are in this directory.
fn configuration(dir: &Path, cloud: &Cloud, more: &str) -> PathBuf {
    let path = |name: &str| dir.join(name).display().to_string();
    let (ca, certificate, key) = (path("ca.crt"), path("own.crt"), path("own.key"));
    let link = &cloud.link;
    let text = format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
         {NODE}\n  edgeHub:\n    tlsCaFile: {ca}\n    tlsCertFile: {certificate}\n    tlsPrivateKeyFile: {key}\n{more}    \
         websocket:\n      enable: true\n      server: {link}\n"
    );
    let file = dir.join("node.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Puts an expired pair there.
fn expired(dir: &Path, cloud: &Cloud) {
    cloud.authority.node_expired(NODE).unwrap().write(dir, "own").unwrap();
    std::fs::write(dir.join("ca.crt"), cloud.authority.certificate_pem()).unwrap();
}

#[test]
fn a_node_without_files_joins_by_itself_when_it_is_run_with_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud();
    let more = format!("    httpServer: https://{}\n    token: {}\n", cloud.service, cloud.token());
    let file = configuration(dir.path(), &cloud, &more);
    let mut node = start(&file);
    node.until(&["link up"]);
    assert!(cloud.has_signed(&file));
    stop(node);
}

#[test]
fn a_node_whose_certificate_has_run_out_joins_again_by_itself_with_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud();
    expired(dir.path(), &cloud);
    let more = format!("    httpServer: https://{}\n    token: {}\n", cloud.service, cloud.token());
    let file = configuration(dir.path(), &cloud, &more);
    let mut node = start(&file);
    node.until(&["link up"]);
    assert!(cloud.has_signed(&file));
    stop(node);
}

/// Never an exit: with a certificate service and without one. What the log says to run is what helps.
#[test]
fn a_node_whose_certificate_has_run_out_goes_on_and_says_what_to_run() {
    for with_service in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let cloud = cloud();
        expired(dir.path(), &cloud);
        let service = format!("    httpServer: https://{}\n", cloud.service);
        let file = configuration(dir.path(), &cloud, if with_service { &service } else { "" });
        let mut node = start(&file);
        let line = node.until(&["the certificate expired on"]);
        let address = if with_service { &cloud.service } else { "127.0.0.1" };
        let command = format!(
            "run: edgehub join --config {} --cloud {address} --node {NODE} --token TOKEN",
            file.display()
        );
        assert!(line.contains(&command), "{line} should say {command}");
        stop(node);
        let (code, said) =
            join(&cloud, &cloud.token(), &["--config", file.to_str().unwrap(), "--node", NODE]);
        assert!(code == Some(0) && cloud.has_signed(&file), "{said}");
        assert_eq!(said.contains("names no certificate service"), !with_service, "{said}");
    }
}

/// A pair in the last tenth of its life, and these authorities beside it.
fn old_pair(dir: &Path, cloud: &Cloud, authorities: &[&Authority]) {
    let day = Duration::from_secs(86_400);
    let profile = Profile {
        purpose: Purpose::Node { name: NODE.into() },
        not_before: SystemTime::now() - 99 * day,
        not_after: SystemTime::now() + day,
    };
    cloud.authority.issue(&profile).unwrap().write(dir, "own").unwrap();
    let pems: String = authorities.iter().map(|authority| authority.certificate_pem()).collect();
    std::fs::write(dir.join("ca.crt"), pems).unwrap();
}

/// A load balancer before the link has a certificate of the company's authority, which a person has put beside the cloud's: it
/// is still there after the renewal, and the link is opened again.
#[test]
fn who_vouches_for_the_link_stays_trusted_when_the_certificate_is_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let company = Authority::generate().unwrap();
    let cloud = cloud_behind(Some(&company));
    let more = format!("    httpServer: https://{}\n", cloud.service);
    let file = configuration(dir.path(), &cloud, &more);
    old_pair(dir.path(), &cloud, &[&company, &cloud.authority]);
    let mut node = start(&file);
    node.until(&["renewing the node's certificate"]);
    node.until(&["the node has a certificate"]);
    node.until(&["link up"]);
    let roots = tls::pair_on_disk(&NodeConfig::load(&file).unwrap().0.files).unwrap().roots;
    assert_eq!(roots, [cloud.authority.certificate_der(), company.certificate_der()]);
    stop(node);
}

/// A load balancer before the certificate service: it shows a certificate of the company's, and is asked nothing else.
fn balancer(company: &Authority, cloud: &Cloud) -> String {
    let own = company.server(&["127.0.0.1".into()]).unwrap();
    let pems = Pems { ca: company.certificate_pem(), certificate: &own.certificate_pem, key: &own.key_pem };
    let shown = TlsAcceptor::from(tls::server_config_for_anybody(pems).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(cloud.authority.certificate_der().to_vec().into()).unwrap();
    let behind = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let behind = TlsConnector::from(Arc::new(behind));
    let service = cloud.service.clone();
    let listener = smol::block_on(smol::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    smol::spawn(async move {
        while let Ok((node, _)) = listener.accept().await {
            // Whoever does not trust it hangs up.
            let Ok(mut node) = shown.accept(node).await else { continue };
            let tcp = smol::net::TcpStream::connect(&service).await.unwrap();
            let mut to = behind.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
            // One request in one record, and its answer until the end.
            let mut request = vec![0; 1 << 16];
            let length = node.read(&mut request).await.unwrap_or(0);
            let _ = to.write_all(&request[..length]).await;
            let _ = smol::io::copy(&mut to, &mut node).await;
            let _ = node.close().await;
        }
    })
    .detach();
    address
}

/// The real one trusts what it got at /ca.crt alone, and never gets in here. Ours says what to give it, and gets in with that.
#[test]
fn a_node_joins_where_a_company_vouches_for_the_certificate_service() {
    let dir = tempfile::tempdir().unwrap();
    let company = Authority::generate().unwrap();
    let cloud = cloud_behind(Some(&company));
    let service = balancer(&company, &cloud);
    let to = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (node, ca) = (to("node"), to("company.pem"));
    std::fs::write(&ca, company.certificate_pem()).unwrap();
    let token = cloud.token();
    let common =
        ["join", "--cloud", &service, "--server", &cloud.link, "--token", &token, "--node", NODE, "--dir"];
    let (code, said) = told(edgehub(&common).arg(&node).output().unwrap());
    assert!(code == Some(2) && said.contains("join with --servers-ca FILE"), "{said}");
    assert!(!Path::new(&node).exists(), "nothing is written");
    let (code, said) = told(edgehub(&common).args([&node, "--servers-ca", "no/such"]).output().unwrap());
    assert!(code == Some(2) && said.contains("no/such"), "{said}");
    let (code, said) = told(edgehub(&common).args([&node, "--servers-ca", &ca]).output().unwrap());
    assert!(code == Some(0) && said.contains("has a certificate now") && !said.contains("warning"), "{said}");
    let file = PathBuf::from(&node).join("config/edgecore.yaml");
    let (config, _) = NodeConfig::load(&file).unwrap();
    let roots = tls::pair_on_disk(&config.files).unwrap().roots;
    assert_eq!(roots, [cloud.authority.certificate_der(), company.certificate_der()]);
    // Whose link has a certificate of the company's, too.
    let mut running = start(&file);
    running.until(&["link up"]);
    stop(running);
    // Given for a node that has a certificate already, it changes nothing, and that is said.
    let other = to("other.pem");
    std::fs::write(&other, Authority::generate().unwrap().certificate_pem()).unwrap();
    let (code, said) = told(edgehub(&common).args([&node, "--servers-ca", &other]).output().unwrap());
    assert!(code == Some(0) && said.contains("append that to it"), "{said}");
}

/// The file names who vouches for the link, and nobody who signs nodes: the link works, and no token is needed for that. That
/// the certificate cannot be renewed is said, with what to do.
#[test]
fn a_node_whose_authority_nobody_named_keeps_its_link_and_hears_why_it_is_not_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let company = Authority::generate().unwrap();
    let cloud = cloud_behind(Some(&company));
    let more = format!("    httpServer: https://{}\n", cloud.service);
    let file = configuration(dir.path(), &cloud, &more);
    old_pair(dir.path(), &cloud, &[&company]);
    let mut node = start(&file);
    let said = node.until(&["not trusted"]);
    assert!(said.contains("put that one into tlsCaFile") && !said.contains("edgehub join"), "{said}");
    stop(node);
    let (_, said) = told(edgehub(&["check", "--config", file.to_str().unwrap()]).output().unwrap());
    assert!(said.contains("✓ keepalive") && said.contains("✗ certificates"), "{said}");
}

#[test]
fn of_several_certificate_services_the_next_one_gives_the_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let more = format!(
        "    httpServer: ['https://{nobody}', 'https://{}']\n    token: {}\n",
        cloud.service,
        cloud.token()
    );
    let file = configuration(dir.path(), &cloud, &more);
    let mut node = start(&file);
    let said = node.until(&["asking the next certificate service"]);
    assert!(said.contains(&nobody.to_string()), "{said}");
    node.until(&["link up"]);
    assert!(cloud.has_signed(&file));
    stop(node);
}

/// What is damaged was not made by time, and waiting does not help.
#[test]
fn a_damaged_key_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud();
    expired(dir.path(), &cloud);
    std::fs::write(dir.path().join("own.key"), "nonsense").unwrap();
    let more = format!("    httpServer: https://{}\n", cloud.service);
    let file = configuration(dir.path(), &cloud, &more);
    let (code, said) = told(edgehub(&["run", "--config", file.to_str().unwrap()]).output().unwrap());
    assert!(code == Some(2) && said.contains("own.key"), "{said}");
}

/// Killed as soon as each file shows up: the node is usable, or can join again, and then it is.
#[test]
fn a_join_that_is_killed_can_be_done_again() {
    let cloud = cloud();
    for moment in [
        "certs",
        "certs/.edgehub-identity",
        "certs/.edgehub-identity/current",
        "ca/rootCA.crt",
        "certs/server.key",
        "certs/server.crt",
        "config",
        "config/edgecore.yaml",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().to_str().unwrap();
        let token = cloud.token();
        let arguments = ["join", "--cloud", &cloud.service, "--token", &token, "--node", NODE, "--dir", to];
        let mut process = edgehub(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !dir.path().join(moment).exists() && process.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        // SIGKILL; it may be over by then.
        process.kill().unwrap();
        process.wait().unwrap();
        let (code, said) = told(edgehub(&arguments).output().unwrap());
        assert_eq!(code, Some(0), "killed at {moment}: {said}");
        assert!(cloud.has_signed(&dir.path().join("config/edgecore.yaml")), "killed at {moment}");
    }
}
