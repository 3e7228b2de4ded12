//! The command line: exit codes, and what is said.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod bench;
mod cloud;
#[path = "../process/mod.rs"]
mod process;
mod recorder;
mod run;
mod suspicions;

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn edgehub(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgehub")).args(arguments).output().unwrap()
}

#[test]
fn the_demo_accounts_for_every_message() {
    let output = edgehub(&["demo", "--messages", "12", "--pace", "1"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("every message is accounted for"), "{shown}");
    assert!(shown.contains("cuts the link"), "{shown}");
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

#[test]
fn a_failure_is_told_where_the_log_is_turned_off() {
    for filter in ["off", "edgehub=off"] {
        let output = edgehub(&["--log", filter, "run", "--config", "no/such/file.yaml"]);
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.lines().count() == 1 && told.contains("no/such/file.yaml"), "{filter}: {told}");
    }
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
