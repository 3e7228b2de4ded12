//! What the log says of a hub's notes: what goes on for long is said once.

use super::super::outage::Outage;
use edgehub_core::Note;
use edgehub_core::hub::LinkEnd;
use std::sync::Arc;
use tracing::{debug, info, trace, warn};

/// What was said already.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) outage: Arc<Outage>,
    /// Frames that were refused on the present link.
    refused: u64,
}

impl Log {
    /// Per message: trace. Per transition: debug. Link up or down: info.
    pub(super) fn note(&mut self, note: &Note) {
        match note {
            Note::LinkUp { epoch, backlog } => info!(epoch = epoch.0, backlog, "link up"),
            Note::LinkDown { epoch, end: LinkEnd::OpenFailed, retry_in, .. } => {
                debug!(epoch = epoch.0, ?retry_in, "link not opened");
            }
            Note::LinkDown { epoch, end: LinkEnd::OpenTimeout, retry_in, .. } => {
                debug!(epoch = epoch.0, ?retry_in, "link not opened in time");
                self.outage.goes_on("it does not answer in time", None);
            }
            Note::LinkDown { epoch, end, retry_in, unconfirmed } => {
                if self.refused > 1 {
                    warn!(epoch = epoch.0, frames = self.refused, "so many frames were refused on this link");
                }
                self.refused = 0;
                let retry_in = retry_in.map(tracing::field::debug);
                info!(epoch = epoch.0, %end, retry_in, unconfirmed, "link down");
            }
            Note::BetterLane { epoch } => {
                info!(epoch = epoch.0, "QUIC gets through again; the link moves there");
            }
            Note::Suspected { epoch, cause } => warn!(epoch = epoch.0, "{cause}"),
            Note::Violation { epoch, violation } => {
                self.refused += 1;
                match self.refused {
                    1 => warn!(epoch = epoch.0, %violation, "frame refused; more of this link are counted"),
                    _ => debug!(epoch = epoch.0, %violation, "frame refused"),
                }
            }
            Note::Dropped { direction, msg_id, reason } => {
                debug!(?direction, msg_id, %reason, "message dropped");
            }
            Note::ModuleStalled { module } => {
                warn!(module = module.0, "module takes nothing; its messages are dropped");
            }
            Note::ModuleRecovered { module } => info!(module = module.0, "module takes messages again"),
            Note::JournalHealth { health } => debug!(?health, "journal"),
            Note::NotStored { msg_id } => warn!(msg_id, "the journal did not take a message"),
            Note::LetterLost { reason } => warn!(%reason, "a dropped message is not kept as a dead letter"),
            Note::EntryLost { number } => warn!(%number, "the journal cannot read a message any more"),
            Note::SyncEnded { msg_id, outcome } => trace!(msg_id, ?outcome, "request ended"),
            other => trace!(?other, "note"),
        }
    }
}
