//! The journals of the real program: dead letters, and files that cannot be used.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod process;

use process::Process;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn command(arguments: &[&str]) -> Command {
    let mut command = process::edgehub(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn edgehub(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// The exit code, and all that was told.
fn told(output: Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A folder for everything, a CloudHub, and an address that nobody answers at.
struct Node {
    dir: tempfile::TempDir,
    cloud: Process,
    address: String,
    silent: TcpListener,
}

impl Node {
    fn new() -> Node {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let mut cloud = Process::start(&mut command(&[
            "--log-json",
            "cloud",
            "--listen",
            "127.0.0.1:0",
            "--issue",
            "edge-1",
            "--dir",
            folder,
        ]));
        let line = cloud.until(&["listening on "]);
        let address = line.split_once("listening on ").unwrap().1.split('"').next().unwrap().to_string();
        Node { dir, cloud, address, silent: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a configuration with this section `edgehub`, and returns its file.
    fn config(&self, name: &str, online: bool, own: &str) -> String {
        let path = |name: &str| self.path(name).to_str().unwrap().to_string();
        let silent = self.silent.local_addr().unwrap().to_string();
        let server = if online { &self.address } else { &silent };
        let config = format!(
            "modules:\n  edged: {{hostnameOverride: edge-1}}\n  edgeHub:\n    tlsCaFile: {}\n    tlsCertFile: {}\n    \
             tlsPrivateKeyFile: {}\n    websocket: {{enable: true, server: '{server}'}}\nedgehub:\n  recorder: {{enabled: \
             false}}\n{own}",
            path("ca.crt"),
            path("edge-1.crt"),
            path("edge-1.key"),
        );
        std::fs::write(path(name), config).unwrap();
        path(name)
    }
}

/// Sends these as lines, and ends without waiting for a cloud.
fn send(config: &str, lines: &[&str]) -> (Option<i32>, String) {
    let mut process =
        command(&["send", "--config", config, "--resource", "default/podstatus/web", "--lines", "--track"])
            .args(["--timeout", "0"])
            .spawn()
            .unwrap();
    let mut input = process.stdin.take().unwrap();
    lines.iter().for_each(|line| writeln!(input, "{line}").unwrap());
    drop(input);
    told(process.wait_with_output().unwrap())
}

#[test]
fn what_was_dropped_is_listed_shown_and_sent_after_all() {
    let mut node = Node::new();
    let journal = format!("  journal: {{dir: {}}}\n", node.path("journal").display());
    let tight = format!("{journal}  classes: {{state: {{messages: 2, deadLetters: true}}}}\n");
    let tight = node.config("tight.yaml", false, &tight);
    let roomy = format!("{journal}  classes: {{state: {{deadLetters: true}}}}\n");
    let roomy = node.config("roomy.yaml", true, &roomy);
    // Nowhere to go: two wait in the journal, and three made room.
    let (code, report) = send(&tight, &["0", "1", "2", "3", "4"]);
    assert_eq!(code, Some(2), "{report}");

    let letters = |arguments: &[&str]| told(edgehub(&[&["dead-letters"], arguments].concat()));
    let listed = || {
        let (code, text) = letters(&["list", "--config", &tight]);
        assert_eq!(code, Some(0), "{text}");
        let lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        lines.collect::<Vec<_>>()
    };
    let found = listed();
    assert_eq!(found[0][..4], ["number", "time", "reason", "class"]);
    let columns: Vec<_> = found[1..].iter().map(|line| [&line[0], &line[2], &line[3], &line[6]]).collect();
    let line = |number: &'static str| [number, "class full", "state", "default/podstatus/web"];
    assert_eq!(columns, [line("1"), line("2"), line("3")]);
    let folder = node.path("journal/dead-letters");
    let folder = folder.to_str().unwrap();
    assert_eq!(letters(&["list", "--dir", folder]), letters(&["list", "--config", &tight]));
    let (code, shown) = letters(&["show", "--dir", folder, "2"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, shown["content"].as_u64()), (Some(0), Some(1)));
    assert_eq!(shown["header"]["msg_id"], found[2][8]);
    let (code, text) = letters(&["show", "--config", &tight, "9"]);
    assert!(code == Some(2) && text.contains("no dead letter 9"), "{text}");

    let mut hub = Process::start(&mut command(&["run", "--config", &tight]));
    hub.until(&["will leave first"]);
    let (code, text) = letters(&["requeue", "--config", &tight, "--all"]);
    let process = format!("in use by process {}, and nothing was moved; stop the node's hub", hub.child.id());
    assert!(code == Some(2) && text.contains(&process), "{text}");
    assert_eq!(listed(), found, "reading does not disturb the hub, nor the hub the reading");
    drop(hub);

    let (code, text) = letters(&["requeue", "--config", &tight, "1", "9"]);
    assert!(code == Some(2) && text.contains("no dead letter 9; 1 in "), "{text}");
    let (code, text) = letters(&["requeue", "--config", &tight, "--reason", "expired"]);
    assert!(code == Some(2) && text.contains("there is \"class full\""), "{text}");
    let (code, text) = letters(&["requeue", "--config", &tight, "--reason", "class full"]);
    assert!(code == Some(0) && text.starts_with("2 in "), "{text}");
    assert_eq!(listed().len(), 1, "only the columns");
    let (code, text) = letters(&["requeue", "--config", &tight, "--all"]);
    assert!(code == Some(2) && text.contains("no dead letters"), "{text}");

    let resource = ["--resource", "default/podstatus/web"];
    let sent = told(edgehub(&[&["send", "--config", &roomy], &resource[..], &["5"]].concat()));
    assert_eq!(sent.0, Some(0), "{}", sent.1);
    let arrived = BufReader::new(node.cloud.child.stdout.take().unwrap()).lines().take(6).map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        line["message"]["content"].as_u64().unwrap()
    });
    assert_eq!(arrived.collect::<Vec<_>>(), [3, 4, 0, 1, 2, 5], "what is requeued follows what was there");
}

#[test]
fn where_there_can_be_no_letters_the_configuration_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("edgecore.yaml");
    let file = file.to_str().unwrap();
    let letters = |arguments: &[&str], own: &str| {
        let config = format!(
            "modules: {{edged: {{hostnameOverride: edge-1}}, edgeHub: {{websocket: {{enable: true, server: 'a:1'}}}}}}\n\
             edgehub:\n{own}"
        );
        std::fs::write(file, config).unwrap();
        told(edgehub(&[&["dead-letters"], arguments, &["--config", file]].concat()))
    };
    let (code, text) = letters(&["list"], "  journal: {dir: /nowhere}\n");
    assert!(code == Some(2) && text.contains(file) && text.contains("--dir"), "{text}");
    let class = "  classes: {state: {deadLetters: true}}\n  deadLetters: {dir: no/such/folder}\n";
    let (code, text) = letters(&["requeue", "1"], class);
    assert!(code == Some(2) && text.contains("edgehub.journal.dir"), "{text}");
    let (code, text) = letters(&["requeue", "1"], &format!("{class}  journal: {{dir: /nowhere}}\n"));
    assert!(code == Some(2) && text.contains("no/such/folder"), "{text}");
    assert!(!Path::new("no/such/folder").exists());
}

/// A file of the journal, or of the dead letters, that cannot be used: the hub does not start, or starts without it.
#[test]
fn what_cannot_be_used_stops_the_start_or_is_set_aside() {
    let node = Node::new();
    let foreign = "somebody else's, and long enough for more than a header";
    for (folder, which) in [("journal", "journal"), ("letters", "deadLetters")] {
        std::fs::create_dir_all(node.path(folder)).unwrap();
        let segment = node.path(&format!("{folder}/00000007.journal"));
        std::fs::write(&segment, foreign).unwrap();
        let config = |unusable: &str| {
            let more = |section: &str| if section == which { unusable } else { "" };
            let (journal, letters) = (node.path("journal"), node.path("letters"));
            let own = format!(
                "  journal: {{dir: {}{}}}\n  deadLetters: {{dir: {}{}}}\n  classes: {{state: {{deadLetters: true}}}}\n",
                journal.display(),
                more("journal"),
                letters.display(),
                more("deadLetters")
            );
            node.config(&format!("{folder}.yaml"), false, &own)
        };
        for stop in ["", ", unusable: stop"] {
            let (code, text) = told(edgehub(&["run", "--config", &config(stop)]));
            assert_eq!(code, Some(2), "{text}");
            let remedy = "`unusable: set-aside`";
            assert!(text.contains(segment.to_str().unwrap()) && text.contains(remedy), "{text}");
            assert_eq!(std::fs::read_to_string(&segment).unwrap(), foreign);
        }
        let mut hub = Process::start(&mut command(&["run", "--config", &config(", unusable: set-aside")]));
        let line = hub.until(&["set aside"]);
        let aside = format!("{}.set-aside", segment.display());
        assert!(line.contains(&aside), "{line}");
        assert_eq!(std::fs::read_to_string(aside).unwrap(), foreign);
        assert!(!segment.exists());
    }
}
