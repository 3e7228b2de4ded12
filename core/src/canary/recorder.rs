//! Bugs of a flight recorder.

bugs! {
    of crate::trace::Recorder:

    /// One planted bug of a flight recorder.
    pub enum TraceCanary {
        /// Every block says that nothing was dropped while it was written.
        DropsUntold,
        /// Every block says that nothing was on its way for any time.
        AgeUntold,
    }
}
