//! What can go wrong on the way to a certificate, each with what to do about it, in one line.

use super::date::Utc;
use super::{Failure, IdentityConfig, Sha256, Validity};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// How many characters of a server's own words are shown.
pub(super) const WORDS_MAX: usize = 200;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The cloud did not answer.
    Unanswered(Failure),
    /// … or not in time.
    TooLate {
        /// How long it had.
        limit: Duration,
    },
    /// The authority's certificate is not the one that the token names.
    WrongHash {
        /// The token's hash.
        expected: Sha256,
        /// The hash of what came.
        found: Sha256,
    },
    /// What came is not a certificate in DER.
    NotACertificate {
        /// What it looks like.
        looks_like: &'static str,
    },
    /// What came as the authority's certificate cannot sign others.
    NotAnAuthority,
    /// The server points somewhere else; a token is never sent there.
    Redirect {
        /// Where to.
        location: Box<str>,
    },
    /// The server refuses the token.
    TokenRefused {
        /// Its words.
        words: Box<str>,
    },
    /// The server answers something else.
    Status {
        /// The HTTP status.
        status: u16,
        /// Its words.
        words: Box<str>,
    },
    /// The certificate is for somebody else.
    WrongNode {
        /// For whom, if for a node.
        found: Option<Box<str>>,
    },
    /// The certificate carries another key.
    WrongKey,
    /// The certificate is not of the cloud's authority.
    WrongAuthority,
    /// The certificate is not valid now, neither by the own clock nor by the cloud's.
    NotValidNow(Validity),
    /// The certificate in the files and the key beside it are not of one pair.
    KeyApart,
    /// The files are damaged, or cannot be read; in words.
    Files(Box<str>),
    /// A connection that this machine's clock and the cloud's do not both allow.
    ClockSkew {
        /// How far the own clock is ahead, in milliseconds; negative for behind.
        ahead_ms: i64,
    },
    /// The certificate expired while it could not be renewed.
    Expired {
        /// The last second of its validity.
        not_after: i64,
    },
    /// The certificate is not valid yet, by the own clock and with nobody who says otherwise.
    NotYetValid {
        /// The first second of its validity.
        not_before: i64,
    },
    /// There is no certificate and no token.
    NoToken,
    /// Files, keys or the disk.
    Local(Box<str>),
}

/// How much a service says of the node by failing, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Nothing: nobody was met.
    Silence,
    /// That the clocks keep the two apart, and nothing of pair or token.
    Clocks,
    /// Somebody answered, or was met at least.
    Answer,
}

impl Problem {
    /// How much a service says of the node with this.
    pub(super) fn weight(&self) -> Weight {
        match self {
            Problem::Unanswered(Failure::Unreachable(_)) | Problem::TooLate { .. } => Weight::Silence,
            Problem::Unanswered(Failure::OutOfDate(_)) | Problem::ClockSkew { .. } => Weight::Clocks,
            other if other.is_of_service() => Weight::Answer,
            _ => Weight::Silence,
        }
    }

    /// Whether another service may do better.
    pub(super) fn is_of_service(&self) -> bool {
        match self {
            Problem::Unanswered(_)
            | Problem::TooLate { .. }
            | Problem::WrongHash { .. }
            | Problem::NotACertificate { .. }
            | Problem::NotAnAuthority
            | Problem::Redirect { .. }
            | Problem::Status { .. }
            | Problem::WrongNode { .. }
            | Problem::WrongKey
            | Problem::WrongAuthority
            | Problem::NotValidNow(_)
            | Problem::ClockSkew { .. } => true,
            Problem::TokenRefused { .. }
            | Problem::KeyApart
            | Problem::Files(_)
            | Problem::Expired { .. }
            | Problem::NotYetValid { .. }
            | Problem::NoToken
            | Problem::Local(_) => false,
        }
    }
}

/// The command that gives a node an identity.
pub fn join_command(config: &IdentityConfig) -> String {
    let file = config.file.as_ref().map(|file| format!(" --config {}", quoted(file))).unwrap_or_default();
    format!("edgehub join{file} --cloud {} --node {} --token TOKEN", config.cloud, config.node)
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+:@%,".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// How far this machine's clock is ahead of the cloud's, in milliseconds, in words; negative for behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skew(pub i64);

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.unsigned_abs() / 1000;
        let side = if self.0 < 0 { "behind" } else { "ahead of" };
        write!(
            f,
            "this machine's clock is {seconds} s {side} the cloud's; set it right, for example with NTP"
        )
    }
}

/// The printable beginning of what a server said.
pub(super) fn words(body: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(body.get(..4 * WORDS_MAX).unwrap_or(body));
    let printable = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    printable.take(WORDS_MAX).collect::<String>().into()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unanswered(Failure::Unreachable(why)) => {
                write!(
                    f,
                    "the certificate service cannot be reached ({why}); check the address, port and network"
                )
            }
            Problem::Unanswered(Failure::Untrusted(why)) => write!(
                f,
                "the server at this address is not trusted, or does not trust this node ({why}); check the port, and that it \
                 is the cloud this node belongs to; if its servers have another authority than its nodes, put that \
                 one into tlsCaFile, too, or join with --servers-ca FILE"
            ),
            Problem::Unanswered(Failure::OutOfDate(why)) => write!(
                f,
                "the certificate of the cloud or of this node is not valid at this time ({why}); check this machine's clock, \
                 and how long the cloud's certificate lasts"
            ),
            Problem::Unanswered(Failure::TooLarge) => write!(
                f,
                "the server sent more than {} bytes where a certificate was expected; check the address and port",
                super::BODY_BYTES_MAX
            ),
            Problem::Unanswered(Failure::Broken(why)) => {
                write!(
                    f,
                    "the answer is not that of a certificate service ({why}); check the address and port"
                )
            }
            Problem::TooLate { limit } => write!(
                f,
                "the certificate service took longer than {} s; check the network and the load of the cloud",
                limit.as_secs_f64()
            ),
            Problem::WrongHash { expected, found } => write!(
                f,
                "the token is for another cloud: it names the authority {expected}, this cloud has {found}; take a \
                 token of this cloud, and nobody else's advice to skip this check"
            ),
            Problem::NotACertificate { looks_like } => write!(
                f,
                "the server sent {looks_like} instead of a certificate in DER; check the address and port, and that no \
                 proxy or portal answers in its place"
            ),
            Problem::NotAnAuthority => {
                f.write_str("what the server sent as its authority's certificate is not one of an authority")
            }
            Problem::Redirect { location } => write!(
                f,
                "the server points to {location}, which is not followed with a secret in hand; give that address if it \
                 is the cloud's"
            ),
            Problem::TokenRefused { words } => {
                write!(f, "the cloud refuses the token ({words}); tokens expire after a day: get a new one")
            }
            Problem::Status { status, words } => {
                write!(f, "the certificate service answers {status} ({words})")
            }
            Problem::WrongNode { found: Some(found) } => {
                write!(f, "the certificate is for the node {found}; check the node's name")
            }
            Problem::WrongNode { found: None } => f.write_str("the certificate is not for a node"),
            Problem::WrongKey => f.write_str("the certificate carries another key than the one asked for"),
            Problem::WrongAuthority => f.write_str("the certificate is not signed by the cloud's authority"),
            Problem::NotValidNow(Validity { not_before, not_after }) => write!(
                f,
                "the certificate is valid from {} to {}, and that is not now; check the clocks of this machine and of the \
                 cloud",
                Utc(*not_before),
                Utc(*not_after)
            ),
            Problem::KeyApart => {
                f.write_str("the certificate in the files and the key beside it are not of one pair")
            }
            Problem::Files(why) => write!(f, "{why}"),
            Problem::ClockSkew { ahead_ms } => {
                write!(f, "a certificate is out of date by one of the two clocks: {}", Skew(*ahead_ms))
            }
            Problem::Expired { not_after } => {
                write!(f, "the certificate expired on {}, and a token is needed", Utc(*not_after))
            }
            Problem::NotYetValid { not_before } => write!(
                f,
                "the certificate is not valid before {}; check this machine's clock",
                Utc(*not_before)
            ),
            Problem::NoToken => f.write_str("there is no certificate, and no token to get one with"),
            Problem::Local(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for Problem {}
