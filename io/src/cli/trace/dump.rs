//! `edgehub trace dump`: a running hub writes what its flight recorder holds.

use super::super::{Arguments, Command, Failure};
use clap::{Args, Parser};
use edgehub::config::NodeConfig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the hub may take to write the file.
const WAIT: Duration = Duration::from_secs(10);

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// The process of `edgehub run`; its configuration must have edgehub.recorder.path
    #[arg(long, value_name = "PID")]
    pid: i32,
}

impl Dump {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let folder = folder_of(self.pid)?;
        let before = dumps(&folder);
        kill(Pid::from_raw(self.pid), Signal::SIGUSR1)
            .map_err(|error| format!("process {} cannot be asked: {}", self.pid, error.desc()))?;
        let asked = Instant::now();
        while asked.elapsed() < WAIT {
            if let Some(file) = dumps(&folder).difference(&before).next() {
                writeln!(stdout(), "{}", file.display())?;
                return Ok(ExitCode::SUCCESS);
            }
            sleep(LOOK_EVERY);
        }
        let (pid, folder) = (self.pid, folder.display());
        Err(format!(
            "process {pid} has written nothing to {folder} in {} s: its log says why",
            WAIT.as_secs()
        )
        .into())
    }
}

/// The folder that a running hub dumps to, found as the hub found it. Whatever is not a hub that listens must not get the
/// signal: it would end.
fn folder_of(pid: i32) -> Result<PathBuf, Failure> {
    let process = Path::new("/proc").join(pid.to_string());
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no process {pid}"),
        _ => format!("process {pid}: {error}"),
    };
    let line = fs::read(process.join("cmdline")).map_err(told)?;
    let line = String::from_utf8_lossy(&line);
    let arguments = Arguments::try_parse_from(line.split_terminator('\0'));
    let program = |exe: PathBuf| exe.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_ours =
        program(fs::read_link(process.join("exe")).map_err(told)?) == program(std::env::current_exe()?);
    let Some(Command::Run(run)) = arguments.ok().map(|arguments| arguments.command).filter(|_| is_ours)
    else {
        return Err(format!("process {pid} is not `edgehub run`").into());
    };
    let (config, _) = NodeConfig::load(&fs::read_link(process.join("cwd")).map_err(told)?.join(run.config))?;
    let Some(recorder) = config.hub.recorder else {
        return Err(format!(
            "process {pid} keeps no recording: set edgehub.recorder.path in its configuration"
        )
        .into());
    };
    if !catches(&fs::read_to_string(process.join("status")).map_err(told)?, Signal::SIGUSR1) {
        return Err(format!("process {pid} does not listen yet: try again").into());
    }
    Ok(fs::read_link(process.join("cwd")).map_err(told)?.join(recorder.path))
}

/// Whether a process with this status has a handler for a signal.
fn catches(status: &str, signal: Signal) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok()).unwrap_or(0);
    caught & (1 << (signal as i32 - 1)) != 0
}

/// The dumps that a signal asked for. Each has a name that none before it has.
fn dumps(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_dump = |file: &Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("signal-") && name.ends_with(".trace")
    };
    entries.map(|entry| entry.path()).filter(|file| is_dump(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_one_bit_of_the_status() {
        let with = |mask: &str| catches(&format!("Name:\tedgehub\nSigCgt:\t{mask}\n"), Signal::SIGUSR1);
        assert!(with("0000000000000200") && with("0000000180004a02"));
        assert!(!with("0000000000000000") && !with("0000000180004d02") && !with("what"));
        assert!(!catches("Name:\tedgehub\n", Signal::SIGUSR1));
    }
}
