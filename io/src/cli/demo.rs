//! `edgehub demo`: everything once, on loopback, before your eyes.

mod cloud;
mod node;
mod show;

use super::{Failure, LaneChoice};
use clap::Args;
use edgehub::core::cloud::CloudNote;
use edgehub::core::config::Rate;
use edgehub::core::trace::Contents;
use edgehub::core::{Config, Note};
use edgehub::edge::RecorderOptions;
use edgehub::loopback::Loopback;
use edgehub::server::ServerOptions;
use edgehub::{EdgeHub, Options};
use show::Show;
use smol::future::zip;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many messages of each kind: telemetry up, acknowledged down, unacknowledged down, requests
    #[arg(long, default_value_t = 40)]
    messages: u64,
    /// Milliseconds between two messages of a kind; 0 for as fast as it goes
    #[arg(long, default_value_t = 25)]
    pace: u64,
    /// The lane between edge and cloud
    #[arg(long, value_enum, default_value_t = LaneChoice::Websocket)]
    lane: LaneChoice,
    /// Record everything that the hub is told into this file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Keep contents in it, instead of their lengths and hashes
    #[arg(long, requires = "record")]
    record_contents: bool,
}

const NODE: &str = "edge-demo";

impl Demo {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let show = Arc::new(Show::start());
        let loopback = Loopback::new()?;
        let server_options = ServerOptions { quic: true, ..loopback.server_options()? };
        let (server, server_driver) = loopback.serve(counting_sessions(server_options, show.clone())).await?;
        show.line(
            "cloud",
            format_args!("CloudHub listens on {} with an authority made just now", server.address()),
        );
        let ticket = loopback.ticket(server.address(), NODE)?.over(self.lane.into());
        let mut options = with_observer(ticket.options(config())?, show.clone());
        if let Some(file) = &self.record {
            options.recorder = Some(RecorderOptions {
                contents: if self.record_contents { Contents::Kept } else { Contents::Redacted },
                ..RecorderOptions::new(NODE).into_file(file)
            });
        }
        let (hub, hub_driver) = EdgeHub::new(options);
        let pace = Duration::from_millis(self.pace);
        let play = async {
            let node = node::Node::join(&hub, show.clone()).await?;
            let work = async {
                node.connected().await;
                let up = node.stream_up(self.messages, pace);
                let down = cloud::stream_down(&server, NODE, self.messages, pace, &show);
                let requests = node.requests(self.messages, pace);
                let cut = cloud::cut_once(&server, &show, self.messages);
                let ((up, down), (requests, cut)) = zip(zip(up, down), zip(requests, cut)).await;
                up.and(down).and(requests).and(cut)?;
                hub.settled().await?;
                show.arrived_everything(self.messages).await;
                Ok::<_, Failure>(())
            };
            let served = zip(node.serve(), cloud::serve(&server, &show));
            let finished = async {
                let ended = work.await;
                let account = hub.shutdown().await;
                let cloud_account = server.account().await;
                server.shutdown().await?;
                ended?;
                Ok::<_, Failure>((account?, cloud_account?))
            };
            let (finished, (served, answered)) = zip(finished, served).await;
            served?;
            answered?;
            finished
        };
        let (played, ((), ())) = zip(play, zip(hub_driver.run(), server_driver.run())).await;
        let (account, cloud_account) = played?;
        let complete = show.summary(self.messages, &account, &cloud_account);
        Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Quick to come back, so that the demo stays short; else the defaults.
fn config() -> Config {
    Config {
        backoff_base: Duration::from_millis(300),
        backoff_max: Duration::from_secs(1),
        ping_interval: Duration::from_secs(1),
        rate: Some(Rate { per_second: 1000, burst: 100 }),
        drain: None,
        ..Config::default()
    }
}

fn with_observer(mut options: Options, show: Arc<Show>) -> Options {
    options.observer = Some(Box::new(move |_, note| match note {
        Note::LinkUp { epoch, backlog } => {
            show.line("link", format_args!("up (epoch {}), {backlog} messages were waiting", epoch.0));
        }
        Note::LinkDown { retry_in: Some(retry_in), unconfirmed, .. } => show.line(
            "link",
            format_args!("lost; {unconfirmed} unconfirmed messages go again; next attempt in {retry_in:.0?}"),
        ),
        Note::LinkDown { .. } => show.line("link", format_args!("closed")),
        Note::RoundTrip { rtt } => show.round_trip(*rtt),
        Note::Dropped { msg_id, reason, .. } => show.line("hub", format_args!("dropped {msg_id}: {reason}")),
        _ => {}
    }));
    options
}

fn counting_sessions(mut options: ServerOptions, show: Arc<Show>) -> ServerOptions {
    options.observer = Some(Box::new(move |note| {
        if let CloudNote::Connected { node, queued, .. } = note {
            show.sessions.fetch_add(1, Ordering::Relaxed);
            show.line("cloud", format_args!("session of {node} begins, {queued} messages wait for it"));
        }
    }));
    options
}
