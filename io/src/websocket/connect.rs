//! The node's end: name resolution, TCP, TLS, and the upgrade with the headers that a CloudHub looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_tungstenite::client_async_with_config;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::handshake::client::{Request, Response};
use async_tungstenite::tungstenite::http::HeaderValue;
use async_tungstenite::tungstenite::{self as ws};
use futures_rustls::TlsConnector;
use rustls::ClientConfig;

use crate::reach::{self, Proxy};

use super::url::{self, Address};
use super::{
    ConnectError, MESSAGE_BYTES_MAX, Stage, Stream, TlsFailure, WRITE_BUFFER_BYTES, websocket_config, within,
};

/// How much of the body of an HTTP error is worth showing.
const REASON_CHARS_MAX: usize = 200;

/// Where to connect to, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `wss://HOST:PORT`, optionally with a path; without one that ends in `/events`, `/{project}/{node}/events` is
    /// appended.
    pub url: String,
    /// The project id.
    pub project_id: String,
    /// The node's name, the same as in its certificate.
    pub node: String,
    /// The time that resolving, TCP, TLS and the upgrade may take together.
    pub handshake_timeout: Duration,
    /// The proxy on the way; without one the way is direct.
    pub proxy: Option<Proxy>,
    /// The largest message and frame that is read; more ends the link.
    pub message_bytes_max: usize,
}

impl Target {
    /// A target with KubeEdge's handshake timeout of 30 s and the default message limit.
    pub fn new(url: impl Into<String>, project_id: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            project_id: project_id.into(),
            node: node.into(),
            handshake_timeout: Duration::from_secs(30),
            proxy: None,
            message_bytes_max: MESSAGE_BYTES_MAX,
        }
    }
}

/// Opens a link to a cloud hub.
///
/// Sends `node_id`, `project_id` and `ConnectionUse: msg`, and no `Origin`. Returning says that the upgrade succeeded,
/// not that the cloud serves the node: a CloudHub does not tell a rejected node.
pub async fn connect(target: &Target, tls: Arc<ClientConfig>) -> Result<Stream, ConnectError> {
    let address = url::parse(&target.url, &target.project_id, &target.node)?;
    let request = request(target, &address)?;
    let config = websocket_config(target.message_bytes_max);
    // How many stages are over.
    let over = AtomicUsize::new(0);
    let done = || {
        over.fetch_add(1, Ordering::Relaxed);
    };
    let open = async {
        let tcp = reach::connect_telling(&address.host, address.port, target.proxy.as_ref(), done).await?;
        done();
        let tls = TlsConnector::from(tls)
            .connect_with(address.server_name.clone(), tcp, |tls| {
                tls.set_buffer_limit(Some(WRITE_BUFFER_BYTES))
            })
            .await
            .map_err(|error| ConnectError::Tls(TlsFailure::of_handshake(&error)))?;
        done();
        let (stream, _) =
            client_async_with_config(request, tls, Some(config)).await.map_err(upgrade_error)?;
        Ok(stream)
    };
    let late = || {
        let at = Stage::ALL.get(over.load(Ordering::Relaxed)).copied().unwrap_or(Stage::Upgrade);
        ConnectError::Timeout { limit: target.handshake_timeout, at }
    };
    within(target.handshake_timeout, open, late).await
}

fn request(target: &Target, address: &Address) -> Result<Request, ConnectError> {
    let bad = |problem: String| ConnectError::BadUrl { url: target.url.clone(), problem };
    let mut request = address.url.as_str().into_client_request().map_err(|error| bad(error.to_string()))?;
    for (name, value) in
        [("node_id", &target.node), ("project_id", &target.project_id), ("ConnectionUse", &"msg".to_owned())]
    {
        let value = HeaderValue::from_str(value)
            .map_err(|_| bad(format!("`{value}` cannot be sent as the header {name}")))?;
        request.headers_mut().insert(
            ws::http::HeaderName::from_bytes(name.as_bytes()).map_err(|error| bad(error.to_string()))?,
            value,
        );
    }
    Ok(request)
}

/// With TLS 1.3 a cloud hub that does not like our certificate says so only after our side of the TLS handshake is
/// done, hence in the middle of the upgrade.
fn upgrade_error(error: ws::Error) -> ConnectError {
    match error {
        ws::Error::Http(response) => {
            ConnectError::Http { status: response.status().as_u16(), reason: reason(&response) }
        }
        ws::Error::Io(error) => match TlsFailure::inside(&error) {
            Some(failure) => ConnectError::Tls(failure),
            None => ConnectError::Handshake(error.to_string()),
        },
        other => ConnectError::Handshake(other.to_string()),
    }
}

fn reason(response: &Response) -> String {
    let body = response.body().as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let printable = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    printable.take(REASON_CHARS_MAX).collect()
}
