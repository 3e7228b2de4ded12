//! A message with who is to be told of it, in the outbox and when it has left.

use super::super::input::{ModuleId, ReceiptId};
use super::super::sync_keeper::WaitId;
use super::super::{Output, Stage};
use super::keep::Asker;
use super::spool::Spooled;
use crate::journal::EntryNumber;
use crate::message::Message;
use alloc::borrow::Cow;
use serde::{Deserialize, Serialize};

/// A module's message, and who is to be told of its end.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::hub) struct Entry {
    pub(in crate::hub) message: Message,
    /// Its sender; `None` for what was restored from the journal.
    pub(in crate::hub) module: Option<ModuleId>,
    /// Under which number the module wants to be told of its end.
    pub(in crate::hub) receipt: Option<ReceiptId>,
    /// The wait that hangs on it, if it is a sync request.
    pub(in crate::hub) wait: Option<WaitId>,
}

impl Entry {
    /// What its sender is to be told, if it asked for it.
    pub(in crate::hub) fn receipt_of(&self, stage: Stage) -> Option<Output> {
        let (module, receipt) = self.module.zip(self.receipt)?;
        let msg_id = self.message.msg_id().into();
        Some(Output::Receipt { module, receipt: Some(receipt), msg_id, stage })
    }

    /// Who asked to be told of it.
    pub(super) fn asker(&self) -> Option<Asker> {
        Some((self.module?, self.receipt?, self.message.msg_id().into()))
    }
}

/// A message that has left the outbox.
#[derive(Debug)]
pub(in crate::hub) struct Taken {
    /// The place of its class.
    pub(in crate::hub) class: u8,
    /// Its number in the journal, if that has it, or is about to.
    pub(in crate::hub) kept: Option<EntryNumber>,
    pub(in crate::hub) body: Body,
}

/// What there is of a message that has left.
#[derive(Debug)]
pub(in crate::hub) enum Body {
    /// It was in memory.
    Here(Entry),
    /// It was left to the journal.
    Away(Spooled),
}

impl Taken {
    pub(in crate::hub) fn msg_id(&self) -> Cow<'_, str> {
        match &self.body {
            Body::Here(entry) => Cow::Borrowed(entry.message.msg_id()),
            Body::Away(spooled) => spooled.msg_id(),
        }
    }

    /// Who is to be told of its end, and under which number.
    pub(in crate::hub) fn asker(&self) -> Option<(ModuleId, ReceiptId)> {
        match &self.body {
            Body::Here(entry) => entry.module.zip(entry.receipt),
            Body::Away(spooled) => spooled.asker(),
        }
    }

    pub(in crate::hub) fn wait(&self) -> Option<WaitId> {
        match &self.body {
            Body::Here(entry) => entry.wait,
            Body::Away(_) => None,
        }
    }
}
