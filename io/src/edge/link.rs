//! One link of the edge hub, from dialling to its end: a task and its channels.

use super::outage::Outage;
use crate::bell::{self, Bell};
use crate::lane::{BATCHES, Dialer, Owner, Progress, Read, Way, Write};
use async_channel::{Receiver, Sender};
use edgehub_core::{LinkEpoch, LinkEvent};
use rustls::ClientConfig;
use smol::{Executor, Task};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{debug, info};

/// How long a closed link may take to end before it is cut.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A link as its driver holds it. Dropping it cuts the connection.
pub(super) struct Link {
    pub(super) epoch: LinkEpoch,
    pub(super) writes: Sender<Vec<Write>>,
    pub(super) reads: bell::Receiver<Vec<Read>>,
    /// Once it is open.
    progress: Arc<Mutex<Option<Progress>>>,
    task: Task<()>,
}

impl Link {
    /// Dials on the executor; what becomes of it is told through `events`.
    pub(super) fn open(
        executor: &Executor<'_>,
        bell: &Bell,
        epoch: LinkEpoch,
        dialer: Arc<Dialer>,
        (way, tls): (Way, Arc<ClientConfig>),
        (events, outage): (bell::Sender<(LinkEpoch, LinkEvent)>, Arc<Outage>),
    ) -> Link {
        let (writes, to_write) = async_channel::unbounded();
        let (read, reads) = bell.bounded(BATCHES);
        let progress = Arc::new(Mutex::new(None));
        let work = run(epoch, (dialer, outage), (way, tls), events, to_write, read, progress.clone());
        Link { epoch, writes, reads, progress, task: executor.spawn(work) }
    }

    /// Whether the peer's machine has taken something since this was asked last, and has more to take.
    pub(super) fn makes_progress(&self) -> bool {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.as_mut().is_some_and(Progress::is_made)
    }

    /// Lets the link say goodbye, and cuts it if that takes too long.
    pub(super) async fn close(self) {
        let Link { writes, task, .. } = self;
        drop(writes);
        let cut = async {
            smol::Timer::after(CLOSE_TIMEOUT).await;
        };
        smol::future::or(task, cut).await;
    }
}

async fn run(
    epoch: LinkEpoch,
    (dialer, outage): (Arc<Dialer>, Arc<Outage>),
    (way, tls): (Way, Arc<ClientConfig>),
    events: bell::Sender<(LinkEpoch, LinkEvent)>,
    writes: Receiver<Vec<Write>>,
    reads: bell::Sender<Vec<Read>>,
    progress: Arc<Mutex<Option<Progress>>>,
) {
    debug!(epoch = epoch.0, url = way.url(), "dialling");
    // The driver's channel is unbounded; when the driver is gone, so is the need to tell it.
    let tell = |event| drop(events.try_send((epoch, event)));
    match dialer.open(&way, tls).await {
        Err(error) => {
            outage.goes_on(&error.to_string(), Some(way.url()));
            tell(LinkEvent::OpenFailed);
        }
        Ok(link) => {
            outage.is_over();
            info!(url = way.url(), epoch = epoch.0, "connected");
            *progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.progress());
            tell(LinkEvent::Opened);
            link.run(writes, Ends { epoch, events, reads }).await;
        }
    }
}

/// Where a link's news go.
struct Ends {
    epoch: LinkEpoch,
    events: bell::Sender<(LinkEpoch, LinkEvent)>,
    reads: bell::Sender<Vec<Read>>,
}

impl Owner for Ends {
    async fn read(&self, batch: Vec<Read>) -> bool {
        self.reads.send(batch).await.is_ok()
    }

    fn flushed(&self, messages: usize, bytes: usize) {
        // When the driver is gone, so is the need to tell it.
        let _ = self.events.try_send((self.epoch, LinkEvent::Flushed { messages, bytes }));
    }
}
