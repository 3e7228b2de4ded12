//! The command line: one file per command.

mod bench;
mod check;
mod cloud;
mod dead_letters;
mod demo;
mod explain;
mod histogram;
mod identity;
mod join;
mod lane;
pub(crate) mod logging;
mod process;
mod replay;
mod run;
mod send;
mod token;
mod trace;
mod watch;

use clap::{Parser, Subcommand};
use lane::LaneChoice;
use std::io::Write;
use std::process::ExitCode;

/// Where KubeEdge has a node's configuration.
const DEFAULT_CONFIGURATION: &str = "/etc/kubeedge/config/edgecore.yaml";

/// What went wrong, in words for a person; the process ends with code 2.
type Failure = Box<dyn std::error::Error>;

/// Prints a line on standard output. It fails where nobody reads on, as behind `| head`.
fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// Whether a command ended because nobody read on: that is no failure.
pub(crate) fn is_unread(failure: &Failure) -> bool {
    let error = failure.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

const AFTER_HELP: &str = "\
Examples:
  edgehub demo                          # everything on loopback
  edgehub check --config edgecore.yaml  # can this node reach its cloud, and if not, why
  edgehub run --config edgecore.yaml    # the node's hub
  edgehub cloud --issue edge-1          # a CloudHub to try it against";

/// The cloud link of a KubeEdge edge node.
///
/// Try `edgehub demo` first: it starts a CloudHub and an edge hub on loopback with throwaway certificates, streams
/// messages both ways, cuts the link once, and accounts for every message.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) logging: logging::Logging,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show everything on loopback: own CloudHub, own certificates, messages both ways, one link cut
    Demo(demo::Demo),
    /// Run a node's edge hub with KubeEdge's own edgecore.yaml
    Run(run::Run),
    /// Look whether this node can reach its cloud: files, names, clock, proxy, connection, TLS, session
    Check(check::Check),
    /// Give this node its identity: fetch and check the authority, get a certificate, write a configuration
    Join(join::Join),
    /// Run the embedded CloudHub with its own authority, made on first start
    Cloud(cloud::Cloud),
    /// Send one message to the cloud as a module of a node, and wait until the cloud has it
    Send(send::Send),
    /// Print the messages that a node's modules receive
    Watch(watch::Watch),
    /// What was dropped, with the reason: list, show, send again
    DeadLetters(dead_letters::DeadLetters),
    /// Measure throughput, latency, CPU and memory of the edge process; prints one JSON line
    Bench(bench::Bench),
    /// Run the hub again on what was recorded, and compare what it does
    Replay(replay::Replay),
    /// Say in plain words what became of a message, from a trace
    Explain(explain::Explain),
    /// List, summarise, cut, compare and convert traces
    #[command(subcommand)]
    Trace(trace::Trace),
    /// The CloudHub process of `bench`
    #[command(hide = true)]
    BenchCloud(bench::cloud::BenchCloud),
}

impl Command {
    /// What is logged unless the operator says otherwise: commands that show things themselves log less.
    pub(crate) fn default_log(&self) -> &'static str {
        match self {
            // What keeps it from joining is its outcome, and told as such.
            Command::Join(_) => "error,edgehub::identity=off",
            Command::Demo(_)
            | Command::Check(_)
            | Command::DeadLetters(_)
            | Command::Bench(_)
            | Command::BenchCloud(_) => "warn",
            _ => "info",
        }
    }

    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Command::Demo(demo) => wait(demo, demo::Demo::run),
            Command::Run(run) => wait(run, run::Run::run),
            Command::Check(check) => wait(check, check::Check::run),
            Command::Join(join) => wait(join, join::Join::run),
            Command::Cloud(cloud) => wait(cloud, cloud::Cloud::run),
            Command::Send(send) => wait(send, send::Send::run),
            Command::Watch(watch) => wait(watch, watch::Watch::run),
            Command::DeadLetters(dead_letters) => wait(dead_letters, dead_letters::DeadLetters::run),
            Command::Bench(bench) => wait(bench, bench::Bench::run),
            Command::Replay(replay) => replay.run(),
            Command::Explain(explain) => explain.run(),
            Command::Trace(trace) => trace.run(),
            Command::BenchCloud(arguments) => wait(arguments, bench::cloud::run),
        }
    }
}

/// Runs a command to its end. Not inlined: one frame with room for what each of them holds while it waits would be some 200 KiB,
/// which stay in the memory of whichever runs.
#[inline(never)]
fn wait<C, F: Future<Output = Result<ExitCode, Failure>>>(
    command: C,
    run: impl FnOnce(C) -> F,
) -> Result<ExitCode, Failure> {
    smol::block_on(run(command))
}
