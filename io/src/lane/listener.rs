//! Where nodes arrive.

use super::{Form, OpenError, Opened, quic};
use crate::websocket::{AcceptError, MESSAGE_BYTES_MAX, accept};
use rustls::ServerConfig;
use smol::future::or;
use smol::net::{Shutdown, TcpListener, TcpStream};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

/// Ports of the system's choosing that are tried until one is free on both lanes.
const PORTS_TRIED: usize = 16;

/// Listens on every lane that the server has.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    quic: Option<quic::Server>,
}

/// A connection before its handshake.
#[derive(Debug)]
pub(crate) enum Incoming {
    Tcp(TcpStream),
    Quic(Box<quic::Arrival>),
}

/// An open link, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) link: Opened,
    pub(crate) node: String,
    pub(crate) project: String,
    pub(crate) peer: SocketAddr,
}

/// Why a connection was not accepted.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    WebSocket(AcceptError),
    Other(SocketAddr, OpenError),
}

/// Cuts a connection.
#[derive(Debug)]
pub(crate) enum Cut {
    Tcp(TcpStream),
    Quic(quic::Cut),
}

/// What a listener needs for lanes beside the WebSocket: certificates, and the silence after which a node is gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagrams<'a> {
    pub(crate) tls: &'a ServerConfig,
    pub(crate) silence: Duration,
    pub(crate) compression: bool,
}

impl Listener {
    /// Listens on an address, on UDP as well if there is something for it; port 0 for one of the system's choosing, the same for
    /// all lanes.
    pub(crate) async fn bind(address: SocketAddr, datagrams: Option<Datagrams<'_>>) -> io::Result<Listener> {
        let mut tried = 0;
        loop {
            let tcp = TcpListener::bind(address).await?;
            let Some(Datagrams { tls, silence, compression }) = datagrams else {
                return Ok(Listener { tcp, quic: None });
            };
            match quic::Server::bind(tcp.local_addr()?, tls, silence, compression) {
                Ok(quic) => return Ok(Listener { tcp, quic: Some(quic) }),
                Err(error) if address.port() != 0 || tried == PORTS_TRIED => return Err(error),
                Err(_) => tried += 1,
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// What has to run all the while.
    pub(crate) fn work(&self) -> impl Future<Output = ()> + Send + use<> {
        let quic = self.quic.as_ref().map(quic::Server::work);
        async move {
            if let Some(work) = quic {
                work.await;
            }
        }
    }

    /// Lets last words leave.
    pub(crate) async fn settle(&self) {
        if let Some(quic) = &self.quic {
            quic.settle().await;
        }
    }

    /// The next connection, and who it is from.
    pub(crate) async fn accept(&self) -> io::Result<(Incoming, SocketAddr)> {
        let tcp = async {
            let (stream, peer) = self.tcp.accept().await?;
            Ok((Incoming::Tcp(stream), peer))
        };
        let Some(quic) = &self.quic else { return tcp.await };
        let datagram = async {
            let arrival = quic.accept().await?;
            let peer = arrival.peer();
            Ok((Incoming::Quic(Box::new(arrival)), peer))
        };
        or(datagram, tcp).await
    }
}

impl Incoming {
    /// What will cut this connection, also later.
    pub(crate) fn cut(&self) -> Cut {
        match self {
            Incoming::Tcp(stream) => Cut::Tcp(stream.clone()),
            Incoming::Quic(arrival) => Cut::Quic(arrival.cut()),
        }
    }

    /// The form in which it will want what is to be written.
    pub(crate) fn form(&self) -> Form {
        match self {
            Incoming::Tcp(_) => Form::Frames,
            Incoming::Quic(_) => Form::Messages,
        }
    }

    /// Finishes the handshake.
    pub(crate) async fn accept(
        self,
        tls: Arc<ServerConfig>,
        handshake_timeout: Duration,
    ) -> Result<Accepted, NotAccepted> {
        match self {
            Incoming::Tcp(stream) => {
                let accepted = accept(stream, tls, handshake_timeout, MESSAGE_BYTES_MAX)
                    .await
                    .map_err(NotAccepted::WebSocket)?;
                let link = Opened::ToNode(Box::new(accepted.stream));
                Ok(Accepted { link, node: accepted.node, project: accepted.project, peer: accepted.peer })
            }
            Incoming::Quic(arrival) => {
                let peer = arrival.peer();
                let (session, hello) = arrival
                    .accept(handshake_timeout)
                    .await
                    .map_err(|error| NotAccepted::Other(peer, OpenError::Quic(error)))?;
                let link = Opened::Quic(Box::new(session));
                Ok(Accepted { link, node: hello.node, project: hello.project, peer })
            }
        }
    }
}

impl NotAccepted {
    /// Whether nothing is wrong: a node only looked whether it gets through.
    pub(crate) fn is_visit(&self) -> bool {
        matches!(self, NotAccepted::Other(_, OpenError::Quic(quic::QuicError::Visit)))
    }
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAccepted::WebSocket(error) => error.fmt(f),
            NotAccepted::Other(peer, error) => write!(f, "{peer}: {error}"),
        }
    }
}

impl Cut {
    /// Ends the connection as a network failure does: nothing is said, and what was read before still counts.
    pub(crate) fn cut(&self) {
        match self {
            // One that is gone already needs no cut.
            Cut::Tcp(stream) => drop(stream.shutdown(Shutdown::Both)),
            Cut::Quic(cut) => cut.cut(),
        }
    }
}
