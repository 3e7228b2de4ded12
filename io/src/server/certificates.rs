//! The embedded CloudHub's certificate service: `/ca.crt` for whoever asks, `/edge.crt` for who has a token or a certificate.

use crate::identity::http::{self, HttpError, Received};
use crate::pki::token::TokenKey;
use crate::pki::{Authority, PkiError};
use crate::tls;
use edgehub_core::cloud::{CertificateDecision, CertificateQuestion, SigningRequest, TokenWorth, decide};
use edgehub_core::identity::date::HttpDate;
use futures_rustls::TlsAcceptor;
use rustls::ServerConfig;
use smol::Executor;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::{debug, info, warn};

/// How long one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);

/// Exchanges at one time; whoever comes on top waits to be accepted.
const EXCHANGES_MAX: usize = 64;

/// What a certificate service needs.
#[derive(Debug)]
pub struct CertificateOptions {
    /// Who signs.
    pub authority: Arc<Authority>,
    /// What tokens are made and known with.
    pub tokens: TokenKey,
    /// Under which names nodes reach the service.
    pub names: Vec<String>,
    /// How long certificates of nodes are valid; a year, as in KubeEdge.
    pub node_life: Duration,
}

impl CertificateOptions {
    /// A service that is reached as `localhost`, with certificates for a year.
    pub fn new(authority: Arc<Authority>, tokens: TokenKey) -> CertificateOptions {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        CertificateOptions { authority, tokens, names, node_life: crate::pki::LEAF_LIFE }
    }
}

/// A certificate service. Nothing is accepted until it runs.
pub struct CertificateServer {
    listener: TcpListener,
    address: SocketAddr,
    tls: Arc<ServerConfig>,
    options: CertificateOptions,
}

impl std::fmt::Debug for CertificateServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl CertificateServer {
    /// Listens on an address (port 0: one of the system's choosing).
    pub async fn bind(address: SocketAddr, options: CertificateOptions) -> io::Result<CertificateServer> {
        let tls = tls_config(&options).map_err(io::Error::other)?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(CertificateServer { listener, address, tls, options })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub async fn run(&self) {
        let executor = Executor::new();
        let (free, places) = async_channel::bounded(EXCHANGES_MAX);
        let accept = async {
            loop {
                // A place is given back when its exchange is over.
                let Ok(()) = free.send(()).await else { return };
                match self.listener.accept().await {
                    Ok((stream, from)) => {
                        let places = places.clone();
                        let exchange = async move {
                            self.exchange(stream, from).await;
                            let _ = places.recv().await;
                        };
                        executor.spawn(exchange).detach();
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a connection for certificates");
                        let _ = places.recv().await;
                        smol::Timer::after(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        executor.run(accept).await;
    }

    async fn exchange(&self, stream: TcpStream, from: SocketAddr) {
        let limit = async {
            smol::Timer::after(EXCHANGE_LIMIT).await;
            Err(io::Error::from(io::ErrorKind::TimedOut))
        };
        if let Err(error) = smol::future::or(self.answer(stream), limit).await {
            debug!(%from, %error, "an exchange for certificates ended");
        }
    }

    async fn answer(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = TlsAcceptor::from(Arc::clone(&self.tls)).accept(stream).await?;
        let (status, kind, body) = match http::request(&mut stream).await {
            Ok(request) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let shown = shown.map(|certificate| tls::node_name(certificate));
                self.response(&request, shown.as_ref().map(Option::as_deref), signing_request(&request.body))
            }
            Err(HttpError::TooLarge) => {
                // The head is all that matters: whoever sends so much gets one answer, whatever it asked.
                (500, "text/plain", "the certificate request is too long".as_bytes().to_vec())
            }
            Err(HttpError::NotHttp(_)) => (400, "text/plain", b"this is not HTTP".to_vec()),
            Err(HttpError::Io(error)) => return Err(error),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let date = HttpDate(i64::try_from(now).unwrap_or(i64::MAX));
        let head = format!(
            "HTTP/1.1 {status} {}\r\nDate: {date}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            words(status),
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        stream.close().await?;
        // What is still on its way here would otherwise turn the answer into a reset.
        let mut rest = [0; 4096];
        while stream.get_mut().0.read(&mut rest).await? > 0 {}
        Ok(())
    }

    /// Status, content type and body.
    fn response(
        &self,
        received: &Received,
        shown: Option<Option<&str>>,
        request: Result<rcgen::CertificateSigningRequestParams, Asked>,
    ) -> (u16, &'static str, Vec<u8>) {
        let node = request.as_ref().ok().map(|request| node_of(&request.params));
        let signing = match (&request, &node) {
            (Err(Asked::Nothing), _) => SigningRequest::Empty,
            (Err(Asked::Nonsense), _) => SigningRequest::Unreadable,
            (Ok(_), Some(Some(node))) => SigningRequest::Of(node),
            (Ok(_), _) => SigningRequest::OfNobody,
        };
        let bearer = received.header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        let question = CertificateQuestion {
            method: &received.method,
            path: &received.path,
            token: bearer.map_or(TokenWorth::Absent, |jwt| self.options.tokens.worth(jwt.trim())),
            node_name: received.header("NodeName"),
            shown,
            usages_are_read: received.header("ExtKeyUsages").is_none_or(are_usages),
            request: signing,
        };
        let refused = |status, why: &str| (status, "text/plain", why.as_bytes().to_vec());
        match (decide(&question), &request) {
            (CertificateDecision::Authority, _) => {
                (200, "application/octet-stream", self.options.authority.certificate_der().to_vec())
            }
            (CertificateDecision::Sign { node }, Ok(request)) => match self.sign(node, request) {
                Ok(der) => {
                    info!(node, renewed = shown.is_some(), "signed a certificate");
                    (200, "application/octet-stream", der)
                }
                Err(error) => refused(500, &error.to_string()),
            },
            (CertificateDecision::Sign { .. }, Err(_)) => refused(500, "there is nothing to sign"),
            (CertificateDecision::Refuse { status, why }, _) => {
                info!(status, %why, "refused a certificate");
                refused(status, &why)
            }
        }
    }

    fn sign(
        &self,
        node: &str,
        request: &rcgen::CertificateSigningRequestParams,
    ) -> Result<Vec<u8>, PkiError> {
        self.options.authority.sign(node, &request.public_key, self.options.node_life)
    }
}

/// Whether a header lists usages as Go writes them, by number.
fn are_usages(header: &str) -> bool {
    serde_json::from_str::<Vec<u32>>(header).is_ok()
}

/// Why a body is no request for a certificate.
enum Asked {
    Nothing,
    Nonsense,
}

fn signing_request(body: &[u8]) -> Result<rcgen::CertificateSigningRequestParams, Asked> {
    if body.is_empty() {
        return Err(Asked::Nothing);
    }
    // The signature is checked, too: it proves that the key is the asker's.
    rcgen::CertificateSigningRequestParams::from_der(&body.into()).map_err(|_| Asked::Nonsense)
}

/// The node that a request's subject names, if it names one and nothing besides.
fn node_of(params: &rcgen::CertificateParams) -> Option<String> {
    use rcgen::{DnType, DnValue};
    let text = |value: &DnValue| match value {
        DnValue::Utf8String(text) => Some(text.clone()),
        DnValue::PrintableString(text) => Some(text.as_str().to_owned()),
        DnValue::Ia5String(text) => Some(text.as_str().to_owned()),
        _ => None,
    };
    let get = |kind: DnType| params.distinguished_name.get(&kind).and_then(text);
    if get(DnType::OrganizationName)? != "system:nodes" {
        return None;
    }
    let name = get(DnType::CommonName)?;
    let node = name.strip_prefix("system:node:").filter(|node| !node.is_empty())?;
    Some(node.to_owned())
}

fn tls_config(
    options: &CertificateOptions,
) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error + Send + Sync>> {
    let identity = options.authority.server(&options.names)?;
    let pems = tls::Pems {
        ca: options.authority.certificate_pem(),
        certificate: &identity.certificate_pem,
        key: &identity.key_pem,
    };
    Ok(tls::server_config_for_anybody(pems)?)
}

fn words(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usages_are_a_list_of_numbers() {
        for (header, are) in
            [("[2]", true), ("[]", true), ("[1,2]", true), ("", false), ("2", false), ("[-1]", false)]
        {
            assert_eq!(are_usages(header), are, "{header}");
        }
    }
}
