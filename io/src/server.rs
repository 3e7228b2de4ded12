//! The embedded CloudHub: the core's cloud machine on real sockets.
//!
//! It serves edge nodes of this project and of KubeEdge alike: the demo, the tests, the benchmark and the `cloud`
//! command run it. What a cloud module would do with a message is up to whoever takes [`CloudServer::receive`].

mod busy;
mod certificates;
mod connection;
mod driver;

pub use certificates::{CertificateOptions, CertificateServer};
pub use driver::ServerDriver;

use crate::budget::{Allowance, Budget};
use crate::lane::{Datagrams, Listener};
use async_channel::{Receiver, Sender};
use busy::{Busy, BusyWatch};
use driver::{Arrival, Command, Order};
use edgehub_core::Message;
use edgehub_core::cloud::{CloudAccount, CloudConfig, CloudNote, Delivery};
use rustls::ServerConfig;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Messages from nodes that wait to be taken before reading stops.
const UPSTREAM: usize = 1024;

/// … and their bytes, above which the next one waits.
const UPSTREAM_BYTES: usize = 16 << 20;

/// Messages to nodes that wait for the driver before senders wait. All of them may be for one node that is busy already: the
/// machine must have room for them.
const ORDERS: usize = 256;

/// … and their bytes, above which the next one waits.
const ORDERS_BYTES: usize = 8 << 20;

/// Is told every note, in order, from inside the driver: it must be quick.
pub type Observer = Box<dyn FnMut(&CloudNote) + Send + Sync>;

/// What a server needs to run.
pub struct ServerOptions {
    /// The core's configuration.
    pub config: CloudConfig,
    /// Certificates; clients must present one of this authority.
    pub tls: Arc<ServerConfig>,
    /// Whether nodes may come over QUIC, too: on the UDP port of the same number.
    pub quic: bool,
    /// Whether messages on the QUIC lane may be compressed, for nodes that offer it.
    pub compression: bool,
    /// How long TLS and the upgrade may take together.
    pub handshake_timeout: Duration,
    /// Decides message ids.
    pub seed: u64,
    /// Is told what happens and why.
    pub observer: Option<Observer>,
}

impl ServerOptions {
    /// KubeEdge's defaults, a random seed and no observer.
    pub fn new(tls: Arc<ServerConfig>) -> ServerOptions {
        ServerOptions {
            config: CloudConfig::default(),
            tls,
            quic: false,
            compression: true,
            handshake_timeout: Duration::from_secs(30),
            seed: fastrand::u64(..),
            observer: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The server has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerStopped;

impl fmt::Display for ServerStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the CloudHub has stopped")
    }
}

impl std::error::Error for ServerStopped {}

/// A handle on a running CloudHub; clones share it.
#[derive(Debug, Clone)]
pub struct CloudServer {
    address: SocketAddr,
    orders: Sender<Order>,
    room: Allowance,
    busy: BusyWatch,
    commands: Sender<Command>,
    upstream: Receiver<Arrival>,
}

impl CloudServer {
    /// Listens on an address (port 0: one of the system's choosing). Nothing is accepted until the driver runs.
    pub async fn bind(
        address: SocketAddr,
        options: ServerOptions,
    ) -> std::io::Result<(CloudServer, ServerDriver)> {
        let silence = options.config.keepalive_timeout;
        let datagrams = options.quic.then_some(Datagrams {
            tls: &options.tls,
            silence,
            compression: options.compression,
        });
        let listener = Listener::bind(address, datagrams).await?;
        let address = listener.address()?;
        let (order_sender, orders) = async_channel::bounded(ORDERS);
        let (command_sender, commands) = async_channel::unbounded();
        let (upstream_sender, upstream) = async_channel::bounded(UPSTREAM);
        let (budget, busy) = (Budget::of(ORDERS_BYTES), Busy::default());
        let server = CloudServer {
            address,
            orders: order_sender,
            room: budget.allowance(),
            busy: busy.watch(),
            commands: command_sender,
            upstream,
        };
        let upstream = (upstream_sender, Budget::of(UPSTREAM_BYTES));
        Ok((server, ServerDriver::new(listener, options, (orders, budget, busy), commands, upstream)))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a message to a node. Waits while too many unacknowledged messages wait for that node.
    pub async fn send(&self, node: &str, message: Message, delivery: Delivery) -> Result<(), ServerStopped> {
        self.busy.until_idle(node).await;
        let _share = self.room.take(message.bytes()).await.ok_or(ServerStopped)?;
        let order = Order { node: node.into(), message, delivery, _share };
        self.orders.send(order).await.map_err(|_| ServerStopped)
    }

    /// The next message of any node, with the node's name; `None` once the server has stopped.
    pub async fn receive(&self) -> Option<(String, Message)> {
        self.upstream.recv().await.ok().map(|Arrival { node, message, .. }| (node, message))
    }

    /// Cuts every connection without a word, as a network failure does.
    pub async fn cut_all(&self) -> Result<(), ServerStopped> {
        self.command(Command::CutAll).await
    }

    /// Stops reading and answering every present connection without closing it, as a frozen process does.
    pub async fn freeze_all(&self) -> Result<(), ServerStopped> {
        self.command(Command::FreezeAll).await
    }

    /// The books, now.
    pub async fn account(&self) -> Result<CloudAccount, ServerStopped> {
        let (reply, answer) = async_channel::bounded(1);
        self.command(Command::Account(reply)).await?;
        answer.recv().await.map_err(|_| ServerStopped)
    }

    /// Closes every session and stops.
    pub async fn shutdown(&self) -> Result<(), ServerStopped> {
        self.command(Command::Shutdown).await
    }

    async fn command(&self, command: Command) -> Result<(), ServerStopped> {
        self.commands.send(command).await.map_err(|_| ServerStopped)
    }
}
