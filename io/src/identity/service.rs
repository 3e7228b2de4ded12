//! One request to a cloud's certificate service.

use super::facts;
use super::http::{self, HttpError};
use crate::reach::{self, Environment, Proxy, ProxyChoice};
use bytes::Bytes;
use edgehub_core::UnixMillis;
use edgehub_core::identity::date::http_date;
use edgehub_core::identity::{Answer, BODY_BYTES_MAX, Failure, Problem, Request, Trust};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use smol::net::TcpStream;
use std::fmt;
use std::sync::Arc;

/// Where a cloud's certificate service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// A host name or an IP address, the latter without brackets.
    pub host: String,
    /// KubeEdge's port is 10002.
    pub port: u16,
    /// The proxy on the way; without one the way is direct.
    pub proxy: Option<Proxy>,
}

impl Service {
    /// KubeEdge's port of the service.
    pub const PORT: u16 = 10002;

    /// Reads `HOST`, `HOST:PORT` or `https://HOST:PORT`; an IPv6 address has brackets if a port follows.
    pub fn parse(text: &str) -> Option<Service> {
        let text = text.trim();
        let text = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
        if text.is_empty() || text.contains(['/', ' ', '@', '?', '#']) {
            return None;
        }
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']')? {
                (host, "") => (host, Service::PORT),
                (host, after) => (host, port(after.strip_prefix(':')?)?),
            },
            None if text.matches(':').count() == 1 => {
                let (host, after) = text.split_once(':')?;
                (host, port(after)?)
            }
            None => (text, Service::PORT),
        };
        ServerName::try_from(host).ok()?;
        Some(Service { host: host.to_owned(), port, proxy: None })
    }

    /// The same by the way that the configuration and the environment of this process lead. An error names what cannot be
    /// understood.
    pub fn by_way_of(self, choice: &ProxyChoice) -> Result<Service, String> {
        let proxy = choice.for_host(&self.host, self.port, &Environment::read())?;
        Ok(Service { proxy, ..self })
    }

    /// What time it is there, if it says so. Whoever answers is believed: this is for a person to look at.
    pub async fn time(&self) -> Result<Option<UnixMillis>, Failure> {
        let asker = Asker { node: String::new(), own: None, key: None };
        let answer = ask(self.connect().await?, self, &asker, &Request::Time, &Trust::Anybody).await?;
        Ok(answer.date)
    }

    /// Asks for the authority that it signs with, as a renewal does: through who is trusted already (in DER).
    pub async fn authority(&self, trusted: Vec<Bytes>) -> Result<(), Problem> {
        let asker = Asker { node: String::new(), own: None, key: None };
        let asked = async {
            ask(self.connect().await?, self, &asker, &Request::Authority, &Trust::Roots(trusted)).await
        };
        asked.await.map_err(Problem::Unanswered)?.authority().map(|_| ())
    }

    /// Opens a TCP connection to it.
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        let reached = reach::connect(&self.host, self.port, self.proxy.as_ref()).await;
        reached.map_err(|error| Failure::Unreachable(format!("{self}: {}", one_line(&error)).into()))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who asks, and with what.
pub(super) struct Asker {
    /// The node's name.
    pub(super) node: String,
    /// The present pair, for a renewal.
    pub(super) own: Option<Arc<CertifiedKey>>,
    /// The public key that a certificate should carry, as a SubjectPublicKeyInfo in DER.
    pub(super) key: Option<Vec<u8>>,
}

/// Asks over a connection that is there already, whatever lies under it.
pub(super) async fn ask(
    tcp: TcpStream,
    service: &Service,
    asker: &Asker,
    request: &Request,
    trust: &Trust,
) -> Result<Answer, Failure> {
    let mut stream = secure(tcp, service, asker, request, trust).await?;
    let (path, body, more) = match request {
        Request::Authority | Request::Time => ("/ca.crt", &Bytes::new(), String::new()),
        Request::Join { request, jwt } => {
            ("/edge.crt", request, format!("Authorization: Bearer {jwt}\r\nNodeName: {}\r\n", asker.node))
        }
        Request::Renew { request } => ("/edge.crt", request, format!("NodeName: {}\r\n", asker.node)),
    };
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {service}\r\nUser-Agent: edgehub/{}\r\n{more}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        body.len(),
    );
    let received = http::exchange(&mut stream, &head, body).await.map_err(|error| match error {
        HttpError::TooLarge => Failure::TooLarge,
        HttpError::NotHttp(why) => Failure::Broken(why.into()),
        HttpError::Io(error) => broken(&error),
    })?;
    debug_assert!(received.body.len() <= BODY_BYTES_MAX);
    let roots = match trust {
        Trust::Anybody => &[][..],
        Trust::Roots(roots) => roots,
    };
    Ok(Answer {
        status: received.status,
        date: received.header("Date").and_then(http_date),
        location: received.header("Location").map(Into::into),
        certificate: facts::of(&received.body, asker.key.as_deref(), roots),
        body: received.body.into(),
    })
}

async fn secure(
    tcp: TcpStream,
    service: &Service,
    asker: &Asker,
    request: &Request,
    trust: &Trust,
) -> Result<TlsStream<TcpStream>, Failure> {
    let untrusted = |error: &dyn fmt::Display| Failure::Untrusted(one_line(error).into());
    let own = match request {
        Request::Renew { .. } => asker.own.clone(),
        _ => None,
    };
    let config = tls_config(trust, own).map_err(|error| untrusted(&error))?;
    let name = ServerName::try_from(service.host.clone()).map_err(|error| untrusted(&error))?;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| broken(&error))
}

/// What ended a connection: somebody who is not trusted, a clock, or just the connection.
fn broken(error: &std::io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => Failure::Broken("it does not speak TLS".into()),
        Some(error) if is_about_time(error) => Failure::OutOfDate(one_line(error).into()),
        Some(error) => Failure::Untrusted(one_line(error).into()),
        None => Failure::Broken(one_line(error).into()),
    }
}

/// Whether a certificate would be taken at another time: the server's here, or ours there.
fn is_about_time(error: &rustls::Error) -> bool {
    use rustls::CertificateError as Flaw;
    match error {
        rustls::Error::InvalidCertificate(flaw) => matches!(
            flaw,
            Flaw::Expired | Flaw::ExpiredContext { .. } | Flaw::NotValidYet | Flaw::NotValidYetContext { .. }
        ),
        rustls::Error::AlertReceived(alert) => *alert == rustls::AlertDescription::CertificateExpired,
        _ => false,
    }
}

fn one_line(text: &dyn fmt::Display) -> String {
    text.to_string().replace(['\n', '\r'], " ")
}

fn tls_config(trust: &Trust, own: Option<Arc<CertifiedKey>>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(rustls::ALL_VERSIONS)?;
    let builder = match trust {
        Trust::Anybody => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(WhoeverAnswers(provider)))
        }
        Trust::Roots(roots) => {
            let mut store = RootCertStore::empty();
            for root in roots {
                store.add(CertificateDer::from(root.to_vec()))?;
            }
            builder.with_root_certificates(store)
        }
    };
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Looks at no chain, for the one request whose answer is checked by its hash. The server still has to own the key of the
/// certificate that it shows.
#[derive(Debug)]
struct WhoeverAnswers(Arc<CryptoProvider>);

impl ServerCertVerifier for WhoeverAnswers {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, u16)>) {
        let service = Service::parse(text);
        assert_eq!(service.as_ref().map(|service| (&*service.host, service.port)), expected, "{text}");
    }

    #[test]
    fn addresses_are_read_in_every_usual_form() {
        check("cloud.example", Some(("cloud.example", 10002)));
        check("cloud.example:1", Some(("cloud.example", 1)));
        check("https://cloud.example:10002/", Some(("cloud.example", 10002)));
        check("127.0.0.1:443", Some(("127.0.0.1", 443)));
        check("::1", Some(("::1", 10002)));
        check("[::1]", Some(("::1", 10002)));
        check("[::1]:2", Some(("::1", 2)));
        for text in
            ["", ":1", "cloud:", "cloud:0", "cloud:65536", "[::1", "[::1]2", "a/b", "user@cloud", "a b"]
        {
            check(text, None);
        }
    }
}
