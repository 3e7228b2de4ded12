//! A pair that is used though it may be worthless.
//!
//! Who vouches for the servers need not be who signs the nodes' certificates (see `roots`). So a pair whose authority is not
//! beside it is used, and renewed at once: if the cloud does not take it, it is a stranger's, and a token counts. The same goes for one
//! that is valid only by what somebody says who need not be the cloud. Whoever refused the pair need not have been the cloud either: it
//! has its turn again after the token.

use super::{Identity, Verdict};
use crate::time::UnixMillis;

impl Identity {
    /// Whether nothing on this node says who signed the pair in use.
    pub(super) fn is_of_unknown_authority(&self) -> bool {
        self.config.services > 0 && self.pair.as_ref().is_some_and(|pair| pair.signed_by.is_none())
    }

    /// Whether the pair is used though it may be worthless: it is valid on hearsay only, or of an unknown authority.
    pub(super) fn is_on_trial(&mut self) -> bool {
        self.clock.is_hearsay(self.now) || self.is_of_unknown_authority()
    }

    /// Whether the cloud did not take the pair, and there is a token that may help: whoever answered for either need not have been
    /// the cloud, so both have their turns.
    pub(super) fn is_tried(&self) -> bool {
        let found = self.pair.as_ref().map(|pair| pair.digest);
        found.is_some() && found == self.worthless && self.good_token().is_some()
    }

    pub(super) fn is_valid_at(&self, time: UnixMillis) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.validity.at(time) == Verdict::Valid)
    }

    /// A pair that the own clock holds to be valid needs nobody's word, and nobody's word makes it worthless; nor does it count that
    /// it was not taken while somebody's word was all that it had.
    pub(super) fn weigh_hearsay(&mut self) {
        if self.is_valid_at(self.now.wall) {
            self.clock.forget_hearsay();
            if !self.is_of_unknown_authority() {
                self.worthless = None;
            }
        }
    }
}
