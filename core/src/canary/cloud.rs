//! Bugs of a CloudHub.

bugs! {
    of crate::cloud::CloudHub:

    /// One planted bug of a CloudHub.
    pub enum CloudCanary {
        /// A new message does not wait for the one in flight.
        TwoInFlight,
        /// What is not acknowledged is not written again.
        ResendMissing,
        /// What is never acknowledged is written again without end, and what is behind it waits.
        ResentForEver,
        /// A node that sends no keepalive keeps its session.
        KeepaliveEndless,
        /// An older version of an object follows a newer one.
        OlderVersionSent,
        /// An acknowledgement counts for nothing once its message went to the back of the queue.
        AcknowledgementForgotten,
        /// A new connection of a node leaves the old one its session.
        TwoSessions,
        /// Any number of messages may wait for a node.
        QueueUnbounded,
    }
}
