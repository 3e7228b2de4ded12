//! `meta`: one seed in two processes, line by line. Nothing else counts while this does not hold.

use super::CommandOutcome;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Runs one seed in two processes and compares all that happens, byte for byte
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Virtual minutes of trouble
    #[arg(long, default_value_t = 5)]
    minutes: u64,
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(seed: u64, minutes: u64) -> Result<Process, String> {
        let program = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
        let mut child = Command::new(program)
            .args(["run", "--everything", "--seed", &seed.to_string(), "--minutes", &minutes.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("a process does not start: {error}"))?;
        let output = child.stdout.take().ok_or("a process has no output")?;
        Ok(Process { child, lines: BufReader::new(output).lines() })
    }

    fn line(&mut self) -> Result<Option<String>, String> {
        self.lines.next().transpose().map_err(|error| format!("a process is not understood: {error}"))
    }
}

/// Both are stopped at the first difference, and never left behind.
impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn run(Arguments { seed, minutes }: Arguments) -> CommandOutcome {
    let mut one = Process::start(seed, minutes)?;
    let mut other = Process::start(seed, minutes)?;
    let (mut number, mut bytes, mut last) = (0_u64, 0, String::new());
    loop {
        number += 1;
        match (one.line()?, other.line()?) {
            (Some(line), Some(same)) if line == same => {
                bytes += line.len() + 1;
                last = line;
            }
            (None, None) => break,
            (one, other) => {
                let end = || String::from("(the end)");
                let (one, other) = (one.unwrap_or_else(end), other.unwrap_or_else(end));
                return Err(format!(
                    "seed {seed}: the processes differ at line {number}:\n  {one}\n  {other}"
                ));
            }
        }
    }
    let ended = one.child.wait().map_err(|error| format!("a process does not end: {error}"))?;
    if !ended.success() {
        return Err(format!("seed {seed}: both processes fail alike: {last}"));
    }
    println!("seed {seed}: two processes, {} lines, {bytes} bytes, no difference", number - 1);
    Ok(())
}
