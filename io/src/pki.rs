//! A certificate authority small enough to embed: what `edgehub cloud` and the tests sign their certificates with.
//!
//! It issues the two kinds of certificate that the cloud link knows: one for the cloud hub (verified by host name or
//! address) and one for each node (verified by its subject, `O=system:nodes, CN=system:node:NAME`). Keys are ECDSA
//! P-256 throughout, as KubeEdge's are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::OffsetDateTime;

pub mod error;
pub mod files;
pub mod token;

pub use error::PkiError;

/// File name of the authority's certificate inside its directory.
pub const CA_CERTIFICATE_FILE: &str = "ca.crt";
/// File name of the authority's private key inside its directory.
pub const CA_KEY_FILE: &str = "ca.key";

/// How far into the past a certificate's validity starts, so that a node whose clock runs behind accepts it at once.
const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Replacing the authority means visiting every node, so it outlives the hardware.
const CA_LIFE: Duration = YEAR.saturating_mul(30);
/// KubeEdge gives its nodes one year as well.
pub(crate) const LEAF_LIFE: Duration = YEAR;

/// A certificate authority: its certificate, and the key that signs what it issues.
pub struct Authority {
    certificate_pem: String,
    certificate_der: Vec<u8>,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is for: its extended key usage, subject and alternative names follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A cloud hub, reachable under these host names and IP addresses (usage `serverAuth`).
    Server {
        /// Host names and textual IP addresses; the first one is the common name too.
        names: Vec<String>,
    },
    /// The node of this name (usage `clientAuth`, no alternative name).
    Node {
        /// The node's name, without the `system:node:` prefix.
        name: String,
    },
}

/// One certificate to issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whom the certificate is for.
    pub purpose: Purpose,
    /// First moment of validity.
    pub not_before: SystemTime,
    /// Last moment of validity.
    pub not_after: SystemTime,
}

impl Profile {
    /// A certificate that is valid from an hour ago on: a node's for a year, as nodes renew theirs; a server's for as long as a new
    /// authority, for nobody renews it while the server runs, and a CloudHub makes another one whenever it starts.
    pub fn new(purpose: Purpose) -> Self {
        let now = SystemTime::now();
        let life = match purpose {
            Purpose::Server { .. } => CA_LIFE,
            Purpose::Node { .. } => LEAF_LIFE,
        };
        Self { purpose, not_before: now - CLOCK_SKEW, not_after: now + life }
    }
}

/// A certificate and its private key, both PEM (the key as PKCS#8).
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

impl Identity {
    /// Writes `STEM.crt` and `STEM.key` (mode 0600) into `dir`, each atomically, and returns their paths.
    pub fn write(&self, dir: &Path, stem: &str) -> Result<(PathBuf, PathBuf), PkiError> {
        let (certificate, key) = (dir.join(format!("{stem}.crt")), dir.join(format!("{stem}.key")));
        files::write_atomically(&key, self.key_pem.as_bytes(), files::PRIVATE)?;
        files::write_atomically(&certificate, self.certificate_pem.as_bytes(), files::PUBLIC)?;
        Ok((certificate, key))
    }
}

impl Authority {
    /// Makes a new authority, in memory only.
    ///
    /// Its common name carries a random suffix: two authorities of the same name would be told apart by a failed
    /// signature instead of a readable "unknown issuer".
    pub fn generate() -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let now = SystemTime::now();
        let mut params = CertificateParams::default();
        params.not_before = moment(now - CLOCK_SKEW);
        params.not_after = moment(now + CA_LIFE);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("edgehub authority {:08x}", fastrand::u32(..)));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let (certificate_pem, certificate_der) = (certificate.pem(), certificate.der().to_vec());
        Ok(Self {
            certificate_pem,
            certificate_der,
            key_pem: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Reads an authority from its PEM certificate and its PEM key (PKCS#8, ECDSA P-256).
    pub fn from_pem(certificate_pem: String, key_pem: String) -> Result<Self, PkiError> {
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(&key_pem, &PKCS_ECDSA_P256_SHA256)
            .map_err(|error| PkiError::UnusableCaKey { detail: error.to_string() })?;
        let unusable = |error: rcgen::Error| PkiError::UnusableCa { detail: error.to_string() };
        let certificate_der = error::check_pair(&certificate_pem, &key)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(unusable)?;
        Ok(Self { certificate_pem, certificate_der, key_pem, issuer })
    }

    /// Reads `ca.crt` and `ca.key` from `dir`, or makes a new authority and writes both when neither is there.
    ///
    /// The flag tells whether the authority is new. One file without the other is an error: a new authority would
    /// lock out every node that trusts the old one.
    pub fn load_or_create(dir: &Path) -> Result<(Self, bool), PkiError> {
        let (certificate_path, key_path) = (dir.join(CA_CERTIFICATE_FILE), dir.join(CA_KEY_FILE));
        match (files::read_if_present(&certificate_path)?, files::read_if_present(&key_path)?) {
            (Some(certificate), Some(key)) => Ok((Self::from_pem(certificate, key)?, false)),
            (None, None) => {
                let authority = Self::generate()?;
                files::write_atomically(&key_path, authority.key_pem.as_bytes(), files::PRIVATE)?;
                let certificate = authority.certificate_pem.as_bytes();
                files::write_atomically(&certificate_path, certificate, files::PUBLIC)?;
                Ok((authority, true))
            }
            (Some(_), None) => Err(PkiError::Incomplete { present: certificate_path, missing: key_path }),
            (None, Some(_)) => Err(PkiError::Incomplete { present: key_path, missing: certificate_path }),
        }
    }

    /// The authority's own certificate, PEM: what both sides verify their peer against.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The same in DER: what the hash in a join token is made of.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate_der
    }

    /// Signs a node's own key, for so long from now on. The certificate, in DER.
    pub fn sign(&self, node: &str, key: &rcgen::PublicKey, life: Duration) -> Result<Vec<u8>, PkiError> {
        let now = SystemTime::now();
        let mut params = node_params(node)?;
        // A certificate of an hour that began an hour ago would be renewed at once.
        params.not_before = moment(now - CLOCK_SKEW.min(life / 100));
        params.not_after = moment(now + life);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer)?.der().to_vec())
    }

    /// Issues a certificate for a cloud hub that is reached under these host names and IP addresses.
    pub fn server(&self, names: &[String]) -> Result<Identity, PkiError> {
        self.issue(&Profile::new(Purpose::Server { names: names.to_vec() }))
    }

    /// Issues a certificate for the node of this name.
    pub fn node(&self, name: &str) -> Result<Identity, PkiError> {
        self.issue(&Profile::new(Purpose::Node { name: name.to_owned() }))
    }

    /// Issues a node certificate that ran out yesterday, for tests and drills.
    pub fn node_expired(&self, name: &str) -> Result<Identity, PkiError> {
        let day = Duration::from_secs(24 * 60 * 60);
        let now = SystemTime::now();
        let purpose = Purpose::Node { name: name.to_owned() };
        self.issue(&Profile { purpose, not_before: now - 2 * day, not_after: now - day })
    }

    /// Issues what the profile says, with a fresh key.
    pub fn issue(&self, profile: &Profile) -> Result<Identity, PkiError> {
        let mut params = match &profile.purpose {
            Purpose::Server { names } => server_params(names)?,
            Purpose::Node { name } => node_params(name)?,
        };
        params.not_before = moment(profile.not_before);
        params.not_after = moment(profile.not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

fn server_params(names: &[String]) -> Result<CertificateParams, PkiError> {
    let Some(first) = names.first() else {
        return Err(PkiError::NoServerName);
    };
    let mut params = CertificateParams::new(names.to_vec())
        .map_err(|error| PkiError::BadName { names: names.join(", "), detail: error.to_string() })?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, first.as_str());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn node_params(name: &str) -> Result<CertificateParams, PkiError> {
    if name.is_empty() {
        return Err(PkiError::BadName { names: String::new(), detail: "a node name cannot be empty".into() });
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
    params.distinguished_name.push(DnType::CommonName, format!("system:node:{name}"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// The time as certificates count it: whole seconds, nothing before 1970.
fn moment(at: SystemTime) -> OffsetDateTime {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls_pki_types::{CertificateDer, pem::PemObject};
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    use super::*;

    fn check(pem: &str, look: impl FnOnce(&X509Certificate<'_>)) {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let (rest, certificate) = X509Certificate::from_der(&der).unwrap();
        assert!(rest.is_empty());
        look(&certificate);
    }

    #[test]
    fn a_node_certificate_names_the_node_and_nothing_else() {
        let authority = Authority::generate().unwrap();
        check(&authority.node("edge-1").unwrap().certificate_pem, |certificate| {
            assert_eq!(certificate.subject().to_string(), "O=system:nodes, CN=system:node:edge-1");
            let usage = certificate.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.client_auth && !usage.server_auth);
            assert!(certificate.subject_alternative_name().unwrap().is_none());
            assert!(certificate.validity().is_valid());
        });
    }

    #[test]
    fn a_server_certificate_carries_host_names_and_addresses() {
        let authority = Authority::generate().unwrap();
        let names = ["cloud.example".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        check(&authority.server(&names).unwrap().certificate_pem, |certificate| {
            let usage = certificate.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.server_auth && !usage.client_auth);
            let validity = certificate.validity();
            let life = validity.not_after.timestamp() - validity.not_before.timestamp();
            assert!(life > 29 * 365 * 86_400, "a CloudHub may run for years: {life} s");
            let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
            assert!(matches!(names[0], GeneralName::DNSName("cloud.example")));
            assert!(matches!(names[1], GeneralName::IPAddress([127, 0, 0, 1])));
            assert!(matches!(names[2], GeneralName::IPAddress(v6) if v6.len() == 16));
        });
    }

    #[test]
    fn names_that_no_certificate_can_carry_are_refused() {
        let authority = Authority::generate().unwrap();
        assert!(matches!(authority.server(&[]), Err(PkiError::NoServerName)));
        assert!(matches!(authority.server(&["wolke-ü".to_owned()]), Err(PkiError::BadName { .. })));
        assert!(matches!(authority.node(""), Err(PkiError::BadName { .. })));
    }

    #[test]
    fn an_expired_certificate_is_expired() {
        let authority = Authority::generate().unwrap();
        check(&authority.node_expired("edge-1").unwrap().certificate_pem, |certificate| {
            assert!(!certificate.validity().is_valid());
        });
    }

    #[test]
    fn an_authority_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let nested = dir.path().join("pki");
        let (first, created) = Authority::load_or_create(&nested).unwrap();
        assert!(created);
        let (second, created) = Authority::load_or_create(&nested).unwrap();
        assert!(!created);
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        let leaf = second.node("edge-1").unwrap();
        check(&leaf.certificate_pem, |leaf| {
            check(first.certificate_pem(), |ca| {
                assert_eq!(leaf.issuer().as_raw(), ca.subject().as_raw());
            });
        });
        let mode = std::fs::metadata(nested.join(CA_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut left: Vec<_> =
            std::fs::read_dir(&nested).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [CA_CERTIFICATE_FILE, CA_KEY_FILE], "no temporary file is left behind");
    }

    #[test]
    fn half_an_authority_is_not_replaced() {
        for lost in [CA_CERTIFICATE_FILE, CA_KEY_FILE] {
            let dir = tempfile::tempdir().unwrap();
            Authority::load_or_create(dir.path()).unwrap();
            std::fs::remove_file(dir.path().join(lost)).unwrap();
            let error = Authority::load_or_create(dir.path()).unwrap_err();
            assert!(matches!(error, PkiError::Incomplete { .. }), "{error}");
            assert!(error.to_string().contains(lost), "{error}");
        }
    }

    #[test]
    fn damaged_and_mismatched_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        Authority::load_or_create(dir.path()).unwrap();
        let other = Authority::generate().unwrap();
        std::fs::write(dir.path().join(CA_CERTIFICATE_FILE), other.certificate_pem()).unwrap();
        let error = Authority::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, PkiError::CaMismatch), "{error}");
        std::fs::write(dir.path().join(CA_KEY_FILE), "nonsense").unwrap();
        let error = Authority::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, PkiError::UnusableCaKey { .. }), "{error}");
    }

    #[test]
    fn an_identity_is_written_with_a_private_key_file() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Authority::generate().unwrap().node("edge-1").unwrap();
        let (certificate, key) = identity.write(dir.path(), "edge-1").unwrap();
        assert_eq!(std::fs::read_to_string(&certificate).unwrap(), identity.certificate_pem);
        assert_eq!(std::fs::read_to_string(&key).unwrap(), identity.key_pem);
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        identity.write(dir.path(), "edge-1").expect("writing again replaces the files");
        assert!(!format!("{identity:?}").contains("PRIVATE"));
    }
}
