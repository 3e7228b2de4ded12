//! What lies on disk, and whether it is used: at the start, and while there is something in use.

use super::attempt::Step;
use super::roots::Roots;
use super::{Certificate, Identity, IdentityChange, InUse, JoinToken, Problem, Request, Trust, Verdict};
use crate::canary::IdentityCanary;
use alloc::boxed::Box;

impl Identity {
    pub(super) fn loaded(
        &mut self,
        pair: Result<Option<Certificate>, Box<str>>,
        roots: Roots,
        token: Option<JoinToken>,
    ) {
        if token.is_some() {
            self.token = token;
        }
        let signer = pair.as_ref().ok().and_then(Option::as_ref).map(|pair| pair.signed_by.clone());
        let found = self.own_pair(pair);
        if self.state.is_usable() {
            return self.looked_at(found.ok(), roots);
        }
        let unfit = found.as_ref().err().cloned();
        (self.held, self.pair, self.roots) = (self.on_disk, found.ok(), roots);
        self.attempt.replaced = signer;
        self.prefer_what_is_in_use();
        self.weigh_hearsay();
        let time = self.clock.time(self.now);
        match (self.is_valid_at(time), self.is_tried()) {
            (true, false) => {
                self.change(IdentityChange::Found);
                return self.usable();
            }
            (true, true) if self.is_pairs_turn => {
                self.attempt.is_second_trial = true;
                return self.renew();
            }
            _ => {}
        }
        let may_join = self.good_token().is_some();
        if self.config.services > 0 && (may_join || self.pair.is_some()) {
            if may_join && self.mismatched != self.token {
                self.change(IdentityChange::TokenFound);
            }
            return self.ask(Step::Asking, Request::Authority, Trust::Anybody);
        }
        let unfit = unfit.or_else(|| self.validity_problem()).filter(|unfit| *unfit != Problem::NoToken);
        self.needs_token(unfit.or_else(|| self.token_problem()).unwrap_or(Problem::NoToken));
    }

    /// The pair in the files, if it is this node's and of the cloud that is meant, whatever time it is.
    fn own_pair(&self, pair: Result<Option<Certificate>, Box<str>>) -> Result<Certificate, Problem> {
        let pair = pair.map_err(Problem::Files)?.ok_or(Problem::NoToken)?;
        let is_fine = |canary| self.planted.is(canary);
        let meant = self.token.as_ref().filter(|_| self.config.token_decides).map(JoinToken::ca);
        let found = pair.signed_by.as_ref().map(|authority| authority.digest);
        match () {
            () if !self.is_ours(&pair) => Err(Problem::WrongNode { found: pair.node }),
            () if !pair.is_of_key => Err(Problem::KeyApart),
            () if meant.is_some() && found != meant && !is_fine(IdentityCanary::TokenDoesNotDecide) => {
                Err(Problem::WrongAuthority)
            }
            () => Ok(pair),
        }
    }

    /// What links are opened with stays, once the own clock allows it again, if what lies on disk is damaged or a stranger's: as it
    /// does while it is valid all the time.
    fn prefer_what_is_in_use(&mut self) {
        let is_known = |pair: &Certificate| pair.signed_by.is_some() || self.config.services == 0;
        if self.pair.as_ref().is_some_and(is_known) || self.planted.is(IdentityCanary::StrangersPairUsed) {
            return;
        }
        let is_fine =
            |used: &&InUse| is_known(&used.pair) && used.pair.validity.at(self.now.wall) == Verdict::Valid;
        if let Some(InUse { held, pair, roots }) = self.in_use.as_ref().filter(is_fine).cloned() {
            (self.held, self.pair, self.roots) = (held, Some(pair), roots);
        }
    }

    /// There is a pair in use, and perhaps another one in the files: somebody has put it there.
    fn looked_at(&mut self, found: Option<Certificate>, roots: Roots) {
        self.weigh_hearsay();
        let time = self.clock.time(self.now);
        let may_be_unknown = self.config.services == 0
            || self.is_of_unknown_authority()
            || self.planted.is(IdentityCanary::StrangersPairUsed);
        let is_new = |found: &Certificate| {
            let is_other = self.pair.as_ref().is_none_or(|pair| pair.digest != found.digest);
            let is_known = found.signed_by.is_some() || may_be_unknown;
            (is_other || self.roots != roots) && is_known && found.validity.at(time) == Verdict::Valid
        };
        match found.filter(is_new) {
            Some(pair) => {
                (self.held, self.pair, self.roots) = (self.on_disk, Some(pair), roots);
                self.change(IdentityChange::Found);
                self.usable();
            }
            None => self.go_on(),
        }
    }
}
