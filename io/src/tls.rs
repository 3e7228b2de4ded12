//! TLS for the cloud link: mutual, TLS 1.2 and 1.3, one authority on both sides, ring as the only provider.
//!
//! Every file is checked when it is loaded, not when the first handshake fails: an expired certificate, a key of
//! another certificate or a DER file under a PEM name is reported in one line that names the file, the problem and the
//! remedy. Sessions are never resumed on a WebSocket, so that every link proves its certificate anew: a resumed session would outlive
//! a rotation or an expiry. The QUIC lane resumes them, and guards against both itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

mod error;
mod load;
mod name;

pub use error::{FileRole, Problem, TlsError};
pub use name::node_name;

use load::Source;

/// Where one side of the link finds its three PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The authority that the peer's certificate must be signed by.
    pub ca: PathBuf,
    /// The own certificate.
    pub certificate: PathBuf,
    /// The own private key.
    pub key: PathBuf,
}

/// The cloud hub's files: the same three, with the authority of the nodes as `ca`.
pub type ServerFiles = ClientFiles;

/// The contents of the three files, for callers that hold them in memory.
#[derive(Clone, Copy)]
pub struct Pems<'a> {
    /// The authority that the peer's certificate must be signed by.
    pub ca: &'a str,
    /// The own certificate.
    pub certificate: &'a str,
    /// The own private key.
    pub key: &'a str,
}

/// Makes a node's TLS configuration from its files.
pub fn client_config(files: &ClientFiles) -> Result<Arc<ClientConfig>, TlsError> {
    client(&Source::read_all(files)?)
}

/// Makes a node's TLS configuration from PEM text.
pub fn client_config_from_pem(pems: Pems<'_>) -> Result<Arc<ClientConfig>, TlsError> {
    client(&Source::in_memory(pems))
}

/// Makes a cloud hub's TLS configuration from its files; only clients with a certificate of the authority get in.
pub fn server_config(files: &ServerFiles) -> Result<Arc<ServerConfig>, TlsError> {
    server(&Source::read_all(files)?)
}

/// Makes a cloud hub's TLS configuration from PEM text; only clients with a certificate of the authority get in.
pub fn server_config_from_pem(pems: Pems<'_>) -> Result<Arc<ServerConfig>, TlsError> {
    server(&Source::in_memory(pems))
}

/// Makes a node's TLS configuration from its files, whatever time it is: for whoever has judged the validity already, and
/// better than this machine's clock can.
pub fn client_config_at_any_time(files: &ClientFiles) -> Result<Arc<ClientConfig>, TlsError> {
    client_at(&Source::read_all(files)?, None)
}

/// Makes the configuration of a certificate service: a client may show a certificate of the authority, and need not.
pub fn server_config_for_anybody(pems: Pems<'_>) -> Result<Arc<ServerConfig>, TlsError> {
    server_with(&Source::in_memory(pems), true, Some(SystemTime::now()))
}

/// The same whatever time it is: for tests of clocks that are wrong.
#[cfg(test)]
pub(crate) fn server_config_at_any_time(pems: Pems<'_>) -> Result<Arc<ServerConfig>, TlsError> {
    server_with(&Source::in_memory(pems), true, None)
}

/// Makes a configuration that nobody can use: each handshake fails. For a node that has no certificate yet.
pub fn client_config_without_identity() -> Result<Arc<ClientConfig>, TlsError> {
    let [ca, ..] = Source::in_memory(Pems { ca: "", certificate: "", key: "" });
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|error| ca.rejected(error))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What is under the names of a node's files.
#[derive(Debug, Clone)]
pub struct PairOnDisk {
    /// The certificate in DER.
    pub certificate: Vec<u8>,
    /// The authorities' certificates in DER, in the order of the file.
    pub roots: Vec<bytes::Bytes>,
    /// Whether the key belongs to the certificate.
    pub is_matching: bool,
    /// Both, for a handshake.
    pub own: Arc<CertifiedKey>,
}

impl PairOnDisk {
    /// Whether both would be used alike.
    pub fn is_same(&self, other: &PairOnDisk) -> bool {
        (&self.certificate, &self.roots) == (&other.certificate, &other.roots)
    }

    /// Makes a node's TLS configuration of exactly this, whatever the files are by now and whatever time it is.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(root.to_vec().into())?;
        }
        self.own.keys_match().or_else(|error| match error {
            rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown) => Ok(()),
            error => Err(error),
        })?;
        client_of(roots, Arc::clone(&self.own))
    }

    /// When the certificate is valid.
    pub fn validity(&self) -> Option<edgehub_core::identity::Validity> {
        crate::identity::facts::of(&self.certificate, None, &[]).map(|facts| facts.validity)
    }

    /// When the authorities' certificates are.
    pub fn root_validities(&self) -> Vec<edgehub_core::identity::Validity> {
        let validity = |root: &bytes::Bytes| Some(crate::identity::facts::of(root, None, &[])?.validity);
        self.roots.iter().filter_map(validity).collect()
    }
}

/// Reads authorities' certificates, in DER.
pub fn authorities(file: &Path) -> Result<Vec<bytes::Bytes>, TlsError> {
    let source = Source::read(file, FileRole::Ca)?;
    load::roots(&source)?;
    Ok(load::certificates(&source)?.iter().map(|der| bytes::Bytes::copy_from_slice(der)).collect())
}

/// Reads a node's files without judging their validity.
pub fn pair_on_disk(files: &ClientFiles) -> Result<PairOnDisk, TlsError> {
    pair(&Source::read_all(files)?)
}

/// The same, of files that are written as these are.
pub fn pair_from_pem(pems: Pems<'_>) -> Result<PairOnDisk, TlsError> {
    pair(&Source::in_memory(pems))
}

/// Reads a node's files once: what they are, and what links are opened with, whatever time it is.
pub fn usable_pair(files: &ClientFiles) -> Result<(PairOnDisk, Arc<ClientConfig>), TlsError> {
    let sources = Source::read_all(files)?;
    let tls = client_at(&sources, None)?;
    Ok((pair(&sources)?, tls))
}

fn pair([ca, certificate, key]: &[Source; 3]) -> Result<PairOnDisk, TlsError> {
    let roots = load::certificates(ca)?.iter().map(|der| bytes::Bytes::copy_from_slice(der)).collect();
    let mut own = load::pair(certificate, key, &provider())?;
    own.cert.truncate(1);
    let is_matching = !matches!(
        own.keys_match(),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch))
    );
    let der = own.cert.first().map(|der| der.to_vec()).unwrap_or_default();
    Ok(PairOnDisk { certificate: der, roots, is_matching, own: Arc::new(own) })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client(sources: &[Source; 3]) -> Result<Arc<ClientConfig>, TlsError> {
    client_at(sources, Some(SystemTime::now()))
}

fn client_at(sources: &[Source; 3], now: Option<SystemTime>) -> Result<Arc<ClientConfig>, TlsError> {
    let [ca, certificate, key] = sources;
    let provider = provider();
    let roots = load::roots(ca)?;
    let mut own = load::certified_key(certificate, key, &provider, now)?;
    // A CloudHub refuses a client that sends intermediates along.
    own.cert.truncate(1);
    client_of(roots, own).map_err(|error| certificate.rejected(error))
}

fn client_of(
    roots: RootCertStore,
    own: impl Into<Arc<CertifiedKey>>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.into())));
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn server(sources: &[Source; 3]) -> Result<Arc<ServerConfig>, TlsError> {
    server_with(sources, false, Some(SystemTime::now()))
}

fn server_with(
    sources: &[Source; 3],
    anybody: bool,
    now: Option<SystemTime>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let [ca, certificate, key] = sources;
    let provider = provider();
    let roots = load::roots(ca)?;
    let own = load::certified_key(certificate, key, &provider, now)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = if anybody { verifier.allow_unauthenticated() } else { verifier };
    let verifier = verifier.build().map_err(|error| ca.rejected(error))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|error| certificate.rejected(error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pki::{Authority, Identity, Profile, Purpose};

    fn files(dir: &Path, authority: &Authority, identity: &Identity) -> ClientFiles {
        let ca = dir.join("rootCA.crt");
        std::fs::write(&ca, authority.certificate_pem()).unwrap();
        let (certificate, key) = identity.write(dir, "own").unwrap();
        ClientFiles { ca, certificate, key }
    }

    /// Prepares three good files, spoils them, and expects a one-line error about that file with those words.
    fn check(spoil: impl FnOnce(&ClientFiles), expected: Option<(&str, Problem, &str)>) {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::generate().unwrap();
        let files = files(dir.path(), &authority, &authority.node("edge-1").unwrap());
        spoil(&files);
        match (client_config(&files), expected) {
            (Ok(config), None) => assert!(config.alpn_protocols.is_empty()),
            (Err(error), Some((file, problem, words))) => {
                assert_eq!(error.problem, problem, "{error}");
                let text = error.to_string();
                assert!(error.file.ends_with(file), "{text} should name {file}");
                assert!(text.contains(words), "{text} should say `{words}`");
                assert!(!text.contains('\n'), "{text}");
            }
            (outcome, expected) => panic!("{:?} instead of {expected:?}", outcome.map(|_| "success")),
        }
    }

    fn write(path: &Path, text: impl AsRef<[u8]>) {
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn good_files_load() {
        check(|_| {}, None);
    }

    #[test]
    fn a_missing_file_is_named_with_its_remedy() {
        check(|f| std::fs::remove_file(&f.ca).unwrap(), Some(("rootCA.crt", Problem::Missing, "tlsCaFile")));
        check(|f| std::fs::remove_file(&f.certificate).unwrap(), Some(("own.crt", Problem::Missing, "join")));
        check(
            |f| std::fs::remove_file(&f.key).unwrap(),
            Some(("own.key", Problem::Missing, "tlsPrivateKey")),
        );
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let directory = |f: &ClientFiles| {
            std::fs::remove_file(&f.ca).unwrap();
            std::fs::create_dir(&f.ca).unwrap();
        };
        check(directory, Some(("rootCA.crt", Problem::Unreadable, "owner and mode")));
    }

    #[test]
    fn der_and_nonsense_are_not_pem() {
        check(
            |f| write(&f.certificate, [0x30, 0x82, 0xff]),
            Some(("own.crt", Problem::NotPem, "-inform der")),
        );
        check(|f| write(&f.key, "hello"), Some(("own.key", Problem::NotPem, "PEM")));
        check(|f| write(&f.ca, ""), Some(("rootCA.crt", Problem::NotPem, "PEM")));
        let broken = "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n";
        check(|f| write(&f.ca, broken), Some(("rootCA.crt", Problem::BadPem, "again")));
    }

    #[test]
    fn swapped_files_are_noticed() {
        let copy = |from: &Path, to: &Path| write(to, std::fs::read(from).unwrap());
        check(
            |f| copy(&f.key, &f.certificate),
            Some(("own.crt", Problem::NoCertificate, "no CERTIFICATE section")),
        );
        check(|f| copy(&f.certificate, &f.key), Some(("own.key", Problem::NoKey, "PRIVATE KEY section")));
    }

    #[test]
    fn a_certificate_that_is_none_is_noticed() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(|f| write(&f.certificate, broken), Some(("own.crt", Problem::BadCertificate, "damaged")));
        check(|f| write(&f.ca, broken), Some(("rootCA.crt", Problem::BadCertificate, "damaged")));
    }

    #[test]
    fn a_key_that_is_none_is_noticed() {
        let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        check(|f| write(&f.key, broken), Some(("own.key", Problem::UnusableKey, "P-256")));
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        check(|f| write(&f.key, locked), Some(("own.key", Problem::EncryptedKey, "openssl pkcs8")));
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let other = Authority::generate().unwrap().node("edge-1").unwrap();
        check(|f| write(&f.key, other.key_pem), Some(("own.key", Problem::KeyMismatch, "own.crt")));
    }

    #[test]
    fn an_expired_certificate_says_since_when() {
        let authority = Authority::generate().unwrap();
        let day = Duration::from_secs(86_400);
        let profile = Profile {
            purpose: Purpose::Node { name: "edge-1".into() },
            not_before: SystemTime::UNIX_EPOCH + 365 * day,
            not_after: SystemTime::UNIX_EPOCH + 730 * day,
        };
        let old = authority.issue(&profile).unwrap();
        let spoil = |f: &ClientFiles| {
            write(&f.certificate, &old.certificate_pem);
            write(&f.key, &old.key_pem);
        };
        check(spoil, Some(("own.crt", Problem::Expired, "expired on 1972-01-01 00:00:00 UTC")));
    }

    #[test]
    fn a_certificate_of_the_future_says_from_when() {
        let authority = Authority::generate().unwrap();
        let now = SystemTime::now();
        let profile = Profile {
            purpose: Purpose::Node { name: "edge-1".into() },
            not_before: now + Duration::from_secs(86_400),
            not_after: now + Duration::from_secs(172_800),
        };
        let early = authority.issue(&profile).unwrap();
        let spoil = |f: &ClientFiles| {
            write(&f.certificate, &early.certificate_pem);
            write(&f.key, &early.key_pem);
        };
        check(spoil, Some(("own.crt", Problem::NotYetValid, "clock")));
    }

    #[test]
    fn a_server_loads_from_files_and_from_memory() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::generate().unwrap();
        let identity = authority.server(&["localhost".to_owned()]).unwrap();
        let config = server_config(&files(dir.path(), &authority, &identity)).unwrap();
        assert!(config.alpn_protocols.is_empty());
        let pems = Pems {
            ca: authority.certificate_pem(),
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        };
        server_config_from_pem(pems).unwrap();
        client_config_from_pem(pems).unwrap();
        let error = server_config_from_pem(Pems { ca: "", ..pems }).unwrap_err();
        assert!(error.to_string().contains("in memory"), "{error}");
    }
}
