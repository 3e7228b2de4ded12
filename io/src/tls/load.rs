//! Reads and checks the three PEM files, turning each thing that can be wrong with them into its own error.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{ClientFiles, FileRole, Pems, Problem, TlsError};

/// One file's bytes, with what an error about them has to say.
pub(super) struct Source {
    file: PathBuf,
    role: FileRole,
    bytes: Vec<u8>,
}

impl Source {
    /// Reads CA, certificate and key, in this order.
    pub(super) fn read_all(files: &ClientFiles) -> Result<[Self; 3], TlsError> {
        Ok([
            Self::read(&files.ca, FileRole::Ca)?,
            Self::read(&files.certificate, FileRole::Certificate)?,
            Self::read(&files.key, FileRole::Key)?,
        ])
    }

    /// Takes CA, certificate and key from memory, in this order.
    pub(super) fn in_memory(pems: Pems<'_>) -> [Self; 3] {
        let source = |name: &str, role, text: &str| Self { file: name.into(), role, bytes: text.into() };
        [
            source("<CA in memory>", FileRole::Ca, pems.ca),
            source("<certificate in memory>", FileRole::Certificate, pems.certificate),
            source("<key in memory>", FileRole::Key, pems.key),
        ]
    }

    /// Reads one of them.
    pub(super) fn read(file: &Path, role: FileRole) -> Result<Self, TlsError> {
        let unread = Self { file: file.to_owned(), role, bytes: Vec::new() };
        match fs::read(file) {
            Ok(bytes) => Ok(Self { bytes, ..unread }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(unread.error(Problem::Missing, "")),
            Err(error) => Err(unread.error(Problem::Unreadable, error)),
        }
    }

    /// The error for something that the TLS library refuses although it was read well.
    pub(super) fn rejected(&self, detail: impl Display) -> TlsError {
        self.error(Problem::Rejected, detail)
    }

    fn error(&self, problem: Problem, detail: impl Display) -> TlsError {
        let detail = detail.to_string().replace(['\n', '\r'], " ");
        TlsError { file: self.file.clone(), role: self.role, problem, detail }
    }

    /// All PEM sections of one kind; `absent` when the file holds other sections only.
    fn sections<T: PemObject>(&self, absent: Problem) -> Result<Vec<T>, TlsError> {
        let items: Result<Vec<T>, pem::Error> = T::pem_slice_iter(&self.bytes).collect();
        let items = items.map_err(|error| self.error(Problem::BadPem, error))?;
        if !items.is_empty() {
            return Ok(items);
        }
        Err(self.error(if self.contains("-----BEGIN ") { absent } else { Problem::NotPem }, ""))
    }

    fn contains(&self, words: &str) -> bool {
        self.bytes.windows(words.len()).any(|window| window == words.as_bytes())
    }
}

/// The authorities that a peer may be signed by.
pub(super) fn roots(ca: &Source) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|error| ca.error(Problem::BadCertificate, error))?;
    }
    Ok(roots)
}

/// Every certificate of a file.
pub(super) fn certificates(source: &Source) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    source.sections(Problem::NoCertificate)
}

/// The own certificate and key, as they are.
pub(super) fn pair(
    certificate: &Source,
    key: &Source,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    Ok(CertifiedKey::new(certificates(certificate)?, signing_key(key, provider)?))
}

/// The own certificate and key: parsed, valid at `now` if that is given, and belonging together.
pub(super) fn certified_key(
    certificate: &Source,
    key: &Source,
    provider: &CryptoProvider,
    now: Option<SystemTime>,
) -> Result<CertifiedKey, TlsError> {
    let own = pair(certificate, key, provider)?;
    if let (Some(der), Some(now)) = (own.cert.first(), now) {
        check_validity(certificate, der, now)?;
    }
    match own.keys_match() {
        Ok(()) => Ok(own),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(own),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(key.error(Problem::KeyMismatch, certificate.file.display()))
        }
        Err(error) => Err(certificate.error(Problem::BadCertificate, error)),
    }
}

/// Reads the key under its label first, and under the others after that: some peers write SEC1 bytes under
/// `PRIVATE KEY`.
fn signing_key(key: &Source, provider: &CryptoProvider) -> Result<Arc<dyn SigningKey>, TlsError> {
    let absent =
        if key.contains("BEGIN ENCRYPTED PRIVATE KEY") { Problem::EncryptedKey } else { Problem::NoKey };
    let keys = key.sections::<PrivateKeyDer<'static>>(absent)?;
    let load = |der: PrivateKeyDer<'static>| provider.key_provider.load_private_key(der).ok();
    keys.into_iter()
        .find_map(|labelled| {
            let der = labelled.secret_der().to_vec();
            load(labelled)
                .or_else(|| load(PrivateKeyDer::Sec1(der.clone().into())))
                .or_else(|| load(PrivateKeyDer::Pkcs8(der.clone().into())))
                .or_else(|| load(PrivateKeyDer::Pkcs1(der.into())))
        })
        .ok_or_else(|| key.error(Problem::UnusableKey, ""))
}

fn check_validity(source: &Source, der: &[u8], now: SystemTime) -> Result<(), TlsError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| source.error(Problem::BadCertificate, error))?;
    let validity = certificate.validity();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        return Err(source.error(Problem::Expired, utc(validity.not_after.timestamp())));
    }
    if now < validity.not_before.timestamp() {
        return Err(source.error(Problem::NotYetValid, utc(validity.not_before.timestamp())));
    }
    Ok(())
}

/// `2026-10-31 12:00:00 UTC`.
fn utc(timestamp: i64) -> String {
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(timestamp) else {
        return format!("second {timestamp} of the Unix era");
    };
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", u8::from(month))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pki::Authority;

    /// The SEC1 structure inside an ECDSA P-256 PKCS#8 document: everything inside its last octet string.
    fn sec1(pkcs8_pem: &str) -> Vec<u8> {
        let key = PrivateKeyDer::from_pem_slice(pkcs8_pem.as_bytes()).unwrap();
        let der = key.secret_der();
        let at = der.windows(3).position(|bytes| bytes == [0x02, 0x01, 0x01]).unwrap();
        der[at - 2..].to_vec()
    }

    fn pem(label: &str, der: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut body = String::new();
        for chunk in der.chunks(3) {
            let bits =
                chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
                body.push(if place <= chunk.len() { char::from(letter) } else { '=' });
            }
        }
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn load(certificate: &str, key: &str, now: SystemTime) -> Result<CertifiedKey, TlsError> {
        let [_, certificate, key] = Source::in_memory(Pems { ca: "", certificate, key });
        certified_key(&certificate, &key, &rustls::crypto::ring::default_provider(), Some(now))
    }

    #[test]
    fn keys_load_whatever_their_label() {
        let identity = Authority::generate().unwrap().node("edge-1").unwrap();
        let sec1 = sec1(&identity.key_pem);
        let pkcs8 = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
        for key in [
            identity.key_pem.clone(),
            pem("EC PRIVATE KEY", &sec1),
            pem("PRIVATE KEY", &sec1),
            pem("EC PRIVATE KEY", pkcs8.secret_der()),
            format!("{}{}", identity.certificate_pem, identity.key_pem),
        ] {
            load(&identity.certificate_pem, &key, SystemTime::now()).unwrap();
        }
    }

    #[test]
    fn validity_includes_its_first_and_last_second() {
        let authority = Authority::generate().unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let identity = authority
            .issue(&crate::pki::Profile {
                purpose: crate::pki::Purpose::Node { name: "edge-1".into() },
                not_before: at(1_000_000),
                not_after: at(2_000_000),
            })
            .unwrap();
        let problem = |seconds| {
            load(&identity.certificate_pem, &identity.key_pem, at(seconds)).err().map(|error| error.problem)
        };
        assert_eq!(problem(999_999), Some(Problem::NotYetValid));
        assert_eq!(problem(1_000_000), None);
        assert_eq!(problem(2_000_000), None);
        assert_eq!(problem(2_000_001), Some(Problem::Expired));
    }

    #[test]
    fn moments_read_like_a_clock() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(1_790_000_000), "2026-09-21 14:13:20 UTC");
        assert_eq!(utc(i64::MAX), "second 9223372036854775807 of the Unix era");
    }
}
