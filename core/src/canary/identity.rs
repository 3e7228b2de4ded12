//! Bugs of an identity.

bugs! {
    of crate::identity::Identity:

    /// One planted bug of an identity.
    pub enum IdentityCanary {
        /// Whatever authority answers is pinned.
        HashUnchecked,
        /// The wait between two attempts is a tenth of what it should be.
        RetriesAtOnce,
        /// A certificate for another node is taken.
        NodeUnchecked,
        /// A certificate with another key is taken.
        KeyUnchecked,
        /// A certificate of an unknown authority is taken.
        RootUnchecked,
        /// A new authority is accepted from whoever answers.
        RenewsThroughAnybody,
        /// Whoever waits for a person does not look at the files any more.
        NeverLooksAgain,
        /// A token that was refused is tried again and again.
        RefusedTokenAgain,
        /// What the cloud says of the time does not count.
        CloudClockIgnored,
        /// A clock that differs is not told.
        SkewUntold,
        /// A certificate is renewed when its life is over (defect D10).
        RotatesAtTheEnd,
        /// A new authority is told at each attempt to renew.
        AuthorityToldAgain,
        /// Files that another process has put in place are not noticed while all is well.
        FilesUnwatched,
        /// A pair of an authority that is not beside it replaces one of a known authority.
        StrangersPairUsed,
        /// A pair of an authority that is not beside it is used, whatever the cloud says of it.
        StrangersPairKept,
        /// A token that is given by hand does not say which cloud is meant.
        TokenDoesNotDecide,
        /// A certificate is taken whenever it is valid.
        ValidityUnchecked,
        /// A request that nobody answers is waited for as good as for ever.
        StallUnnoticed,
        /// A certificate that has run out needs a person, whatever token there is.
        NoJoinAfterExpiry,
        /// Every certificate is renewed at the same point of its life.
        RotatesAtOnePoint,
        /// Only the new authority is trusted as soon as there is one.
        OldRootDropped,
        /// An authority that was superseded is trusted for ever.
        OldRootKept,
        /// What somebody put beside the authority for the cloud's servers leaves with a renewal.
        ServersRootDropped,
        /// A service that fails is asked again and again, and no other.
        ServiceStuck,
        /// What several services said is forgotten when the last one is silent.
        LastServiceDecides,
        /// A connection that the clocks do not allow is not explained with their difference.
        OutOfDateUnexplained,
        /// What somebody else has put there since the files were read is overwritten.
        OverwritesUnseen,
        /// After a renewal the pair of before is used further on.
        UsesWhatWasReplaced,
    }
}
