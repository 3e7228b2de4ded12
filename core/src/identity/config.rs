//! What an identity needs to know of its node and its cloud.

use super::REQUEST_LIMIT;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// What an identity needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityConfig {
    /// The node's name.
    pub node: Box<str>,
    /// Where the cloud is, as a person would write it for `join`.
    pub cloud: Box<str>,
    /// The node's configuration, for `join`, unless it is where `join` looks anyway.
    pub file: Option<Box<str>>,
    /// How many certificate services can be asked, at most [`SERVICES_MAX`](super::SERVICES_MAX): several of one cloud, with its authority and its
    /// tokens. Without one the files are somebody else's care, and are looked at.
    pub services: usize,
    /// Whether to renew at all (`rotateCertificates`).
    pub rotate: bool,
    /// Whether the token says which cloud is meant, even if there is a pair of another one: for who gives a token by hand.
    pub token_decides: bool,
    /// Who vouches for the cloud's servers if that is somebody else than who signs its nodes, in DER: for who gives that by hand
    /// with a token. They lie beside the authority of the nodes from then on.
    pub servers: Vec<Bytes>,
    /// How long a piece of work may take, a request above all.
    pub request_limit: Duration,
}

impl IdentityConfig {
    /// For this node of this cloud, which has a certificate service; renewed or not, with [`REQUEST_LIMIT`].
    pub fn new(node: impl Into<Box<str>>, cloud: impl Into<Box<str>>, rotate: bool) -> IdentityConfig {
        IdentityConfig {
            node: node.into(),
            cloud: cloud.into(),
            file: None,
            services: 1,
            rotate,
            token_decides: false,
            servers: Vec::new(),
            request_limit: REQUEST_LIMIT,
        }
    }

    /// Whether certificates are renewed here.
    pub(super) fn renews(&self) -> bool {
        self.rotate && self.services > 0
    }
}
