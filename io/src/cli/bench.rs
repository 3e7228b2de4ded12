//! `edgehub bench`: what the edge process costs per message.
//!
//! The CloudHub runs in a process of its own, so that the CPU time and memory of this process are the edge's. Every
//! message carries its number and the time it was made; whoever receives it tells what is missing, doubled or late.

pub(super) mod cloud;
mod mixed;
mod peer;
mod report;
mod spool;
mod tally;

use super::histogram::Histogram;
use super::{Failure, LaneChoice, process};
use clap::{Args, ValueEnum};
use edgehub::config::RecorderConfig;
use edgehub::core::class::Delivery;
use edgehub::core::{Config, Note};
use edgehub::edge::{Capture, Memory, RecorderOptions};
use edgehub::loopback::PROJECT;
use edgehub::tls::{self, ClientFiles};
use edgehub::websocket::Target;
use edgehub::{EdgeHub, Module, Options};
use mixed::{Mix, Mixed};
use peer::{Peer, Place};
use report::{Latency, Report, Seen, latency};
use serde::Serialize;
use smol::future::zip;
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tally::{Tally, payload};

/// How often the cloud is asked what it has seen, until it has seen everything.
const REPORTS_MAX: usize = 100;

const OWN_CLOUD: &str = "this mode needs our own CloudHub: leave --server out";

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(long, value_enum, default_value_t = Mode::Up)]
    mode: Mode,
    /// The lane between edge and cloud
    #[arg(long, value_enum, default_value_t = LaneChoice::Websocket)]
    lane: LaneChoice,
    /// How many messages (not for mode mixed, which ends by --seconds)
    #[arg(long, default_value_t = 100_000)]
    messages: u64,
    /// Bytes of content in each
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Where the journal of mode spool goes; a directory for the time being, unless given
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Record into this file meanwhile, as `run --record` does
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Record into memory meanwhile, as `run` does unless it is told not to; what is dumped goes to the directory for the time being
    #[arg(long)]
    record_memory: bool,
    /// Send each message once and forget it: what it costs to keep messages until they are confirmed is the difference
    #[arg(long)]
    at_most_once: bool,
    /// Ping no more often than it takes to know what the link carries: what the other pings cost is the difference
    #[arg(long)]
    few_pings: bool,
    #[command(flatten)]
    mix: Mix,
    #[command(flatten)]
    place: Place,
    /// A CloudHub that runs already (modes up and sync), instead of our own in a second process
    #[arg(long, value_name = "URL", requires_all = ["ca", "cert", "key"])]
    server: Option<String>,
    /// The authority's certificate, for --server
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The node's certificate, for --server
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The node's key, for --server
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The node's name, for --server
    #[arg(long, default_value = "edge-1")]
    node: String,
    /// The node's project, for --server
    #[arg(long, default_value = PROJECT)]
    project: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// A module sends as fast as it may; done when the cloud has confirmed everything
    Up,
    /// The cloud sends as fast as it may, unacknowledged
    Down,
    /// One request after the other
    Sync,
    /// Messages of a stored class pile up while there is no cloud, and leave once there is one; watch the memory
    Spool,
    /// User data flows up for --seconds; meanwhile the cloud asks and the node answers at once (control), and the node asks the
    /// cloud (sync), each --pace times a second
    Mixed,
}

/// One measured stretch.
struct Measured {
    elapsed_s: f64,
    cpu_s: f64,
    messages: u64,
    seen: Seen,
    mixed: Option<Mixed>,
}

impl Bench {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        if self.mode == Mode::Spool {
            if self.lane != LaneChoice::Websocket {
                return Err("mode spool is measured over a WebSocket: leave --lane out".into());
            }
            return self.spool().await;
        }
        if self.mode != Mode::Mixed && self.mix.is_asked_for() {
            return Err("--rate and --meanwhile are for --mode mixed".into());
        }
        let mut peer = if self.server.is_none() { Some(Peer::start(&self.place).await?) } else { None };
        let mut options = match &peer {
            Some(peer) => peer.ticket.clone().over(self.lane.into()).options(self.config())?,
            None => self.foreign_options()?,
        };
        options.recorder = self.recorder();
        let round_trips = Arc::new(Mutex::new(Histogram::new()));
        let observed = round_trips.clone();
        options.observer = Some(Box::new(move |_, note| {
            if let Note::RoundTrip { rtt } = note {
                let ns = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX);
                observed.lock().unwrap_or_else(PoisonError::into_inner).add(ns);
            }
        }));
        let (hub, driver) = EdgeHub::new(options);
        let work = async {
            let done = self.measure(&hub, peer.as_mut()).await;
            // Whatever happened, the driver must end too.
            let stopped = hub.shutdown().await;
            Ok::<_, Failure>((done?, stopped?))
        };
        let (done, ()) = zip(work, driver.run()).await;
        let ((measured, idle_rss_kib), account) = done?;
        let mut seen = measured.seen;
        let is_untold = peer.is_none() && self.mode == Mode::Up;
        if is_untold {
            // A foreign CloudHub does not tell what it saw: confirmed is what its pongs say.
            seen = Seen { received: self.messages.saturating_sub(account.up.dropped()), ..seen };
        }
        let pings = || latency(&round_trips.lock().unwrap_or_else(PoisonError::into_inner));
        let is_counted = !is_untold && self.mode != Mode::Sync;
        let report = Report {
            mode: self.mode,
            lane: self.lane,
            messages: measured.messages,
            size: self.size,
            elapsed_s: measured.elapsed_s,
            messages_per_s: measured.messages as f64 / measured.elapsed_s,
            latency_us: (!is_untold).then_some(seen.latency_us),
            ping_round_trip_us: is_untold.then(pings),
            cpu_s: measured.cpu_s,
            cpu_us_per_message: measured.cpu_s * 1e6 / measured.messages.max(1) as f64,
            peak_rss_kib: process::peak_rss_kib(),
            idle_rss_kib,
            spooled_rss_kib: None,
            lost: measured.messages.saturating_sub(seen.received),
            duplicates: is_counted.then_some(seen.duplicates),
            out_of_order: is_counted.then_some(seen.out_of_order),
            mixed: measured.mixed,
        };
        report.print()
    }

    /// What records: into a file, into memory with the sizes of `run`, both, or nothing.
    fn recorder(&self) -> Option<RecorderOptions> {
        let usual = RecorderConfig::default();
        let memory = self.record_memory.then(|| Memory { bytes: usual.memory, folder: env::temp_dir() });
        let file = self.record.as_ref().map(|path| Capture { path: path.clone(), keep: 0, rotate_at: None });
        (memory.is_some() || file.is_some()).then(|| RecorderOptions {
            file,
            memory,
            ..RecorderOptions::new(&self.node)
        })
    }

    /// The hub's defaults, without the rate limit and the pace.
    fn config(&self) -> Config {
        let mut config = Config { rate: None, drain: None, ..Config::default() };
        if self.few_pings {
            config.barrier_messages = u32::MAX;
        }
        if self.at_most_once {
            config.classes.classes.iter_mut().for_each(|class| class.delivery = Delivery::AtMostOnce);
        }
        config
    }

    fn foreign_options(&self) -> Result<Options, Failure> {
        let (Some(url), Some(ca), Some(certificate), Some(key)) =
            (self.server.as_ref(), self.ca.clone(), self.cert.clone(), self.key.clone())
        else {
            return Err("--server needs --ca, --cert and --key".into());
        };
        if matches!(self.mode, Mode::Down | Mode::Mixed) {
            return Err(OWN_CLOUD.into());
        }
        let tls = tls::client_config(&ClientFiles { ca, certificate, key })?;
        Ok(Options::new(self.config(), vec![Target::new(url, &self.project, &self.node)], tls))
    }

    async fn measure(&self, hub: &EdgeHub, mut peer: Option<&mut Peer>) -> Result<(Measured, i64), Failure> {
        // Under this name, messages of source router_eventbus arrive here.
        let module = hub.join("eventbus", &["bus"]).await?;
        let greeting = module.receive().await.ok_or("the hub stopped before it was connected")?;
        drop(greeting);
        hub.settled().await?;
        let idle_rss_kib = process::rss_kib();
        let (cpu, start) = (process::cpu_s(), process::monotonic_ns());
        let (mut messages, mut mixed) = (self.messages, None);
        let mut seen = match (self.mode, peer.as_mut()) {
            (Mode::Mixed, Some(peer)) => {
                let (sent, seen, rest) = self.mixed(hub, &module, peer).await?;
                (messages, mixed) = (sent, Some(rest));
                seen
            }
            (Mode::Up, _) => self.up(hub, &module).await?,
            (Mode::Sync, _) => self.sync(&module).await?,
            (Mode::Down, Some(peer)) => self.down(&module, peer).await?,
            (Mode::Spool, _) => return Err("mode spool is measured in another way".into()),
            (Mode::Down | Mode::Mixed, None) => return Err(OWN_CLOUD.into()),
        };
        let elapsed_s = (process::monotonic_ns() - start) as f64 / 1e9;
        let cpu_s = process::cpu_s() - cpu;
        if let (Mode::Up, Some(peer)) = (self.mode, peer) {
            seen = peer.report_of(self.messages).await?;
        }
        Ok((Measured { elapsed_s, cpu_s, messages, seen, mixed }, idle_rss_kib))
    }

    async fn up(&self, hub: &EdgeHub, module: &Module) -> Result<Seen, Failure> {
        let mut content = String::new();
        for number in 0..self.messages {
            payload(&mut content, number, process::monotonic_ns(), self.size);
            module
                .send(module.compose_text("resource", "update", "default/podstatus/bench", &content)?)
                .await?;
        }
        if self.at_most_once {
            // The cloud answers in order, so it has everything that went before.
            let last = module.compose_text("resource", "query", "default/configmap/bench", "")?;
            module.request(&last, None).await.map_err(|error| error.to_string())?;
        }
        hub.settled().await?;
        Ok(Seen::default())
    }

    async fn down(&self, module: &Module, peer: &mut Peer) -> Result<Seen, Failure> {
        peer.send_down(self.messages, self.size).await?;
        let mut tally = Tally::new();
        while tally.received() < self.messages {
            let Some(message) = module.receive().await else { break };
            if tally.add(message.content(), process::monotonic_ns()) && tally.is_last() {
                break;
            }
        }
        Ok(tally.seen())
    }

    async fn sync(&self, module: &Module) -> Result<Seen, Failure> {
        let mut times = Histogram::new();
        let mut received = 0;
        let mut content = String::new();
        for number in 0..self.messages {
            let start = process::monotonic_ns();
            payload(&mut content, number, start, self.size);
            let request = module.compose_text("resource", "query", "default/configmap/bench", &content)?;
            if module.request(&request, None).await.is_ok() {
                received += 1;
                times.add(process::monotonic_ns() - start);
            }
        }
        Ok(Seen { received, latency_us: latency(&times), ..Seen::default() })
    }
}
