//! What the log of `edgehub run` calls probably wrong, against a CloudHub in a process of its own.

use super::cloud::cloud;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

/// A node that runs until this value goes, and its log.
struct Running(Child, Lines<BufReader<ChildStderr>>);

impl Running {
    fn start(config: &str) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgehub"));
        let mut process = command.args(["run", "--config", config]).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Running(process, log)
    }

    fn says(&mut self, words: &str) -> bool {
        self.1.by_ref().any(|line| line.unwrap().contains(words))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Each takes the other's link again and again.
#[test]
fn a_name_that_two_nodes_use_is_named_in_both_logs() {
    let dir = tempfile::tempdir().unwrap();
    let (_cloud, config) = cloud(dir.path(), "edgehub:\n  backoff: {base: 0.01, max: 0.02}\n");
    let mut nodes = [Running::start(&config), Running::start(&config)];
    assert!(nodes.iter_mut().all(|node| node.says("another node uses the same name")));
}

#[test]
fn a_heartbeat_that_is_too_slow_for_the_cloud_is_named_when_the_link_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (_cloud, config) = cloud(dir.path(), "    heartbeat: 16\n");
    assert!(Running::start(&config).says("twice the heartbeat is longer than the cloud waits"));
}
