//! What can go wrong with the embedded certificate authority, each with its remedy, in one line.

use std::path::PathBuf;
use std::{fmt, io};

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why the authority could not be made, read or used.
#[derive(Debug)]
pub enum PkiError {
    /// A file of the authority cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A certificate or key cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The authority's certificate is there without its key, or the other way round.
    Incomplete {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// The authority's certificate cannot be used.
    UnusableCa {
        /// What is wrong with it.
        detail: String,
    },
    /// The authority's key cannot be used.
    UnusableCaKey {
        /// What is wrong with it.
        detail: String,
    },
    /// The authority's key belongs to another certificate.
    CaMismatch,
    /// A server certificate was asked for without any host name or address.
    NoServerName,
    /// A certificate cannot carry this name.
    BadName {
        /// The name or names asked for.
        names: String,
        /// Why not.
        detail: String,
    },
    /// The key that signs tokens cannot be used.
    UnusableTokenKey {
        /// Its file.
        path: PathBuf,
    },
    /// The system has no randomness to give.
    NoRandomness,
    /// The cryptographic library failed.
    Issue(rcgen::Error),
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => {
                write!(f, "{}: cannot be read ({error}); check its owner and mode", path.display())
            }
            Self::Write { path, error } => write!(
                f,
                "{}: cannot be written ({error}); check the free space and the directory's owner and mode",
                path.display()
            ),
            Self::Incomplete { present, missing } => write!(
                f,
                "{}: missing although {} is there; restore it from a backup, or remove both to start a new authority \
                 that every node must be told about",
                missing.display(),
                present.display()
            ),
            Self::UnusableCa { detail } => write!(
                f,
                "the authority's certificate cannot be used ({detail}); it must be one PEM certificate of an authority"
            ),
            Self::UnusableCaKey { detail } => write!(
                f,
                "the authority's key cannot be used ({detail}); it must be an ECDSA P-256 key as PKCS#8 PEM, and \
                 `openssl pkcs8 -topk8 -nocrypt` converts an EC PRIVATE KEY"
            ),
            Self::CaMismatch => write!(
                f,
                "the authority's key does not belong to its certificate; restore the two files of the same authority"
            ),
            Self::NoServerName => {
                write!(f, "a server certificate needs at least one host name or IP address; name one")
            }
            Self::BadName { names, detail } => {
                write!(
                    f,
                    "a certificate cannot carry the name `{names}` ({detail}); use ASCII host or node names"
                )
            }
            Self::UnusableTokenKey { path } => write!(
                f,
                "{}: not a key for tokens (64 or more hexadecimal digits); remove it to have a new one made, which makes \
                 every token given so far worthless",
                path.display()
            ),
            Self::NoRandomness => f.write_str("the system gives no random numbers; check /dev/urandom"),
            Self::Issue(error) => write!(f, "the certificate could not be made: {error}"),
        }
    }
}

impl std::error::Error for PkiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } | Self::Write { error, .. } => Some(error),
            Self::Issue(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rcgen::Error> for PkiError {
    fn from(error: rcgen::Error) -> Self {
        Self::Issue(error)
    }
}

/// Checks that the certificate is readable and carries the public half of the key; returns it in DER.
pub(super) fn check_pair(certificate_pem: &str, key: &KeyPair) -> Result<Vec<u8>, PkiError> {
    let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
        .map_err(|error| PkiError::UnusableCa { detail: error.to_string() })?;
    let (_, certificate) = X509Certificate::from_der(&der)
        .map_err(|error| PkiError::UnusableCa { detail: error.to_string() })?;
    if !certificate.is_ca() {
        return Err(PkiError::UnusableCa { detail: "it is not the certificate of an authority".into() });
    }
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err(PkiError::CaMismatch);
    }
    Ok(der.to_vec())
}
