//! Mode spool: what a long time without a cloud costs in memory, and whether everything leaves in its order afterwards.

use super::peer::Peer;
use super::tally::payload;
use super::{Bench, Mode, Report};
use crate::cli::{Failure, process};
use edgehub::core::Config;
use edgehub::core::class::Classes;
use edgehub::core::hub::Stage;
use edgehub::journal::{self, Opened, Settings};
use edgehub::websocket::Target;
use edgehub::{EdgeHub, Module};
use smol::future::zip;
use smol::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A directory that goes with its owner, if it was made for him.
struct Directory {
    path: PathBuf,
    made: bool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.made {
            // What is left behind in a temporary directory harms nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Bench {
    pub(super) async fn spool(&self) -> Result<ExitCode, Failure> {
        let mut peer = Peer::start(&self.place).await?;
        let directory = self.directory();
        let bytes = self.messages.saturating_mul(self.size as u64 + 1024);
        let settings = Settings { total_bytes: bytes.saturating_mul(2).max(64 << 20), ..Settings::default() };
        let opened =
            Opened::open(&directory.path, "bench", journal::Options { settings, ..Default::default() })?;
        let mut options = peer.ticket.options(self.spooling(usize::try_from(bytes)?))?;
        options.journal = Some(opened);
        // The first attempt goes to somebody who never says a word.
        let silent = TcpListener::bind("127.0.0.1:0").await?;
        let cloud = options.targets.first().cloned().ok_or("no cloud to go to")?;
        let nobody = Target { url: format!("wss://{}", silent.local_addr()?), ..cloud.clone() };
        options.targets = vec![nobody, cloud];
        let (hub, driver) = EdgeHub::new(options);
        let work = async {
            let done = self.pile_up_and_drain(&hub, &mut peer, silent).await;
            // Whatever happened, the driver must end too.
            let _ = hub.shutdown().await;
            done
        };
        zip(work, driver.run()).await.0?.print()
    }

    fn directory(&self) -> Directory {
        match &self.journal {
            Some(path) => Directory { path: path.clone(), made: false },
            None => {
                let name = format!("edgehub-bench-{}", std::process::id());
                Directory { path: std::env::temp_dir().join(name), made: true }
            }
        }
    }

    fn spooling(&self, bytes: usize) -> Config {
        let mut classes = Classes::default();
        classes.classes.iter_mut().for_each(|class| class.persistent = true);
        Config {
            classes,
            outbox_messages: usize::try_from(self.messages).unwrap_or(usize::MAX),
            outbox_bytes: bytes,
            // Nothing gives up waiting for the silent one.
            open_timeout: Duration::from_secs(86_400),
            ..self.config()
        }
    }

    async fn pile_up_and_drain(
        &self,
        hub: &EdgeHub,
        peer: &mut Peer,
        silent: TcpListener,
    ) -> Result<Report, Failure> {
        let module = hub.join("eventbus", &["bus"]).await?;
        let (dialled, _) = silent.accept().await?;
        let idle_rss_kib = process::rss_kib();
        let (cpu, start) = (process::cpu_s(), process::monotonic_ns());
        self.pile_up(&module).await?;
        let spooled_rss_kib = process::rss_kib();
        let_go(dialled, silent);
        hub.settled().await?;
        let elapsed_s = (process::monotonic_ns() - start) as f64 / 1e9;
        let cpu_s = process::cpu_s() - cpu;
        let seen = peer.report().await?;
        Ok(Report {
            mode: Mode::Spool,
            lane: self.lane,
            messages: self.messages,
            size: self.size,
            elapsed_s,
            messages_per_s: self.messages as f64 / elapsed_s,
            latency_us: Some(seen.latency_us),
            ping_round_trip_us: None,
            cpu_s,
            cpu_us_per_message: cpu_s * 1e6 / self.messages.max(1) as f64,
            peak_rss_kib: process::peak_rss_kib(),
            idle_rss_kib,
            spooled_rss_kib: Some(spooled_rss_kib),
            lost: self.messages.saturating_sub(seen.received),
            duplicates: Some(seen.duplicates),
            out_of_order: Some(seen.out_of_order),
            mixed: None,
        })
    }

    /// Sends everything; done when the last is stored, and so all of them.
    async fn pile_up(&self, module: &Module) -> Result<(), Failure> {
        let mut content = String::new();
        for number in 0..self.messages {
            payload(&mut content, number, process::monotonic_ns(), self.size);
            let message = module.compose_text("resource", "update", "default/podstatus/bench", &content)?;
            if number + 1 < self.messages {
                module.send(message).await?;
                continue;
            }
            let mut receipt = module.send_tracked(message).await?;
            match receipt.next().await? {
                Stage::Stored => {}
                other => return Err(format!("the last message was not stored, but {other:?}").into()),
            }
        }
        Ok(())
    }
}

/// The silent one hangs up, and is not there any more.
fn let_go(dialled: TcpStream, silent: TcpListener) {
    drop((dialled, silent));
}
