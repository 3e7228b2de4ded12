//! The edge hub in a program: a handle, its modules, and the driver that does the work.

mod command;
mod credit;
mod driver;
mod journal;
mod letters;
mod link;
mod module;
mod options;
mod outage;
mod receipt;
mod recorder;
mod rejection;
mod trial;

pub use driver::Driver;
pub use module::{ComposeError, JoinError, Module, RequestError, Stopped};
pub use options::{Observer, Options, OptionsError, proxied_targets};
pub use receipt::Receipt;
pub use recorder::{AskedBy, Capture, Memory, RecorderOptions};
pub use rejection::Rejection;
pub use trial::{TrialError, try_session};

use crate::bell;
use async_channel::Sender;
use command::{Control, Senders};
use edgehub_core::hub::{Account, HubHealth};
use rustls::ClientConfig;
use std::sync::Arc;

/// A handle on a running edge hub; clones share it.
#[derive(Debug, Clone)]
pub struct EdgeHub {
    control: bell::Sender<Control>,
    senders: Senders,
}

impl EdgeHub {
    /// A hub and the driver that runs it. Nothing happens until [`Driver::run`] is polled.
    pub fn new(options: Options) -> (EdgeHub, Driver) {
        Driver::new(options)
    }

    /// Joins a module. Messages for it wait in a bounded queue until [`Module::receive`] takes them.
    pub async fn join(&self, name: &str, groups: &[&str]) -> Result<Module, JoinError> {
        Module::join(self, name, groups).await
    }

    /// Waits until everything accepted so far is confirmed by the cloud or dropped with a reason.
    pub async fn settled(&self) -> Result<Account, Stopped> {
        self.ask(Control::WhenSettled).await
    }

    /// The books, now.
    pub async fn account(&self) -> Result<Account, Stopped> {
        self.ask(Control::Account).await
    }

    /// How it is, now: whether there is a link, what is probably wrong, and what to do about it.
    pub async fn health(&self) -> Result<HubHealth, Stopped> {
        self.ask(Control::Health).await
    }

    /// Ends in good order: what is queued leaves first, within the configured grace. Returns the closed books.
    pub async fn shutdown(&self) -> Result<Account, Stopped> {
        self.ask(Control::Shutdown).await
    }

    /// Opens links with other certificates from now on. The present link ends when everything that was written to it is
    /// confirmed, or after [`RENEWAL_GRACE`](edgehub_core::limits::RENEWAL_GRACE), and is opened again at once: nothing is
    /// lost, and nothing is sent twice but what a stalled cloud has not confirmed.
    pub async fn renew(&self, tls: Arc<ClientConfig>) -> Result<(), Stopped> {
        self.control.send(Control::Renew(tls)).await.map_err(|_| Stopped)
    }

    /// Has the flight recorder write what it holds to its folder, if there is one. The file says who asked.
    pub async fn dump_recording(&self, asked_by: AskedBy) -> Result<(), Stopped> {
        self.control.send(Control::Dump(asked_by)).await.map_err(|_| Stopped)
    }

    async fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Control) -> Result<T, Stopped> {
        let (sender, answer) = async_channel::bounded(1);
        self.control.send(question(sender)).await.map_err(|_| Stopped)?;
        answer.recv().await.map_err(|_| Stopped)
    }
}
