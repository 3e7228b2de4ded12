//! Bugs of a hub.

bugs! {
    of crate::Hub:

    /// One planted bug.
    pub enum Canary {
        /// The waiter is registered once its request is flushed: a faster answer finds nobody (defect D1).
        WaiterLate,
        /// An event is taken for one of the present link, whatever link it is of (defect D6).
        EpochUnchecked,
        /// What arrives counts before the deadlines that have come: an answer at its deadline is in time.
        AnswerAtDeadline,
        /// What makes room in a full outbox is thrown away without a word in the books (defect D3).
        OldestUnbooked,
        /// What is dropped on the way down is booked, and nobody is told.
        DropUntold,
        /// A pong confirms everything written so far, not what was written before its ping.
        PongConfirmsAll,
        /// What a lost link leaves unconfirmed is sent again back to front.
        OrderSwapped,
        /// What a pong confirms is not only settled, the first of it is written again.
        ConfirmedWrittenAgain,
        /// A message passes by an older one about the same thing that is of a class that leaves later.
        OrderInClassOnly,
        /// Modules hear twice that the link is up.
        ConnectInfoTwice,
        /// The wait between two attempts may be nothing at all.
        BackoffFloorIgnored,
        /// A link that held does not put the backoff back to its base.
        BackoffNeverResets,
        /// The wait is always the whole range: all nodes come back at once (defect D5).
        JitterMissing,
        /// Bulk is exempt from the rate limit as acknowledgements are.
        BulkExempt,
        /// Acknowledgements wait for the rate limit as bulk does (defect D8).
        AcknowledgementsThrottled,
        /// After a long sleep every keepalive that was missed is made up for.
        HeartbeatBurst,
        /// A link that nobody reads is called silent (defect D11).
        PausedCalledSilent,
        /// Confirmed messages go on taking room in the outbox.
        BytesForgotten,
        /// An answer goes to the first module there is, not to the one that asked (defect D7).
        AnswerToStranger,
        /// A request's time is over, and its module is not told.
        TimeoutUntold,
        /// The first message that is queued when a link ends is still written to it.
        WriteAfterClose,
        /// What is written is taken for confirmed: a lost link loses it (defect D2).
        WrittenIsForgotten,
        /// A new message supersedes the newest of its class, whatever that is about.
        CoalescedAcrossKeys,
        /// A message's time to live ends, and it stays.
        NothingExpires,
        /// What is delivered at most once is told as confirmed when it is written.
        WrittenToldAsConfirmed,
        /// What comes again is delivered again.
        DuplicatesDelivered,
        /// What comes again is not acknowledged again.
        ResendUnanswered,
        /// A link that has gone silent is never given up (defect D4).
        SilenceUnnoticed,
        /// A silent link is given up a ping interval too late.
        SilenceLate,
        /// A silent link is given up a ping interval too early.
        SilenceEarly,
        /// A quiet link is not pinged.
        PingMissing,
        /// No ping follows what was written, however long that is unconfirmed.
        BarrierMissing,
        /// However much is on its way, more is written.
        FlightUnbounded,
        /// A peer that lives and answers no ping is waited for without end.
        PongLimitIgnored,
        /// No ping follows so many messages.
        BarrierUncounted,
        /// A dial comes later than the wait that was spoken of.
        DialsLate,
        /// A dial that hangs is given up late.
        OpenTimeoutLate,
        /// The rate limit's tokens come back half as fast.
        RefillHalved,
        /// A module that takes nothing is never called stalled (defect D9).
        StallMissing,
        /// A shutdown waits for the cloud without end.
        GraceForgotten,
        /// A shutdown does not wait for the last confirmation.
        GraceUnused,
        /// What was flushed does not count, by its bytes.
        FlushUncounted,
        /// A peer that breaks the framing stops the hub.
        StopsUnasked,
        /// What arrives while the hub shuts down is taken for something of an older link.
        LiveCalledStale,
        /// The pong of the latest ping is called unexpected.
        PongCalledUnexpected,
        /// An inbox is called full when it is not.
        DropsWithRoom,
        /// Everything that nobody receives is called an answer without a waiter.
        WrongReason,
        /// A message is told as stored when it is handed to the journal.
        StoredBeforeSync,
        /// What was restored from the journal leaves in another order.
        RestoredOutOfOrder,
        /// The journal forgets a message when it is written, before anything has confirmed it.
        ForgottenWhenWritten,
        /// There is always one more output.
        NeverDrained,
        /// A dropped message is forgotten in the journal before its dead letter is durable.
        ForgottenBeforeBuried,
        /// No dead letter is written.
        NothingBuried,
        /// A long backlog leaves as fast as it can.
        DrainUnpaced,
        /// Control traffic waits behind a backlog that leaves at its pace.
        DrainHoldsControl,
        /// Nobody asks whether the cloud has a session.
        ProbeMissing,
        /// The answer to the hub's own question is routed like any other.
        ProbeAnswerRouted,
        /// A link without a session is kept.
        NoSessionStays,
        /// A link without a session counts as one that held.
        ZombieCalledStable,
        /// Links that are closed again and again right after they have opened have no name.
        KickedUnnamed,
        /// A node that is kicked again and again is well whenever it is served in between.
        HealthGoodBetweenKicks,
        /// Nobody is told that two heartbeats are longer than the cloud waits.
        SlowHeartbeatUntold,
        /// Nobody is told that the cloud does not hear keepalives in time.
        UnheardKeepaliveUntold,
        /// After a failure the same endpoint is dialled again.
        FailsOverNever,
        /// After a link that held another endpoint is dialled.
        NotSticky,
        /// The preferred endpoint is forgotten.
        ReturnsNever,
        /// The preferred endpoint is tried again at once.
        ReturnsAtOnce,
        /// A link is left for another certificate without waiting for what was written to it.
        RenewalUnawaited,
        /// What has another certificate dials as after a failure.
        RenewalBacksOff,
        /// A link that is to be left for another certificate is written to as before.
        RenewalWrites,
        /// A link that is to be left for another certificate waits for a stalled peer without end.
        RenewalEndless,
        /// A dial with an old certificate goes on.
        RenewalMissesDial,
        /// What gathers while a link is opened anew with another certificate is taken for the backlog of an outage.
        RenewalPaced,
        /// An endpoint that never answers is left as soon each time.
        OldCloudLeftForEver,
        /// What is probably wrong is kept when it is over.
        HealthStale,
        /// A lane that does not open is tried again and again, and the other one never.
        LaneStuck,
        /// That a lane was blocked is forgotten: each link begins with it.
        LaneForgotten,
        /// A lane that was blocked once is never tried first again.
        LaneNeverRetried,
        /// A hub that is to use QUIC alone dials a WebSocket.
        LaneNotAsked,
        /// A link over the worse lane is never left for the better one: nobody asks for it.
        BetterLaneUnasked,
        /// … or nobody listens to the answer.
        BetterLaneIgnored,
        /// A module is handed what it has credit for, however large.
        HandedUncounted,
        /// The link is read however full an inbox is.
        PauseMissing,
        /// Modules may send however far behind the link or the journal is.
        IntakeNeverCloses,
        /// Modules that had to wait once wait for ever.
        IntakeNeverOpens,
        /// The link is left unread long before an inbox is full.
        PauseEarly,
        /// A link that was left unread is never read again.
        ResumeMissing,
        /// The outbox is called full when half of it is used.
        OutboxHalved,
        /// Messages alone count as written and not flushed, not their bytes.
        ByteWindowIgnored,
        /// All that was left to the journal is fetched at once.
        FetchesAll,
        /// The duplicate window knows any number of messages.
        WindowUnbounded,
        /// A link that is up asks for a tick every millisecond.
        TicksForNothing,
        /// What is stopped goes on telling modules to wait.
        SpeaksAfterStop,
    }
}
