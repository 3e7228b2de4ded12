//! The command line: exit codes, and what bad input gets.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use edgehub::core::trace::reseal::{OpenBlock, reseal};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

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

/// Each says what it does to a hub that runs, or how it is spoken to.
#[test]
fn the_help_teaches() {
    for (command, wanted) in [
        (&["--help"][..], "edgehub run --config"),
        (&["run", "--help"], "edgehub run --config"),
        (&["cloud", "--help"], r#"{"node":"edge-1","acknowledge":true,"message":"#),
        (&["send", "--help"], "loses its own to this command"),
        (&["watch", "--help"], "loses its own to this command"),
    ] {
        let output = edgehub(command);
        let told = String::from_utf8(output.stdout).unwrap();
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.success() && told.contains(wanted), "{command:?}: {told}");
    }
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
fn a_failure_is_told_where_the_log_is_turned_off() {
    for filter in ["off", "edgehub=off"] {
        let output = edgehub(&["--log", filter, "run", "--config", "no/such/file.yaml"]);
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.lines().count() == 1 && told.contains("no/such/file.yaml"), "{filter}: {told}");
    }
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

/// A CloudHub in a process of its own. It is ended with this value, and not before: it needs a reader of its log.
struct Cloud {
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
fn cloud(dir: &Path, more: &str) -> (Cloud, String) {
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

#[test]
fn a_recorded_demo_replays_and_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("demo.trace");
    let file = file.to_str().unwrap();
    let demo = edgehub(&["demo", "--messages", "12", "--pace", "1", "--record", file]);
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    let replayed = edgehub(&["replay", file]);
    let told = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(replayed.status.success() && told.starts_with("equal: "), "{told}");
    let stats = edgehub(&["trace", "stats", file, "--json"]);
    let stats: serde_json::Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert!(stats["links"].as_array().unwrap().len() >= 2, "the demo cuts its link once: {stats}");
    let lines = edgehub(&["trace", "export", file, "--json"]);
    let lines: Vec<serde_json::Value> = String::from_utf8(lines.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let is_telemetry = |line: &&serde_json::Value| line["resource"] == "device/pump/twin/edge_updated";
    let telemetry: Vec<_> = lines.iter().filter(is_telemetry).collect();
    assert_eq!(telemetry.len(), 12);
    assert!(telemetry.iter().all(|line| line["fate"] == "arrived"), "{telemetry:?}");
    let id = telemetry[0]["msg_id"].as_str().unwrap();
    let explained = edgehub(&["explain", file, "--msg-id", id]);
    let told = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(told.contains("handed over by twin") && told.contains("confirmed by pong"), "{told}");
    let perfetto = edgehub(&["trace", "export", file, "--perfetto"]);
    let events: Vec<serde_json::Value> = serde_json::from_slice(&perfetto.stdout).unwrap();
    assert!(events.len() > 50);
    let what_if = |settings: &str| edgehub(&["replay", file, "--what-if", settings]);
    let told = String::from_utf8(what_if("ping.interval=30s,barrier.messages=2").stdout).unwrap();
    assert!(told.contains("model-based from there on") && told.contains("confirmed by the cloud"), "{told}");
    // The hub acknowledges, and so do the modules, which are not asked again.
    let told = String::from_utf8(what_if("acknowledge.resource=hub").stdout).unwrap();
    assert!(told.contains("now:      write to link 1: response"), "{told}");
    // What is written at most once has nothing to wait for.
    let told =
        String::from_utf8(what_if("rule.new=any->telemetry,class.telemetry.delivery=at-most-once").stdout);
    let row = |name: &str, told: &str| {
        let line = told.lines().find(|line| line.starts_with(name)).unwrap();
        line.strip_prefix(name).unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(row("pending at the end", &told.unwrap()), "0");
    let told = String::from_utf8(what_if("shutdown.grace=5s").stdout).unwrap();
    assert!(told.starts_with("no difference"), "{told}");
    let lacking = what_if("class.mine.messages=5");
    let told = String::from_utf8(lacking.stderr).unwrap();
    assert!(
        lacking.status.code() == Some(2) && told.contains("there is no setting \"class.mine.messages\""),
        "{told}"
    );
    let unknown = what_if("hartbeat=5s");
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(2) && told.contains("heartbeat "), "{told}");
    shows_what_is_asked_for(file, id);
    let part = dir.path().join("part.trace");
    let part = part.to_str().unwrap();
    assert!(
        edgehub(&["trace", "cut", file, "--msg-id", id, "--margin", "10ms", "-o", part]).status.success()
    );
    assert!(edgehub(&["replay", part]).status.success());
    assert!(edgehub(&["trace", "state", file, "--at", "100ms"]).status.success());
    assert_eq!(edgehub(&["trace", "diff", file, file]).status.code(), Some(0));
    assert_eq!(edgehub(&["trace", "diff", file, part]).status.code(), Some(1));
}

/// The filters of the listing, and the questions about many messages.
fn shows_what_is_asked_for(file: &str, id: &str) {
    let lines = |arguments: &[&str]| {
        let output = edgehub(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // An input begins with its time; what it led to stands below it.
    let is_input = |line: &&String| line.contains(" s  #");
    let seconds = |line: &String| line.trim().split(' ').next().unwrap().parse::<f64>().unwrap();
    let all = lines(&["trace", "show", file]);
    let inputs = lines(&["trace", "show", file, "--inputs"]);
    assert!(inputs.iter().all(|line| is_input(&line)) && all.iter().filter(is_input).eq(&inputs));
    assert!(inputs.len() > 50 && all.len() > inputs.len());
    let middle = seconds(&inputs[inputs.len() / 2]);
    let (before, after) = (format!("{:.6}s", middle), format!("{:.6}s", middle + 0.000_001));
    let before = lines(&["trace", "show", file, "--inputs", "--to", &before]);
    let after = lines(&["trace", "show", file, "--inputs", "--from", &after]);
    assert!(!after.is_empty() && before.iter().chain(&after).eq(&inputs), "every record is in one half");
    assert_eq!(lines(&["trace", "show", file, "--inputs", "--limit", "3"]), &inputs[..3]);
    let module = lines(&["trace", "show", file, "--inputs", "--module", "1"]);
    assert!(module.len() > 12 && module.iter().all(|line| line.contains("module 1: ")), "{module:?}");
    let notes = lines(&["trace", "show", file, "--notes"]);
    assert_eq!(notes.iter().filter(|line| line.contains("LinkUp")).count(), 2, "{notes:?}");
    let about = lines(&["trace", "show", file, "--msg-id", id]);
    // What happened together with it stands beside it; what happened without it does not.
    assert!((1..10).contains(&about.iter().filter(is_input).count()), "{about:?}");
    assert!(about.iter().filter(|line| line.contains(id)).count() >= 2, "{about:?}");
    let messages = |question: &[&str]| {
        let found = lines(&[&["explain", file, "--limit", "9999"], question].concat());
        found.iter().filter(|line| line.starts_with("message ")).count()
    };
    // Nothing takes no time, and nothing an hour.
    assert!(messages(&["--late", "0s"]) >= 12);
    let none = edgehub(&["explain", file, "--late", "1h"]);
    let told = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.code() == Some(2) && told.contains("no such message"), "{told}");
    // A request whose time was over when the link was cut is dropped in some runs.
    let was_dropped = all.iter().any(|line| line.contains("note: Dropped"));
    assert_eq!(edgehub(&["explain", file, "--why", "dropped"]).status.success(), was_dropped);
    let asked = all.iter().find(|line| line.contains("SyncEnded")).unwrap();
    let request = asked.split('"').nth(1).unwrap();
    let told = lines(&["explain", file, "--request", request]).join("\n");
    assert!(told.contains(request) && told.contains("response"), "{told}");
}

/// What another version has recorded is read, and whoever asks is told which version that was, and what has changed.
#[test]
fn a_trace_of_an_older_format_says_what_has_changed() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/old-traces/format-2.trace");
    for question in [&["replay", file][..], &["trace", "stats", file], &["explain", file, "--why", "dropped"]]
    {
        let told = String::from_utf8(edgehub(question).stderr).unwrap();
        assert!(told.contains("recorded by version 0.1.0 in format 2, this is version"), "{told}");
        assert!(told.contains("and format 3; since format 3, each block says"), "{told}");
    }
    let stats = edgehub(&["trace", "stats", file]);
    let told = String::from_utf8(stats.stdout).unwrap();
    assert!(stats.status.success() && told.contains("core 0.1.0, format 2, "), "{told}");
    let replayed = edgehub(&["replay", file]);
    let told = String::from_utf8(replayed.stdout).unwrap();
    let parts = "DIFFERENT: two versions of the hub part here";
    assert!(told.starts_with(if replayed.status.success() { "equal: " } else { parts }), "{told}");
}

/// The same trace as another hub would have recorded it: the first record that differs is told, with both sides of it.
#[test]
fn a_replay_that_differs_is_told_with_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let whole = path("whole.trace");
    assert!(edgehub(&["demo", "--messages", "12", "--pace", "1", "--record", &whole]).status.success());
    let other = reseal(&std::fs::read(&whole).unwrap(), |header| header.seed ^= 1, |_| {}).unwrap();
    std::fs::write(path("other.trace"), other).unwrap();
    let replayed = edgehub(&["replay", &path("other.trace")]);
    let told = String::from_utf8(replayed.stdout).unwrap();
    assert_eq!(replayed.status.code(), Some(1), "{told}");
    assert!(
        told.starts_with("DIFFERENT: record ") && told.contains("covers the inputs from record"),
        "{told}"
    );
    let digest =
        |side: &str| told.lines().find(|line| line.starts_with(side)).unwrap().split_once(": ").unwrap().1;
    assert_ne!(digest("recorded"), digest("replayed"));
    assert!(told.contains("  input  ") && told.contains("  replayed output  "), "{told}");
    // A block that says less than what happened in it is no better than a difference.
    let lies = |block: &mut OpenBlock| block.summary.longest = Duration::ZERO;
    std::fs::write(path("lies.trace"), reseal(&std::fs::read(&whole).unwrap(), |_| {}, lies).unwrap())
        .unwrap();
    let replayed = edgehub(&["replay", &path("lies.trace")]);
    let told = String::from_utf8(replayed.stderr).unwrap();
    assert_eq!(replayed.status.code(), Some(2), "{told}");
    assert!(told.contains("is wrong: it says that nothing was on its way for longer than 0ns"), "{told}");
}

#[test]
fn what_is_no_trace_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("some.trace");
    let told = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let output = edgehub(&["replay", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(b"#!/bin/sh").contains("not a trace"));
    assert!(told(b"EHTRACE\n\x01").contains("ends inside the header"));
    let newer = told(b"EHTRACE\n\x09\x00 and so on");
    assert!(newer.contains("version 9") && newer.contains("versions 2 to 3"), "{newer}");
    let missing = edgehub(&["explain", "no/such.trace", "--msg-id", "1"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no/such.trace"));
    let nothing = edgehub(&["explain", file.to_str().unwrap()]);
    assert_eq!(nothing.status.code(), Some(2), "one of the questions must be asked");
}

#[test]
fn sigusr1_writes_what_the_recorder_holds() {
    let dir = tempfile::tempdir().unwrap();
    let traces = dir.path().join("traces");
    let more = format!("edgehub: {{recorder: {{path: {}}}}}\n", traces.display());
    let (_cloud, config) = cloud(dir.path(), &more);
    let mut node = Command::new(env!("CARGO_BIN_EXE_edgehub"))
        .args(["run", "--config", &config])
        .env("EDGEHUB_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(node.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |what: &str| log.find(|line| line.contains(what)).unwrap();
    until("link up");
    let signal = |name: &str| {
        let told = Command::new("kill").args([name, &node.id().to_string()]).status().unwrap();
        assert!(told.success());
    };
    signal("-USR1");
    until("flight recorder written");
    let file = traces.join("signal-0.trace");
    let replayed = edgehub(&["replay", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(replayed.status.success() && told.starts_with("equal: "), "{told}");
    let stats = edgehub(&["trace", "stats", file.to_str().unwrap()]);
    let told = String::from_utf8(stats.stdout).unwrap();
    assert!(told.contains("written because: a signal asked for it"), "{told}");
    let stats = edgehub(&["trace", "stats", file.to_str().unwrap(), "--json"]);
    let stats: serde_json::Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert_eq!(stats["links"].as_array().unwrap().len(), 1, "{stats}");
    let dump = |pid: u32| edgehub(&["trace", "dump", "--pid", &pid.to_string()]);
    let asked = dump(node.id());
    let told = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert_eq!(told.trim(), traces.join("signal-1.trace").to_str().unwrap(), "{asked:?}");
    assert!(edgehub(&["replay", told.trim()]).status.success());
    // The newest stay, and no name is used again.
    (2..11).for_each(|_| assert!(dump(node.id()).status.success()));
    let dumps = || {
        let files = std::fs::read_dir(&traces).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!(dumps(), (3..11).map(|number| format!("signal-{number}.trace")).collect());
    let refused = |pid: u32| {
        let output = dump(pid);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = refused(std::process::id());
    assert!(told.contains("is not `edgehub run`"), "{told}");
    signal("-TERM");
    assert!(node.wait().unwrap().success());
    let told = refused(node.id());
    assert!(told.contains("there is no process"), "{told}");
}

/// What a run recorded is there after the next one, and can be replayed.
#[test]
fn a_recording_survives_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let (_cloud, config) = cloud(dir.path(), "edgehub: {recorder: {enabled: false}}\n");
    let file = dir.path().join("node.trace");
    let file = file.to_str().unwrap();
    let mut before = Vec::new();
    for round in 0..3 {
        let mut node = Command::new(env!("CARGO_BIN_EXE_edgehub"))
            .args(["run", "--config", &config, "--record", file, "--record-rotate", "1"])
            .env("EDGEHUB_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(node.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(log.any(|line| line.contains("link up")));
        let told = Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap();
        assert!(told.success() && log.any(|line| line.contains("stopped")));
        assert!(node.wait().unwrap().success());
        for (number, old) in before.iter().rev().enumerate() {
            assert_eq!(std::fs::read(format!("{file}.{}", number + 1)).unwrap(), *old, "round {round}");
        }
        assert!(edgehub(&["replay", file]).status.success());
        before.push(std::fs::read(file).unwrap());
    }
}

#[test]
fn a_damaged_trace_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let whole = path("whole.trace");
    assert!(edgehub(&["demo", "--messages", "12", "--pace", "1", "--record", &whole]).status.success());
    let bytes = std::fs::read(&whole).unwrap();
    let replayed = |name: &str, bytes: &[u8]| {
        std::fs::write(path(name), bytes).unwrap();
        let output = edgehub(&["replay", &path(name)]);
        let told = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), told(output.stdout), told(output.stderr))
    };
    // The only block of so short a recording, by the magic that it begins with.
    let block = bytes.windows(4).position(|window| window == b"EHBK").unwrap();
    let (code, told, warned) = replayed("cut.trace", &[&bytes[..], &bytes[block..block + 100]].concat());
    assert!(code == Some(0) && told.starts_with("equal: "), "{told}{warned}");
    assert!(warned.contains(&format!("cut off: what follows byte {} ", bytes.len())), "{warned}");
    let mut flipped = bytes.clone();
    flipped[block + 80] ^= 1;
    let (code, told, warned) = replayed("flipped.trace", &flipped);
    assert_eq!(code, Some(2), "nothing is left that could be replayed: {told}{warned}");
    assert!(warned.contains(&format!("the block at byte {block} is damaged: its hash is wrong")), "{warned}");
}

/// As behind `| head`: whoever does not read on is no failure, and nothing is said of it.
#[test]
fn a_reader_that_goes_away_ends_a_command_in_silence() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traces/01-session.trace");
    let trace = trace.to_str().unwrap();
    let cluster = tempfile::tempdir().unwrap();
    for arguments in [
        &["trace", "show", trace][..],
        &["trace", "stats", trace],
        &["trace", "export", "--json", trace],
        &["explain", trace, "--why", "dropped"],
        &["replay", trace],
        &["cloud", "token", "--dir", cluster.path().to_str().unwrap()],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgehub"));
        let output = command.args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !told.contains("ERROR"), "{arguments:?}: {told}");
    }
}

/// Who waits, each way, is served while user data flows and after a fault; nothing is lost.
#[test]
fn the_mixed_benchmark_answers_every_question() {
    for lane in ["websocket", "quic"] {
        let mixed = ["bench", "--mode", "mixed", "--lane", lane, "--seconds", "1", "--rate", "200"];
        let output = edgehub(&[&mixed[..], &["--meanwhile", "true"]].concat());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{report}");
        assert_eq!((&report["messages"], &report["lost"]), (&200.into(), &0.into()), "{report}");
        for asked in [&report["control"], &report["sync"]] {
            assert_eq!((&asked["asked"], &asked["answered"]), (&20.into(), &20.into()), "{report}");
        }
        assert!(report["recovered_after_s"].is_number(), "{report}");
    }
}

#[test]
fn what_is_for_the_mixed_benchmark_alone_is_refused_elsewhere() {
    let output = edgehub(&["bench", "--rate", "5"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--mode mixed"));
    let output = edgehub(&["bench", "--mode", "mixed", "--meanwhile", "echo no >&2; false"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no"));
}
