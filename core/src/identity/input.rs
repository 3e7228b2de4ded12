//! What can happen to an identity. The list is closed.

use super::{JoinToken, Sha256};
use crate::time::UnixMillis;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

/// One piece of work that the driver was asked for. What an older one still has to say changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WorkNumber(pub u64);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityInput {
    /// The time of the next deadline came, or so the driver believes.
    Tick,
    /// What is on disk, and which token there is.
    Loaded {
        /// The work.
        work: WorkNumber,
        /// The certificate, if all files are there; why they cannot be read, in words, if they are damaged.
        pair: Result<Option<Certificate>, Box<str>>,
        /// The authorities' certificates in DER, the newest first; also those that somebody put there for the cloud's servers.
        roots: Vec<Bytes>,
        /// The one of them that leaves with the next renewal, as the last `Write` said.
        superseded: Option<Bytes>,
        /// The token, from wherever one is configured.
        token: Option<JoinToken>,
    },
    /// The cloud answered.
    Answered {
        /// The work.
        work: WorkNumber,
        /// Its answer.
        answer: Answer,
    },
    /// It did not.
    Unanswered {
        /// The work.
        work: WorkNumber,
        /// Why not.
        failure: Failure,
    },
    /// A key pair was made, and is held under the number of the work.
    KeyMade {
        /// The work.
        work: WorkNumber,
        /// The request for a certificate, PKCS#10 in DER.
        request: Bytes,
    },
    /// The new files are in place, durable.
    Written {
        /// The work.
        work: WorkNumber,
    },
    /// A key could not be made, or files not be written.
    Failed {
        /// The work.
        work: WorkNumber,
        /// Why not, in words.
        why: Box<str>,
    },
    /// Somebody gave a token.
    Token(JoinToken),
}

/// An answer over HTTP, of at most [`BODY_BYTES_MAX`](super::BODY_BYTES_MAX).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Date`, if there is one that can be read.
    pub date: Option<UnixMillis>,
    /// The header `Location`.
    pub location: Option<Box<str>>,
    /// The body.
    pub body: Bytes,
    /// What the body says if it is a certificate in DER and nothing else.
    pub certificate: Option<Certificate>,
}

/// What is to be known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The hash of its DER.
    pub digest: Sha256,
    /// When it is valid.
    pub validity: Validity,
    /// The node that it names (`O=system:nodes, CN=system:node:NODE`), if it names one.
    pub node: Option<Box<str>>,
    /// Whether it may sign other certificates.
    pub is_authority: bool,
    /// Whether it carries the public half of the key it was asked for with, or that lies beside it.
    pub is_of_key: bool,
    /// Who signed it, if it is one of those that were named with the work, or that lie beside it.
    pub signed_by: Option<Authority>,
}

/// An authority's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The hash of its DER.
    pub digest: Sha256,
    /// Its DER.
    pub der: Bytes,
}

/// When a certificate is valid, both ends included, in seconds of the Unix era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No connection: name, network, proxy, or nobody listens.
    Unreachable(Box<str>),
    /// The server's certificate is not one of the cloud's, or ours is not taken.
    Untrusted(Box<str>),
    /// The server's certificate is out of its validity by the own clock, or ours by the server's.
    OutOfDate(Box<str>),
    /// The answer is longer than [`BODY_BYTES_MAX`](super::BODY_BYTES_MAX).
    TooLarge,
    /// What came is not HTTP, or ended in the middle.
    Broken(Box<str>),
}
