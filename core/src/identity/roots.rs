//! Who is trusted, and for how long.
//!
//! Two kinds of authorities lie in one file. One signs the nodes' certificates: the cloud hands it out, a token names it, and
//! it changes with the cloud. Others vouch for the cloud's servers: a person put them there, for a load balancer or servers
//! with certificates of the company's, and nobody but a person takes them out. So a renewal adds what the cloud hands out, and
//! what signed before it leaves with the renewal after that; a join leaves it at once. Everything else stays.

use super::ROOTS_MAX;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

/// What is in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Roots {
    /// In DER, the newest first.
    pub(super) all: Vec<Bytes>,
    /// The one that leaves with the next renewal.
    pub(super) superseded: Option<Bytes>,
}

impl Roots {
    /// What was found, up to [`ROOTS_MAX`].
    pub(super) fn new(mut all: Vec<Bytes>, superseded: Option<Bytes>) -> Roots {
        all.truncate(ROOTS_MAX);
        Roots { all, superseded }
    }

    /// What is trusted from a renewal on that brings this authority, with a pair that `signer` signed.
    pub(super) fn renewed(&self, authority: &Bytes, signer: Option<&Bytes>) -> Roots {
        let superseded = signer.filter(|signer| *signer != authority).cloned();
        Roots { superseded: superseded.clone(), ..self.with(authority, superseded, None) }
    }

    /// … from a join on. Without a pair nothing tells for what the rest was there.
    pub(super) fn joined(&self, authority: &Bytes, signer: Option<&Bytes>) -> Roots {
        self.with(authority, None, signer)
    }

    /// The same, and these, who vouch for the servers.
    pub(super) fn and_servers(mut self, servers: &[Bytes]) -> Roots {
        for server in servers {
            if !self.all.contains(server) {
                self.all.push(server.clone());
            }
        }
        Roots::new(self.all, self.superseded)
    }

    /// Whether a certificate of a node may be this one's: of the newest, or in a renewal still of the one before.
    pub(super) fn may_sign(&self, authority: &Bytes) -> bool {
        self.all.first() == Some(authority) || self.superseded.as_ref() == Some(authority)
    }

    fn with(&self, authority: &Bytes, before: Option<Bytes>, without: Option<&Bytes>) -> Roots {
        let mut all = vec![authority.clone()];
        all.extend(before);
        let stays = |root: &&Bytes| Some(*root) != self.superseded.as_ref() && Some(*root) != without;
        for root in self.all.iter().filter(stays) {
            if !all.contains(root) {
                all.push(root.clone());
            }
        }
        Roots::new(all, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(roots: &[&'static str], superseded: Option<&'static str>) -> Roots {
        Roots::new(roots.iter().map(|root| (*root).into()).collect(), superseded.map(Into::into))
    }

    #[test]
    fn a_renewal_keeps_the_old_authority_for_once_and_others_for_ever() {
        let check = |before: Roots, signer: Option<&'static str>, authority: &'static str, after: Roots| {
            assert_eq!(before.renewed(&authority.into(), signer.map(Bytes::from).as_ref()), after);
        };
        check(of(&["a"], None), Some("a"), "a", of(&["a"], None));
        check(of(&["a"], None), Some("a"), "b", of(&["b", "a"], Some("a")));
        check(of(&["b", "a"], Some("a")), Some("b"), "b", of(&["b"], None));
        check(of(&["b", "a"], Some("a")), Some("b"), "c", of(&["c", "b"], Some("b")));
        check(of(&["b", "a"], Some("a")), Some("b"), "a", of(&["a", "b"], Some("b")));
        // Somebody put them there for the servers.
        check(of(&["servers"], None), None, "a", of(&["a", "servers"], None));
        check(of(&["a", "servers"], None), Some("a"), "a", of(&["a", "servers"], None));
        check(of(&["servers", "a"], None), Some("a"), "b", of(&["b", "a", "servers"], Some("a")));
        check(of(&["b", "a", "servers"], Some("a")), Some("b"), "b", of(&["b", "servers"], None));
    }

    #[test]
    fn a_join_leaves_what_signed_before() {
        let check = |before: Roots, signer: Option<&'static str>, after: &[&'static str]| {
            let joined = before.joined(&Bytes::from("new"), signer.map(Bytes::from).as_ref());
            assert_eq!(joined, of(after, None));
        };
        check(of(&["a"], None), Some("a"), &["new"]);
        check(of(&["new"], None), Some("new"), &["new"]);
        check(of(&["b", "a", "servers"], Some("a")), Some("b"), &["new", "servers"]);
        check(of(&["servers"], None), None, &["new", "servers"]);
    }

    #[test]
    fn who_vouches_for_the_servers_comes_last_and_once() {
        let servers =
            |names: &[&'static str]| names.iter().map(|name| (*name).into()).collect::<Vec<Bytes>>();
        assert_eq!(of(&["a"], None).and_servers(&servers(&["b", "a"])), of(&["a", "b"], None));
        assert_eq!(of(&["a", "b"], Some("b")).and_servers(&[]), of(&["a", "b"], Some("b")));
    }

    #[test]
    fn there_is_a_most() {
        let roots = (0..=ROOTS_MAX).map(|number| Bytes::from(vec![number as u8, (number >> 8) as u8]));
        assert_eq!(Roots::new(roots.collect(), None).renewed(&"a".into(), None).all.len(), ROOTS_MAX);
    }
}
