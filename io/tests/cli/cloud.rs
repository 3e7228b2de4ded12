//! `edgehub cloud`, `send` and `watch`: a message between processes.

use super::edgehub;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A CloudHub in a process of its own. It is ended with this value, and not before: it needs a reader of its log.
pub(crate) struct Cloud {
    process: Child,
    _log: BufReader<ChildStderr>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A CloudHub, and a configuration file of a node that goes there.
pub(crate) fn cloud(dir: &Path, more: &str) -> (Cloud, String) {
    cloud_with(dir, &[], |address| format!("    websocket: {{enable: true, server: \"{address}\"}}\n{more}"))
}

/// The same with these arguments, and a lane to its address.
fn cloud_with(dir: &Path, arguments: &[&str], lane: impl Fn(&str) -> String) -> (Cloud, String) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_string();
    let mut process = Command::new(env!("CARGO_BIN_EXE_edgehub"))
        .args(["--log-json", "cloud", "--listen", "127.0.0.1:0", "--issue", "edge-1", "--dir", &path(".")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let address = log.by_ref().lines().find_map(|line| {
        let line = line.unwrap();
        Some(line.split_once("listening on ")?.1.split('"').next()?.to_string())
    });
    let config = format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
         edge-1\n  edgeHub:\n    tlsCaFile: {}\n    tlsCertFile: {}\n    tlsPrivateKeyFile: {}\n{}",
        path("ca.crt"),
        path("edge-1.crt"),
        path("edge-1.key"),
        lane(&address.unwrap())
    );
    let file = path("edgecore.yaml");
    std::fs::write(&file, config).unwrap();
    (Cloud { process, _log: log }, file)
}

#[test]
fn a_message_goes_from_send_to_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, config) = cloud(dir.path(), "");
    goes(cloud, &config);
}

/// The same over the lane that `--quic` adds, on a port of the same number.
#[test]
fn a_message_goes_from_send_to_cloud_over_quic() {
    let dir = tempfile::tempdir().unwrap();
    let lanes = |address: &str| {
        format!("    websocket: {{enable: false}}\n    quic: {{enable: true, server: \"{address}\"}}\n")
    };
    let (cloud, config) = cloud_with(dir.path(), &["--quic"], lanes);
    goes(cloud, &config);
}

fn goes(mut cloud: Cloud, config: &str) {
    let sent = edgehub(&["send", "--config", config, "--resource", "default/podstatus/web", r#"{"a":1}"#]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let mut printed = BufReader::new(cloud.process.stdout.take().unwrap()).lines();
    let line = printed.next().unwrap().unwrap();
    assert!(line.contains(r#""node":"edge-1""#) && line.contains(r#""content":{"a":1}"#), "{line}");
    let asked = ["send", "--config", config, "--resource", "a/b/c", "--operation", "query", "--request", "1"];
    let asked = edgehub(&asked);
    assert!(String::from_utf8_lossy(&asked.stdout).contains("not found"), "{asked:?}");
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
