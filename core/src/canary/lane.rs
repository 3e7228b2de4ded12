//! Bugs of a lane of several streams.

bugs! {
    of crate::package::Arrived, crate::package::Written:

    /// One planted bug of a lane of several streams.
    pub enum LaneCanary {
        /// A pong waits for the first stream only: it is taken to confirm what the other one may still lose.
        PongForOneStream,
        /// A pong waits for nothing.
        PongUnawaited,
        /// A ping waits for one message more than was written before it.
        PongWithheld,
        /// A question goes apart although something about the same thing is on its way, and so does what follows it.
        QuestionUnordered,
        /// What is about one thing goes on any stream.
        BulkScattered,
    }
}
