//! Bugs of the journal's writer.

bugs! {
    of crate::journal::Writer:

    /// One planted bug of the journal's writer.
    pub enum JournalCanary {
        /// What is written is reported as stored, before it is synced.
        StoredUnsynced,
        /// The oldest segment is deleted although an entry lives in it.
        DeletesLive,
        /// A forget record names one entry too many.
        ForgetsTooMuch,
        /// After a sync that failed the same file is synced again.
        SyncedAgain,
        /// What could not be made durable at the start is trusted on the second attempt.
        StartTrusted,
    }
}
