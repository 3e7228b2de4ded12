//! What a recorder has written: replayed, explained, refused.

use super::cloud::cloud;
use super::edgehub;
use edgehub::core::trace::reseal::{OpenBlock, reseal};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

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
