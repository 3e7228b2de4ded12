//! What an identity wants done, and what it tells.

use super::{IdentityState, Problem, WorkNumber};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

/// One thing to do. Each piece of work is answered once, with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityOutput {
    /// Look at the files and for a token, hold what was read under this number, and report `Loaded`.
    Load {
        /// The work.
        work: WorkNumber,
    },
    /// Send a request to the cloud's certificate service; report `Answered` or `Unanswered`.
    Send {
        /// The work.
        work: WorkNumber,
        /// Which of the services, in the order of the configuration.
        service: usize,
        /// What to ask.
        request: Request,
        /// Whom to trust.
        trust: Trust,
    },
    /// Give up a request: it took too long, and nobody waits for it any more.
    Cancel {
        /// The work.
        work: WorkNumber,
    },
    /// Make an ECDSA P-256 key pair, hold it under this number, and report `KeyMade`, or `Failed`.
    MakeKey {
        /// The work.
        work: WorkNumber,
    },
    /// Put the new files in place, all or none, durable, and hold them under this number; report `Written` or `Failed`.
    Write {
        /// The work.
        work: WorkNumber,
        /// Under which number the key is held.
        key: WorkNumber,
        /// The certificate in DER.
        certificate: Bytes,
        /// The authorities' certificates in DER, the newest first.
        roots: Vec<Bytes>,
        /// The one of them that leaves with the next renewal, to be told with `Loaded`.
        superseded: Option<Bytes>,
        /// Under which number the files are held that these replace: `Failed` if others lie there now, for somebody else has put
        /// them there. Without a number they replace whatever there is.
        instead_of: Option<WorkNumber>,
    },
    /// A pair was found or put in place that was not in use so far: open links with it from now on. Exactly with that one, which
    /// was judged: by now the files may be others.
    Use {
        /// Under which number it is held: that of the last `Loaded` or `Written`, or of the last `Use`, for what lies on disk now is
        /// worth less.
        files: WorkNumber,
    },
    /// What happened and why. Whoever drops every note sees the same everything else.
    Note(IdentityNote),
}

/// What can be asked of a certificate service. Its token is a secret, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// The authority's certificate: `GET /ca.crt`.
    Authority,
    /// What time it is: the same, for the `Date` of the answer alone.
    Time,
    /// A first certificate: `GET /edge.crt` with the request as its body, and a token.
    Join {
        /// PKCS#10 in DER.
        request: Bytes,
        /// What goes into the header `Authorization`, after `Bearer`.
        jwt: Box<str>,
    },
    /// The next certificate: the same, with the present pair instead of a token.
    Renew {
        /// PKCS#10 in DER.
        request: Bytes,
    },
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Authority => f.write_str("Authority"),
            Request::Time => f.write_str("Time"),
            Request::Join { request, .. } => {
                f.debug_struct("Join").field("request", request).finish_non_exhaustive()
            }
            Request::Renew { request } => f.debug_struct("Renew").field("request", request).finish(),
        }
    }
}

/// Whom a request trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Whoever answers: what comes is checked by its hash.
    Anybody,
    /// Who has a certificate of one of these authorities (in DER), for the name that was dialled.
    Roots(Vec<Bytes>),
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityNote {
    /// The state is another one.
    State(IdentityState),
    /// Something went wrong; the next attempt follows.
    Problem {
        /// What.
        problem: Problem,
        /// After so long; at once if another service is asked.
        retry_in: Duration,
    },
    /// The own clock is ahead of the cloud's by so many milliseconds, or behind.
    ClockSkew {
        /// Milliseconds; negative for behind.
        ahead_ms: i64,
    },
    /// The authority's certificate is a new one, accepted through the old one; both are trusted until the next renewal.
    NewAuthority,
}
