//! Where nodes arrive.

use super::{Form, Opened};
use crate::websocket::{AcceptError, MESSAGE_BYTES_MAX, accept};
use rustls::ServerConfig;
use smol::net::{Shutdown, TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Listens on every lane that the server has.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
}

/// A connection before its handshake.
#[derive(Debug)]
pub(crate) enum Incoming {
    Tcp(TcpStream),
}

/// An open link, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) link: Opened,
    pub(crate) node: String,
    pub(crate) project: String,
    pub(crate) peer: SocketAddr,
}

/// Cuts a connection.
#[derive(Debug)]
pub(crate) enum Cut {
    Tcp(TcpStream),
}

impl Listener {
    /// Listens on an address; port 0 for one of the system's choosing.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Listener> {
        Ok(Listener { tcp: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The next connection, and who it is from.
    pub(crate) async fn accept(&self) -> io::Result<(Incoming, SocketAddr)> {
        let (stream, peer) = self.tcp.accept().await?;
        Ok((Incoming::Tcp(stream), peer))
    }
}

impl Incoming {
    /// What will cut this connection, also later.
    pub(crate) fn cut(&self) -> Cut {
        match self {
            Incoming::Tcp(stream) => Cut::Tcp(stream.clone()),
        }
    }

    /// The form in which it will want what is to be written.
    pub(crate) fn form(&self) -> Form {
        match self {
            Incoming::Tcp(_) => Form::Frames,
        }
    }

    /// Finishes the handshake.
    pub(crate) async fn accept(
        self,
        tls: Arc<ServerConfig>,
        handshake_timeout: Duration,
    ) -> Result<Accepted, AcceptError> {
        match self {
            Incoming::Tcp(stream) => {
                let accepted = accept(stream, tls, handshake_timeout, MESSAGE_BYTES_MAX).await?;
                let link = Opened::ToNode(Box::new(accepted.stream));
                Ok(Accepted { link, node: accepted.node, project: accepted.project, peer: accepted.peer })
            }
        }
    }
}

impl Cut {
    /// Ends the connection as a network failure does: nothing is said, and what was read before still counts.
    pub(crate) fn cut(&self) {
        match self {
            // One that is gone already needs no cut.
            Cut::Tcp(stream) => drop(stream.shutdown(Shutdown::Both)),
        }
    }
}
