//! Finds a place by a hash, in the same time however many there are: a table of chains, whose links lie beside the
//! places. It allocates only when it grows.

use crate::hub::consistent::takes;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Chains to begin with; a power of two, as after every growth.
const CHAINS: usize = 64;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    /// The first place of each chain.
    heads: Vec<Option<usize>>,
    /// For each place: its hash, and the next place of its chain.
    links: Vec<(u64, Option<usize>)>,
    len: usize,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For each of so many places whether it is in the table; `None` if the table can be none: a place is in two chains or
    /// the wrong one, or there is none of that number. `of` is the hash that a place must have.
    pub(super) fn places(&self, places: usize, of: impl Fn(usize) -> Option<u64>) -> Option<Vec<bool>> {
        let chains = self.heads.len();
        if !(chains == 0 || chains.is_power_of_two()) || self.links.len() > places {
            return None;
        }
        let mut taken = vec![false; places];
        for (chain, head) in self.heads.iter().enumerate() {
            let mut next = *head;
            while let Some(place) = next {
                let &(hash, behind) = self.links.get(place)?;
                if !takes(&mut taken, place) || of(place) != Some(hash) || self.chain(hash) != chain {
                    return None;
                }
                next = behind;
            }
        }
        (taken.iter().filter(|taken| **taken).count() == self.len).then_some(taken)
    }

    /// The place of this hash that `is_it` says yes to.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut next = *self.heads.get(self.chain(hash))?;
        while let Some(place) = next {
            let (of, behind) = *self.links.get(place)?;
            if of == hash && is_it(place) {
                return Some(place);
            }
            next = behind;
        }
        None
    }

    /// Adds a place that is not there.
    pub(super) fn insert(&mut self, hash: u64, place: usize) {
        if self.len >= self.heads.len() {
            self.grow();
        }
        if self.links.len() <= place {
            self.links.resize(place + 1, (0, None));
        }
        let chain = self.chain(hash);
        self.links[place] = (hash, self.heads[chain].replace(place));
        self.len += 1;
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(&(hash, behind)) = self.links.get(place) else { return };
        let chain = self.chain(hash);
        let Some(mut at) = self.heads.get(chain).copied().flatten() else { return };
        if at == place {
            self.heads[chain] = behind;
            self.len -= 1;
            return;
        }
        while let Some(next) = self.links[at].1 {
            if next == place {
                self.links[at].1 = behind;
                self.len -= 1;
                return;
            }
            at = next;
        }
    }

    /// More than there is, as long as there is none.
    fn chain(&self, hash: u64) -> usize {
        hash as usize & self.heads.len().wrapping_sub(1)
    }

    fn grow(&mut self) {
        let chains = (2 * self.heads.len()).max(CHAINS);
        let before = core::mem::replace(&mut self.heads, vec![None; chains]);
        for head in before {
            let mut next = head;
            while let Some(place) = next {
                let (hash, behind) = self.links[place];
                let chain = self.chain(hash);
                self.links[place].1 = self.heads[chain].replace(place);
                next = behind;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It holds what an ordered map would, whatever the hashes.
        #[test]
        fn holds_what_a_map_holds(steps in prop::collection::vec((0usize..200, 0u64..300), 0..600)) {
            let mut index = Index::default();
            let mut model = alloc::collections::BTreeMap::new();
            for (place, hash) in steps {
                match model.remove(&place) {
                    Some(_) => index.remove(place),
                    None => {
                        model.insert(place, hash);
                        index.insert(hash, place);
                    }
                }
                prop_assert_eq!((index.len(), index.is_empty()), (model.len(), model.is_empty()));
                index.remove(999);
            }
            for place in 0..200 {
                for hash in 0..300 {
                    let found = index.find(hash, |at| at == place);
                    prop_assert_eq!(found.is_some(), model.get(&place) == Some(&hash));
                }
            }
        }
    }
}
