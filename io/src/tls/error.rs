//! What can be wrong with a TLS file, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// A TLS file that cannot be used: which one, why, and what to do. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The file, or a name in angle brackets for text that came from memory.
    pub file: PathBuf,
    /// What the file is there for.
    pub role: FileRole,
    /// What is wrong with it.
    pub problem: Problem,
    /// Particulars: a date, the other file, the system's own words. May be empty.
    pub detail: String,
}

/// What a file is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The authority that the peer is verified against (`tlsCaFile`).
    Ca,
    /// The own certificate (`tlsCertFile`).
    Certificate,
    /// The own private key (`tlsPrivateKeyFile`).
    Key,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such file.
    Missing,
    /// The file is there and cannot be read.
    Unreadable,
    /// The file holds no PEM section at all.
    NotPem,
    /// A PEM section is damaged.
    BadPem,
    /// The file is PEM without a certificate in it.
    NoCertificate,
    /// The file is PEM without a private key in it.
    NoKey,
    /// The certificate cannot be parsed, or has a form that TLS does not accept.
    BadCertificate,
    /// The private key is protected by a passphrase.
    EncryptedKey,
    /// The private key is damaged or of an unsupported kind.
    UnusableKey,
    /// The private key belongs to another certificate.
    KeyMismatch,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not come yet.
    NotYetValid,
    /// The TLS library refuses the combination.
    Rejected,
}

impl FileRole {
    fn what(self) -> &'static str {
        match self {
            Self::Ca => "CA certificate",
            Self::Certificate => "certificate",
            Self::Key => "private key",
        }
    }

    /// The configuration key that names the file.
    fn setting(self) -> &'static str {
        match self {
            Self::Ca => "tlsCaFile",
            Self::Certificate => "tlsCertFile",
            Self::Key => "tlsPrivateKeyFile",
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, setting, detail) = (self.role.what(), self.role.setting(), &self.detail);
        write!(f, "{}: ", self.file.display())?;
        match self.problem {
            Problem::Missing => write!(
                f,
                "no such file; point {setting} at the {what}, or join the node to the cloud to get one"
            ),
            Problem::Unreadable => {
                write!(f, "the {what} cannot be read ({detail}); check the file's owner and mode")
            }
            Problem::NotPem => match self.role {
                FileRole::Key => write!(f, "not a PEM file; put the {what} there in PEM form"),
                FileRole::Ca | FileRole::Certificate => write!(
                    f,
                    "not a PEM file; put the {what} there in PEM form (`openssl x509 -inform der` converts DER)"
                ),
            },
            Problem::BadPem => write!(f, "damaged PEM ({detail}); copy the {what} there again"),
            Problem::NoCertificate => write!(
                f,
                "no CERTIFICATE section in it; check that {setting} points at the {what} and not at another file"
            ),
            Problem::NoKey => write!(
                f,
                "no PRIVATE KEY or EC PRIVATE KEY section in it; check that {setting} points at the {what} and not \
                 at another file"
            ),
            Problem::BadCertificate => {
                write!(
                    f,
                    "the {what} is damaged or not X.509 v3 ({detail}); copy it there again or issue it anew"
                )
            }
            Problem::EncryptedKey => write!(
                f,
                "the private key is protected by a passphrase; remove it with `openssl pkcs8 -in OLD -out NEW`"
            ),
            Problem::UnusableKey => write!(
                f,
                "the private key is damaged or of an unsupported kind; use ECDSA P-256 or P-384, Ed25519 or RSA, \
                 as SEC1, PKCS#1 or PKCS#8"
            ),
            Problem::KeyMismatch => write!(
                f,
                "the private key does not belong to the certificate in {detail}; restore the pair, or join again to \
                 get a new one"
            ),
            Problem::Expired => write!(
                f,
                "the {what} expired on {detail}; join the node again with a fresh token, or correct the system clock"
            ),
            Problem::NotYetValid => {
                write!(
                    f,
                    "the {what} is not valid before {detail}; correct the system clock, or issue it anew"
                )
            }
            Problem::Rejected => write!(f, "the {what} cannot be used for TLS ({detail}); issue it anew"),
        }
    }
}

impl std::error::Error for TlsError {}
