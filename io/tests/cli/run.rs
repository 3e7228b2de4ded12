//! `edgehub run`: what cannot be run is refused with the remedy, and who cannot be reached is told once.

use super::edgehub;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

fn run_with(config: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("edgecore.yaml");
    std::fs::write(&file, config).unwrap();
    let output = edgehub(&["run", "--config", file.to_str().unwrap()]);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_missing_configuration_is_named() {
    let output = edgehub(&["run", "--config", "no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/file.yaml"));
}

#[test]
fn every_problem_of_a_configuration_is_listed_with_its_path() {
    let (code, told) = run_with(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edgeHub:\n    heartbeat: -1\n    \
         messageQPS: many\n    websocket:\n      enable: true\n      server: 127.0.0.1:10000\n",
    );
    assert_eq!(code, Some(2));
    assert!(
        told.contains("modules.edgeHub.heartbeat") && told.contains("modules.edgeHub.messageQPS"),
        "{told}"
    );
}

#[test]
fn a_missing_certificate_is_named_with_the_remedy() {
    let (code, told) = run_with(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    \
         hostnameOverride: edge-1\n  edgeHub:\n    tlsCaFile: no/such/ca.crt\n    websocket:\n      enable: true\n      \
         server: 127.0.0.1:10000\n",
    );
    assert_eq!(code, Some(2));
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("no/such/ca.crt: no such file; point tlsCaFile at the CA certificate"), "{told}");
}

/// A node's files in a directory, and what a configuration file says of it; nobody listens where it goes.
fn offline_node(dir: &Path, edge_hub: &str, more: &str) -> String {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_string();
    let authority = edgehub::pki::Authority::generate().unwrap();
    let node = authority.node("edge-1").unwrap();
    std::fs::write(path("ca.crt"), authority.certificate_pem()).unwrap();
    std::fs::write(path("node.crt"), node.certificate_pem).unwrap();
    std::fs::write(path("node.key"), node.key_pem).unwrap();
    format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    \
         hostnameOverride: edge-1\n  edgeHub:\n    {edge_hub}tlsCaFile: {}\n    tlsCertFile: {}\n    \
         tlsPrivateKeyFile: {}\n    websocket:\n      enable: true\n      server: 127.0.0.1:1\n{more}",
        path("ca.crt"),
        path("node.crt"),
        path("node.key"),
    )
}

/// The link is dialled again and again, and the log says once that there is none.
#[test]
fn an_unreachable_server_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("edgecore.yaml");
    std::fs::write(&config, offline_node(dir.path(), "", "edgehub: {backoff: {base: 0.01, max: 0.02}}\n"))
        .unwrap();
    let mut node = Command::new(env!("CARGO_BIN_EXE_edgehub"))
        .args(["--log", "debug", "run", "--config", config.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    let mut attempts = 0;
    for line in BufReader::new(node.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        attempts += usize::from(line.contains("link not opened"));
        told.push(line);
        if attempts == 5 {
            let ended = Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap();
            assert!(ended.success());
            attempts += 1;
        }
    }
    assert_eq!(node.wait().unwrap().code(), Some(0), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.contains("running offline")).count(), 1, "{told:#?}");
}

/// Whose certificate is looked after waits for files that are missing, and not for damaged ones to mend.
#[test]
fn a_damaged_key_is_named_though_a_certificate_service_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let config = offline_node(dir.path(), "httpServer: https://127.0.0.1:1\n    ", "");
    let key = dir.path().join("node.key");
    let damaged = std::fs::read_to_string(&key).unwrap().replace('M', "#");
    std::fs::write(&key, damaged).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (code, told) = run_with(&config);
    assert_eq!(code, Some(2), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains(&format!("{}: damaged PEM", key.display())), "{told}");
}

#[test]
fn a_journal_that_is_not_this_nodes_is_refused_and_left_alone() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let mut cloud = Command::new(env!("CARGO_BIN_EXE_edgehub"))
        .args(["cloud", "--listen", "127.0.0.1:0", "--issue", "edge-1", "--dir", &path(".")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // By then it has made the certificates.
    let mut log = BufReader::new(cloud.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("listening on")));
    cloud.kill().unwrap();
    cloud.wait().unwrap();
    std::fs::create_dir(path("journal")).unwrap();
    let segment = path("journal/00000007.journal");
    std::fs::write(&segment, "somebody else's, and long enough for more than a header").unwrap();
    let config = format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
         edge-1\n  edgeHub:\n    tlsCaFile: {}\n    tlsCertFile: {}\n    tlsPrivateKeyFile: {}\n    websocket:\n      \
         enable: true\n      server: 127.0.0.1:1\nedgehub:\n  journal: {{dir: {}}}\n",
        path("ca.crt"),
        path("edge-1.crt"),
        path("edge-1.key"),
        path("journal"),
    );
    let (code, told) = run_with(&config);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("00000007.journal") && told.contains("move the file away"), "{told}");
    assert!(std::fs::read_to_string(&segment).unwrap().starts_with("somebody else's"));
    let (code, told) = run_with("modules: {}\nedgehub:\n  journal: {classes: [all]}\n");
    assert_eq!(code, Some(2));
    assert!(told.contains("edgehub.journal.classes") && told.contains("edgehub.journal.dir"), "{told}");
}
