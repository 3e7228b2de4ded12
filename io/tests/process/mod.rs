//! The real program as a process, for tests of several files.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

/// A command without the settings of whoever runs the test.
pub(crate) fn edgehub(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgehub"));
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "EDGEHUB_TOKEN", "EDGEHUB_PROXY", "EDGEHUB_LOG"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.args(arguments);
    command
}

/// A process that does not outlive the test, and its log.
pub(crate) struct Process {
    pub(crate) child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Process { child, log }
    }

    /// Waits for a line with each of these words.
    pub(crate) fn until(&mut self, words: &[&str]) -> String {
        let has_all = |line: &String| words.iter().all(|word| line.contains(word));
        self.log.by_ref().map(Result::unwrap).find(has_all).unwrap()
    }

    /// Waits until each of these words was said, in whatever order.
    pub(crate) fn until_all(&mut self, words: &[&str]) {
        let mut missing = words.to_vec();
        while !missing.is_empty() {
            let line = self.log.next().unwrap().unwrap();
            missing.retain(|word| !line.contains(word));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
