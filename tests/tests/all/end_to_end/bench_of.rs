//! The test bench: a hub whose notes can be waited for, and a CloudHub.

use async_channel::Receiver;
use edgehub::config::Lane;
use edgehub::loopback::{Loopback, Ticket};
use edgehub::server::{CloudServer, ServerOptions};
use edgehub::{EdgeHub, Options};
use edgehub_core::hub::{Account, LinkEnd};
use edgehub_core::rng::Rng;
use edgehub_core::{Config, Content, Draft, Message, Note, UnixMillis};
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const NODE: &str = "edge-1";

/// A configuration that comes back quickly and holds nothing back.
pub(super) fn config() -> Config {
    Config {
        backoff_base: Duration::from_millis(1),
        backoff_max: Duration::from_millis(200),
        ping_interval: Duration::from_millis(100),
        rate: None,
        drain: None,
        ..Config::default()
    }
}

/// A running hub and what it tells.
pub(super) struct Edge {
    pub(super) hub: EdgeHub,
    notes: Receiver<Note>,
    driver: smol::Task<()>,
}

impl Edge {
    pub(super) fn start(ticket: &Ticket, config: Config) -> Edge {
        Edge::with(ticket.options(config).unwrap())
    }

    pub(super) fn with(mut options: Options) -> Edge {
        let (sender, notes) = async_channel::unbounded();
        options.observer = Some(Box::new(move |_, note| drop(sender.try_send(note.clone()))));
        let (hub, driver) = EdgeHub::new(options);
        Edge { hub, notes, driver: smol::spawn(driver.run()) }
    }

    /// Ends the hub, and waits until nothing of it runs any more; returns its books.
    pub(super) async fn stop(self) -> Account {
        let account = self.hub.shutdown().await.unwrap();
        self.driver.await;
        account
    }

    /// Waits for a note and returns what `wanted` makes of it.
    pub(super) async fn note<T>(&self, wanted: impl Fn(&Note) -> Option<T>) -> T {
        loop {
            let note = self.notes.recv().await.expect("the hub runs");
            if let Some(found) = wanted(&note) {
                return found;
            }
        }
    }

    pub(super) async fn link_up(&self) {
        self.note(|note| matches!(note, Note::LinkUp { .. }).then_some(())).await;
    }

    pub(super) async fn link_down(&self) -> LinkEnd {
        self.note(|note| match note {
            Note::LinkDown { end, .. } => Some(*end),
            _ => None,
        })
        .await
    }
}

/// Runs a CloudHub on an address; port 0 for any.
pub(super) async fn serve(loopback: &Loopback, address: SocketAddr, options: ServerOptions) -> CloudServer {
    let (server, driver) = loopback.serve_on(address, options).await.unwrap();
    smol::spawn(driver.run()).detach();
    server
}

/// Options for a CloudHub with every lane.
pub(super) fn server_options(loopback: &Loopback) -> ServerOptions {
    ServerOptions { quic: true, ..loopback.server_options().unwrap() }
}

/// How a hub goes to its cloud.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) lane: Lane,
    pub(super) compression: bool,
}

impl Way {
    /// Options for a hub that goes this way.
    pub(super) fn options(self, ticket: Ticket, config: Config) -> Options {
        let options = ticket.over(self.lane).options(config).unwrap();
        Options { compression: self.compression, ..options }
    }

    /// A hub that goes this way.
    pub(super) fn edge(self, ticket: Ticket, config: Config) -> Edge {
        Edge::with(self.options(ticket, config))
    }
}

/// A CloudHub on any port, and a hub that goes there.
pub(super) async fn pair_over(way: Way, config: Config) -> (Loopback, CloudServer, Edge) {
    let loopback = Loopback::new().unwrap();
    let server = serve(&loopback, any_port(), server_options(&loopback)).await;
    let edge = way.edge(loopback.ticket(server.address(), NODE).unwrap(), config);
    (loopback, server, edge)
}

pub(super) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A message as a cloud module makes it.
pub(super) fn from_cloud(id: u64, source: &str, group: &str, resource: &str) -> Message {
    let id = Rng::new(id).uuid();
    Draft {
        msg_id: id.as_str(),
        timestamp: UnixMillis(7),
        source,
        group,
        operation: "update",
        resource,
        content: Content::Text("content"),
        ..Draft::default()
    }
    .encode()
    .unwrap()
}
