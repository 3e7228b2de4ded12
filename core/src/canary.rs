//! Bugs on purpose: a simulator that cannot find these proves nothing.
//!
//! Each variant is a mistake that a hub of this kind can make, planted at its place in the code as one `if`. They exist
//! with the cargo feature `canaries` only, one at a time, in a hub that was told so with `Hub::with_canary`. Without
//! the feature there is nothing to switch on: the question is a constant `false`, and nothing of it is compiled.

#[cfg(not(feature = "canaries"))]
use core::marker::PhantomData;
use serde::{Deserialize, Serialize};

/// One planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl Canary {
    /// All of them.
    pub const ALL: [Canary; 93] = [
        Canary::WaiterLate,
        Canary::EpochUnchecked,
        Canary::AnswerAtDeadline,
        Canary::OldestUnbooked,
        Canary::DropUntold,
        Canary::PongConfirmsAll,
        Canary::OrderSwapped,
        Canary::ConfirmedWrittenAgain,
        Canary::OrderInClassOnly,
        Canary::ConnectInfoTwice,
        Canary::BackoffFloorIgnored,
        Canary::BackoffNeverResets,
        Canary::JitterMissing,
        Canary::BulkExempt,
        Canary::AcknowledgementsThrottled,
        Canary::HeartbeatBurst,
        Canary::PausedCalledSilent,
        Canary::BytesForgotten,
        Canary::AnswerToStranger,
        Canary::TimeoutUntold,
        Canary::WriteAfterClose,
        Canary::WrittenIsForgotten,
        Canary::CoalescedAcrossKeys,
        Canary::NothingExpires,
        Canary::WrittenToldAsConfirmed,
        Canary::DuplicatesDelivered,
        Canary::ResendUnanswered,
        Canary::SilenceUnnoticed,
        Canary::SilenceLate,
        Canary::SilenceEarly,
        Canary::PingMissing,
        Canary::BarrierMissing,
        Canary::FlightUnbounded,
        Canary::PongLimitIgnored,
        Canary::BarrierUncounted,
        Canary::DialsLate,
        Canary::OpenTimeoutLate,
        Canary::RefillHalved,
        Canary::StallMissing,
        Canary::GraceForgotten,
        Canary::GraceUnused,
        Canary::FlushUncounted,
        Canary::StopsUnasked,
        Canary::LiveCalledStale,
        Canary::PongCalledUnexpected,
        Canary::DropsWithRoom,
        Canary::WrongReason,
        Canary::StoredBeforeSync,
        Canary::RestoredOutOfOrder,
        Canary::ForgottenWhenWritten,
        Canary::NeverDrained,
        Canary::ForgottenBeforeBuried,
        Canary::NothingBuried,
        Canary::DrainUnpaced,
        Canary::DrainHoldsControl,
        Canary::ProbeMissing,
        Canary::ProbeAnswerRouted,
        Canary::NoSessionStays,
        Canary::ZombieCalledStable,
        Canary::KickedUnnamed,
        Canary::HealthGoodBetweenKicks,
        Canary::SlowHeartbeatUntold,
        Canary::UnheardKeepaliveUntold,
        Canary::FailsOverNever,
        Canary::NotSticky,
        Canary::ReturnsNever,
        Canary::ReturnsAtOnce,
        Canary::RenewalUnawaited,
        Canary::RenewalBacksOff,
        Canary::RenewalWrites,
        Canary::RenewalEndless,
        Canary::RenewalMissesDial,
        Canary::RenewalPaced,
        Canary::OldCloudLeftForEver,
        Canary::HealthStale,
        Canary::LaneStuck,
        Canary::LaneForgotten,
        Canary::LaneNeverRetried,
        Canary::LaneNotAsked,
        Canary::BetterLaneUnasked,
        Canary::BetterLaneIgnored,
        Canary::HandedUncounted,
        Canary::PauseMissing,
        Canary::IntakeNeverCloses,
        Canary::IntakeNeverOpens,
        Canary::PauseEarly,
        Canary::ResumeMissing,
        Canary::OutboxHalved,
        Canary::ByteWindowIgnored,
        Canary::FetchesAll,
        Canary::WindowUnbounded,
        Canary::TicksForNothing,
        Canary::SpeaksAfterStop,
    ];
}

/// The bug that a machine was given, if any: one of a hub, unless it says another kind. It is not part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Planted<Bug = Canary> {
    #[cfg(feature = "canaries")]
    #[serde(skip)]
    bug: Option<Bug>,
    #[cfg(not(feature = "canaries"))]
    #[serde(skip)]
    bug: PhantomData<Bug>,
}

impl<Bug> Default for Planted<Bug> {
    fn default() -> Planted<Bug> {
        Planted { bug: Default::default() }
    }
}

impl<Bug: Copy + PartialEq> Planted<Bug> {
    /// Whether this bug is there.
    #[cfg(not(feature = "canaries"))]
    #[inline(always)]
    pub(crate) fn is(self, _: Bug) -> bool {
        let Planted { bug: PhantomData } = self;
        false
    }

    /// Whether this bug is there.
    #[cfg(feature = "canaries")]
    pub(crate) fn is(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

#[cfg(feature = "canaries")]
impl crate::Hub {
    /// The same hub with a bug.
    pub fn with_canary(mut self, canary: Canary) -> crate::Hub {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}

/// One planted bug of a flight recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceCanary {
    /// Every block says that nothing was dropped while it was written.
    DropsUntold,
    /// Every block says that nothing was on its way for any time.
    AgeUntold,
}

impl TraceCanary {
    /// All of them.
    pub const ALL: [TraceCanary; 2] = [TraceCanary::DropsUntold, TraceCanary::AgeUntold];
}

#[cfg(feature = "canaries")]
impl crate::trace::Recorder {
    /// The same recorder with a bug.
    pub fn with_canary(mut self, canary: TraceCanary) -> crate::trace::Recorder {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}

/// One planted bug of the journal's writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl JournalCanary {
    /// All of them.
    pub const ALL: [JournalCanary; 5] = [
        JournalCanary::StoredUnsynced,
        JournalCanary::DeletesLive,
        JournalCanary::ForgetsTooMuch,
        JournalCanary::SyncedAgain,
        JournalCanary::StartTrusted,
    ];
}

#[cfg(feature = "canaries")]
impl crate::journal::Writer {
    /// The same writer with a bug.
    pub fn with_canary(mut self, canary: JournalCanary) -> crate::journal::Writer {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}

/// One planted bug of a lane of several streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl LaneCanary {
    /// All of them.
    pub const ALL: [LaneCanary; 5] = [
        LaneCanary::PongForOneStream,
        LaneCanary::PongUnawaited,
        LaneCanary::PongWithheld,
        LaneCanary::QuestionUnordered,
        LaneCanary::BulkScattered,
    ];
}

#[cfg(feature = "canaries")]
impl crate::package::Arrived {
    /// The same with a bug.
    pub fn with_canary(mut self, canary: LaneCanary) -> crate::package::Arrived {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}

#[cfg(feature = "canaries")]
impl crate::package::Written {
    /// The same with a bug.
    pub fn with_canary(mut self, canary: LaneCanary) -> crate::package::Written {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}

/// One planted bug of a CloudHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl CloudCanary {
    /// All of them.
    pub const ALL: [CloudCanary; 8] = [
        CloudCanary::TwoInFlight,
        CloudCanary::ResendMissing,
        CloudCanary::ResentForEver,
        CloudCanary::KeepaliveEndless,
        CloudCanary::OlderVersionSent,
        CloudCanary::AcknowledgementForgotten,
        CloudCanary::TwoSessions,
        CloudCanary::QueueUnbounded,
    ];
}

#[cfg(feature = "canaries")]
impl crate::cloud::CloudHub {
    /// The same CloudHub with a bug.
    pub fn with_canary(mut self, canary: CloudCanary) -> crate::cloud::CloudHub {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}

/// One planted bug of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl IdentityCanary {
    /// All of them.
    pub const ALL: [IdentityCanary; 28] = [
        IdentityCanary::HashUnchecked,
        IdentityCanary::RetriesAtOnce,
        IdentityCanary::NodeUnchecked,
        IdentityCanary::KeyUnchecked,
        IdentityCanary::RootUnchecked,
        IdentityCanary::RenewsThroughAnybody,
        IdentityCanary::NeverLooksAgain,
        IdentityCanary::RefusedTokenAgain,
        IdentityCanary::CloudClockIgnored,
        IdentityCanary::SkewUntold,
        IdentityCanary::RotatesAtTheEnd,
        IdentityCanary::AuthorityToldAgain,
        IdentityCanary::FilesUnwatched,
        IdentityCanary::StrangersPairUsed,
        IdentityCanary::StrangersPairKept,
        IdentityCanary::TokenDoesNotDecide,
        IdentityCanary::ValidityUnchecked,
        IdentityCanary::StallUnnoticed,
        IdentityCanary::NoJoinAfterExpiry,
        IdentityCanary::RotatesAtOnePoint,
        IdentityCanary::OldRootDropped,
        IdentityCanary::OldRootKept,
        IdentityCanary::ServersRootDropped,
        IdentityCanary::ServiceStuck,
        IdentityCanary::LastServiceDecides,
        IdentityCanary::OutOfDateUnexplained,
        IdentityCanary::OverwritesUnseen,
        IdentityCanary::UsesWhatWasReplaced,
    ];
}

#[cfg(feature = "canaries")]
impl crate::identity::Identity {
    /// The same identity with a bug.
    pub fn with_canary(mut self, canary: IdentityCanary) -> crate::identity::Identity {
        self.plant(Planted { bug: Some(canary) });
        self
    }
}
