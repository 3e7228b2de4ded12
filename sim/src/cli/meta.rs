//! `meta`: seeds in two processes each, line by line. Nothing else counts while this does not hold.

use super::{CommandOutcome, again, progress::bar};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Runs each seed in two processes and compares all that happens, byte for byte; stops at the first difference
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
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

/// What two processes had to say of one seed.
#[derive(Debug, Default)]
struct Said {
    lines: u64,
    bytes: u64,
}

/// Reads both to the end, or to the first difference.
fn compare(
    mut one: impl FnMut() -> Result<Option<String>, String>,
    mut other: impl FnMut() -> Result<Option<String>, String>,
) -> Result<Said, String> {
    let mut said = Said::default();
    loop {
        match (one()?, other()?) {
            (Some(line), Some(same)) if line == same => {
                said.lines += 1;
                said.bytes += line.len() as u64 + 1;
            }
            (None, None) => return Ok(said),
            (one, other) => {
                let end = || String::from("(the end)");
                let (one, other) = (one.unwrap_or_else(end), other.unwrap_or_else(end));
                return Err(format!("the processes differ at line {}:\n  {one}\n  {other}", said.lines + 1));
            }
        }
    }
}

fn seed_alike(seed: u64, minutes: u64) -> Result<Said, String> {
    let mut one = Process::start(seed, minutes)?;
    let mut other = Process::start(seed, minutes)?;
    let said = compare(|| one.line(), || other.line());
    let said = said.map_err(|why| again(&why, &format!("meta --seed {seed} --minutes {minutes}")))?;
    let ended = one.child.wait().map_err(|error| format!("a process does not end: {error}"))?;
    match ended.success() {
        true => Ok(said),
        // What does not hold is told by one of them.
        false => Err(again("both processes fail alike", &format!("run --seed {seed} --minutes {minutes}"))),
    }
}

pub(super) fn run(Arguments { seed, seeds, minutes }: Arguments) -> CommandOutcome {
    let mut sum = Said::default();
    let bar = bar(seeds);
    for seed in seed..seed.saturating_add(seeds) {
        let said = seed_alike(seed, minutes).map_err(|why| format!("seed {seed}: {why}"))?;
        sum.lines += said.lines;
        sum.bytes += said.bytes;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let Said { lines, bytes } = sum;
    println!("{seeds} seeds from {seed}: two processes each, {lines} lines, {bytes} bytes, no difference");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &[&str], other: &[&str]) -> Result<u64, String> {
        let lines = |text: &[&str]| {
            let mut lines = text.iter().map(ToString::to_string).collect::<Vec<_>>().into_iter();
            move || Ok(lines.next())
        };
        compare(lines(one), lines(other)).map(|said| said.lines)
    }

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(check(&["a", "b"], &["a", "b"]), Ok(2));
        let differ = check(&["a", "b", "c"], &["a", "x", "c"]).unwrap_err();
        assert_eq!(differ, "the processes differ at line 2:\n  b\n  x");
        let shorter = check(&["a"], &["a", "b"]).unwrap_err();
        assert_eq!(shorter, "the processes differ at line 2:\n  (the end)\n  b");
    }

    /// Both processes are this test's own program, which knows nothing of seeds and fails.
    #[test]
    fn a_seed_that_fails_twice_is_told_with_its_command() {
        let told = seed_alike(7, 3).unwrap_err();
        assert!(
            told.ends_with("reproduce: cargo run --release -p edgehub-sim -- run --seed 7 --minutes 3"),
            "{told}"
        );
    }
}
