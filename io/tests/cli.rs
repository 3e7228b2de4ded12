//! The command line: exit codes, and what bad input gets.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use std::path::Path;
use std::process::{Command, Output};

fn edgehub(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgehub")).args(arguments).output().unwrap()
}

fn run_with(config: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("edgecore.yaml");
    std::fs::write(&file, config).unwrap();
    let output = edgehub(&["run", "--config", file.to_str().unwrap()]);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_demo_accounts_for_every_message() {
    let output = edgehub(&["demo", "--messages", "12", "--pace", "1"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("every message is accounted for"), "{shown}");
    assert!(shown.contains("cuts the link"), "{shown}");
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
    assert!(told.contains("no/such/ca.crt"), "{told}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = edgehub(&["cloud", "--dir", dir.path().to_str().unwrap(), "--listen", &address]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&address) && told.contains("--listen"), "{told}");
}

#[test]
fn a_message_goes_from_send_to_cloud() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let mut cloud = Command::new(env!("CARGO_BIN_EXE_edgehub"))
        .args(["--log-json", "cloud", "--listen", "127.0.0.1:0", "--issue", "edge-1", "--dir", &path(".")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(cloud.stderr.take().unwrap()).lines();
    let address = log.find_map(|line| {
        let line = line.unwrap();
        Some(line.split_once("listening on ")?.1.split('"').next()?.to_string())
    });
    let config = format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
         edge-1\n  edgeHub:\n    tlsCaFile: {}\n    tlsCertFile: {}\n    tlsPrivateKeyFile: {}\n    websocket:\n      \
         enable: true\n      server: {}\n",
        path("ca.crt"),
        path("edge-1.crt"),
        path("edge-1.key"),
        address.unwrap()
    );
    std::fs::write(Path::new(&path("edgecore.yaml")), config).unwrap();
    let config = path("edgecore.yaml");
    let sent = edgehub(&["send", "--config", &config, "--resource", "default/podstatus/web", r#"{"a":1}"#]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let mut printed = BufReader::new(cloud.stdout.take().unwrap()).lines();
    let line = printed.next().unwrap().unwrap();
    assert!(line.contains(r#""node":"edge-1""#) && line.contains(r#""content":{"a":1}"#), "{line}");
    let asked =
        ["send", "--config", &config, "--resource", "a/b/c", "--operation", "query", "--request", "1"];
    let asked = edgehub(&asked);
    assert!(String::from_utf8_lossy(&asked.stdout).contains("not found"), "{asked:?}");
    cloud.kill().unwrap();
    cloud.wait().unwrap();
}
