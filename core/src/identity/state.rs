//! The life of a node's identity, as a table.
//!
//! ```text
//!      ┌──────────── failed ─────────────┬───────────────┐
//!      ▼                                 │               │
//!   NoIdentity ─ CA matches ─▶ CaPinned ─┴─ key made ─▶ Requested
//!    │  ▲  │                                             │   │
//!    │  │  └──────── found on disk ──────┐    stored ────┘   │ token refused
//!    │  │                                ▼    ▼              ▼
//!    │  └──────── expired ───────────── Usable ◀─ found ─ NeedsToken    (found, or stored after a second trial)
//!    │  │                              due │ ▲ stored, found ▲ │
//!    │  └──────── expired, doubted ─────── ▼ │               │ │ token found
//!    │                                 Rotating              │ └──▶ NoIdentity
//!    └──────────────────── no token ─────────────────────────┘
//! ```
//!
//! There is no end and no dead end: whatever state it is in, it looks again after a known time, an hour at the most, and so
//! whoever repairs a node by hand (a new token, files of another `join`, a clock that is put right) is noticed without a
//! restart.

/// Where an identity is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdentityState {
    /// Nothing that can be used; a token or the files may change that.
    NoIdentity,
    /// The authority's certificate is the one that the token names.
    CaPinned,
    /// A key was made here, and a certificate is asked for.
    Requested,
    /// There is a certificate, valid as far as is known.
    Usable,
    /// The same, and a new one is being asked for with it.
    Rotating,
    /// Only a person can help: with a token. Files and clocks are looked at all the same.
    NeedsToken,
}

/// What can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityChange {
    /// A usable pair is on disk that was not in use so far.
    Found,
    /// The authority's certificate has the hash that the token names.
    CaMatches,
    /// The key pair and the request are made.
    KeyMade,
    /// The new pair is on disk, durable.
    Stored,
    /// It is time to renew.
    Due,
    /// An attempt to join failed.
    Failed,
    /// There is no token, none that the cloud takes, or none that names the authority which answers.
    NoToken,
    /// There is a token that was not refused before.
    TokenFound,
    /// The certificate is out of its validity.
    Expired,
    /// The cloud does not take a pair on trial, of an unknown authority or valid on hearsay, and there is a token.
    Doubted,
}

impl IdentityState {
    /// Every state, for tests and pictures.
    pub const ALL: [IdentityState; 6] = [
        IdentityState::NoIdentity,
        IdentityState::CaPinned,
        IdentityState::Requested,
        IdentityState::Usable,
        IdentityState::Rotating,
        IdentityState::NeedsToken,
    ];

    /// The state after a change, or `None` when the change has no place in this state.
    pub fn after(self, change: IdentityChange) -> Option<IdentityState> {
        use IdentityChange as C;
        use IdentityState as S;
        Some(match (self, change) {
            (S::NoIdentity | S::Usable | S::Rotating | S::NeedsToken, C::Found) => S::Usable,
            (S::NoIdentity, C::CaMatches) => S::CaPinned,
            (S::CaPinned, C::KeyMade) => S::Requested,
            (S::NoIdentity | S::Requested | S::Rotating | S::NeedsToken, C::Stored) => S::Usable,
            (S::Usable, C::Due) => S::Rotating,
            (S::CaPinned | S::Requested, C::Failed) => S::NoIdentity,
            (S::NoIdentity | S::Requested, C::NoToken) => S::NeedsToken,
            (S::NeedsToken, C::TokenFound) => S::NoIdentity,
            (S::Usable | S::Rotating, C::Expired) => S::NoIdentity,
            (S::Rotating, C::Doubted) => S::NoIdentity,
            _ => return None,
        })
    }

    /// Whether there is a pair to open links with.
    pub fn is_usable(self) -> bool {
        matches!(self, IdentityState::Usable | IdentityState::Rotating)
    }
}

impl IdentityChange {
    /// Every change, for tests and pictures.
    pub const ALL: [IdentityChange; 10] = [
        IdentityChange::Found,
        IdentityChange::CaMatches,
        IdentityChange::KeyMade,
        IdentityChange::Stored,
        IdentityChange::Due,
        IdentityChange::Failed,
        IdentityChange::NoToken,
        IdentityChange::TokenFound,
        IdentityChange::Expired,
        IdentityChange::Doubted,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// The whole table, every state × change.
    #[test]
    fn the_table_is_pinned() {
        let mut table = String::new();
        for state in IdentityState::ALL {
            for change in IdentityChange::ALL {
                if let Some(next) = state.after(change) {
                    table += &format!("{state:?} + {change:?} = {next:?}\n");
                }
            }
        }
        assert_eq!(
            table,
            "NoIdentity + Found = Usable\n\
             NoIdentity + CaMatches = CaPinned\n\
             NoIdentity + Stored = Usable\n\
             NoIdentity + NoToken = NeedsToken\n\
             CaPinned + KeyMade = Requested\n\
             CaPinned + Failed = NoIdentity\n\
             Requested + Stored = Usable\n\
             Requested + Failed = NoIdentity\n\
             Requested + NoToken = NeedsToken\n\
             Usable + Found = Usable\n\
             Usable + Due = Rotating\n\
             Usable + Expired = NoIdentity\n\
             Rotating + Found = Usable\n\
             Rotating + Stored = Usable\n\
             Rotating + Expired = NoIdentity\n\
             Rotating + Doubted = NoIdentity\n\
             NeedsToken + Found = Usable\n\
             NeedsToken + Stored = Usable\n\
             NeedsToken + TokenFound = NoIdentity\n"
        );
    }
}
