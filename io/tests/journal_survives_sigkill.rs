//! The real program, killed without a warning again and again while it streams to a CloudHub: whatever it has reported as
//! stored arrives, and in its order.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use edgehub::core::rng::Rng;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const SEED: u64 = 1;
const ROUNDS: u64 = 200;
const LINES: u64 = 100;
const LAST: u64 = u64::MAX;

/// A process that does not outlive the test.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgehub"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Process(command.spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A CloudHub, and the numbers that arrive there, in order.
fn cloud(dir: &Path) -> (Process, String, Receiver<u64>) {
    let mut cloud = Process::start(&[
        "--log-json",
        "cloud",
        "--listen",
        "127.0.0.1:0",
        "--issue",
        "edge-1",
        "--dir",
        dir.to_str().unwrap(),
    ]);
    let mut log = BufReader::new(cloud.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address =
        log.find_map(|line| Some(line.split_once("listening on ")?.1.split('"').next()?.to_string()));
    std::thread::spawn(move || log.for_each(drop));
    let printed = BufReader::new(cloud.0.stdout.take().unwrap()).lines();
    let (sender, arrived) = channel();
    std::thread::spawn(move || {
        for line in printed.map_while(Result::ok) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(number) = line["message"]["content"].as_u64() {
                // Nobody listens any more when the test is over.
                let _ = sender.send(number);
            }
        }
    });
    (cloud, address.unwrap(), arrived)
}

fn configuration(dir: &Path, server: &str) -> String {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_string();
    format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
         edge-1\n  edgeHub:\n    messageQPS: 100000\n    messageBurst: 100000\n    tlsCaFile: {}\n    tlsCertFile: \
         {}\n    tlsPrivateKeyFile: {}\n    websocket:\n      enable: true\n      server: {server}\nedgehub:\n  \
         journal: {{dir: {}}}\n  outbox: {{messages: 100000}}\n  drain: {{rate: 0}}\n",
        path("ca.crt"),
        path("edge-1.crt"),
        path("edge-1.key"),
        path("journal"),
    )
}

fn send(config: &Path) -> Process {
    let config = config.to_str().unwrap();
    let resource = "default/podstatus/web";
    Process::start(&[
        "--log",
        "error",
        "send",
        "--config",
        config,
        "--resource",
        resource,
        "--lines",
        "--track",
    ])
}

fn told(errors: Option<ChildStderr>) -> String {
    errors.map(|errors| std::io::read_to_string(errors).unwrap()).unwrap_or_default()
}

/// One life: streams, is killed once it has reported so much, and returns what it reported as stored by then.
fn life(config: &Path, first: u64, reports: u64) -> Vec<u64> {
    let mut process = send(config);
    let mut input = process.0.stdin.take().unwrap();
    let mut reported = BufReader::new(process.0.stdout.take().unwrap());
    let writer = std::thread::spawn(move || {
        for number in first..first + LINES {
            // It may be dead already.
            if writeln!(input, "{number}").is_err() {
                break;
            }
        }
        input
    });
    let mut stored = Vec::new();
    let mut seen = 0;
    let mut line = String::new();
    loop {
        if seen == reports {
            process.kill();
        }
        line.clear();
        // What is left in the pipe was reported, too; half a line was not.
        if reported.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        seen += 1;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let stage = line["stage"].as_str().unwrap();
        assert!(stage == "stored" || stage == "confirmed", "{line}");
        stored.push(first + line["line"].as_u64().unwrap() - 1);
    }
    drop(writer.join().unwrap());
    assert!(seen >= reports, "it ended by itself: {}", told(process.0.stderr.take()));
    stored
}

#[test]
fn journal_survives_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let (_cloud, address, arrived) = cloud(dir.path());
    // Whoever dials this waits for ever: a node that cannot reach the cloud.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let write = |name: &str, server: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, configuration(dir.path(), server)).unwrap();
        file
    };
    let online = write("online.yaml", &address);
    let offline = write("offline.yaml", &silent.local_addr().unwrap().to_string());
    let mut rng = Rng::new(SEED);
    let (mut stored, mut stored_offline) = (BTreeSet::new(), 0);
    for round in 0..ROUNDS {
        let (config, reports) = (rng.next_u64().is_multiple_of(2), rng.next_u64() % (LINES + 1));
        let reported = life(if config { &online } else { &offline }, round * 1000, reports);
        stored_offline += if config { 0 } else { reported.len() };
        stored.extend(reported);
    }
    // One more life, which nobody ends: what was stored leaves first.
    let mut last = send(&online);
    let mut input = last.0.stdin.take().unwrap();
    writeln!(input, "{LAST}").unwrap();
    drop(input);
    let reports = std::io::read_to_string(last.0.stdout.take().unwrap()).unwrap();
    assert!(last.0.wait().unwrap().success(), "seed {SEED}: {reports}{}", told(last.0.stderr.take()));
    let order: Vec<u64> = arrived.iter().take_while(|number| *number != LAST).collect();
    let mut seen = BTreeSet::new();
    let firsts: Vec<u64> = order.iter().copied().filter(|number| seen.insert(*number)).collect();
    let lost: Vec<_> = stored.difference(&seen).collect();
    println!(
        "{} reported, {stored_offline} of them without a cloud; {} arrived, {} of them again",
        stored.len(),
        order.len(),
        order.len() - firsts.len()
    );
    assert!(lost.is_empty(), "seed {SEED}: {} stored and lost: {lost:?}", lost.len());
    assert!(firsts.is_sorted(), "seed {SEED}: out of order: {firsts:?}");
    assert!(stored_offline > 1000, "only what the cloud could not have had tells anything");
}
