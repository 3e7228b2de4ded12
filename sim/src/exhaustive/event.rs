//! The alphabet: what can happen to a hub, one small case of each kind.

/// One event. The [node](super::node::Node) knows how to say it to a hub in any state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The link's handshake is complete.
    Opened,
    /// The link could not be opened.
    OpenFailed,
    /// The link is gone.
    Closed,
    /// A message for a group of modules.
    Message,
    /// The answer to [`Event::Request`].
    Answer,
    /// A link control message, which the hub answers itself.
    LinkControl,
    /// A frame that is not a message.
    Malformed,
    /// Bytes that are not even a frame.
    BrokenFraming,
    /// The answer to the latest ping.
    Pong,
    /// The answer to a ping that nobody sent.
    WrongPong,
    /// All that was written has left.
    Flushed,
    /// An older link says that it opened.
    OldOpened,
    /// An older link says that it is gone.
    OldClosed,
    /// An older link brings the answer to [`Event::Request`].
    OldAnswer,
    /// The next deadline comes, and the driver says so in time.
    Deadline,
    /// The driver believes in a deadline where there is none.
    SpuriousTick,
    /// The machine sleeps for a day.
    Sleep,
    /// The module joins, or tries it once more.
    Join,
    /// The module leaves.
    Leave,
    /// The module can take one more message.
    Ready,
    /// The module sends data.
    Send,
    /// The module sends data, and asks what becomes of it.
    Ask,
    /// The module acknowledges something: control traffic.
    Acknowledge,
    /// The module sends a sync request, always of the same id.
    Request,
    /// The journal of dead letters is there.
    LettersOpened,
    /// The journal is there, with two messages from before the start.
    JournalOpened,
    /// The next of these is restored.
    Restored,
    /// The journals have done what they were asked for first.
    JournalAnswers,
    /// They cannot do it; with nothing to do, the disk fails or has recovered.
    JournalFails,
    /// The hub gets the other one of two configurations.
    Reconfigure,
    /// The operator stops the hub.
    Shutdown,
    /// The node has another certificate.
    Renew,
}

impl Event {
    pub(super) const ALL: [Event; 32] = [
        Event::Opened,
        Event::OpenFailed,
        Event::Closed,
        Event::Message,
        Event::Answer,
        Event::LinkControl,
        Event::Malformed,
        Event::BrokenFraming,
        Event::Pong,
        Event::WrongPong,
        Event::Flushed,
        Event::OldOpened,
        Event::OldClosed,
        Event::OldAnswer,
        Event::Deadline,
        Event::SpuriousTick,
        Event::Sleep,
        Event::Join,
        Event::Leave,
        Event::Ready,
        Event::Send,
        Event::Ask,
        Event::Acknowledge,
        Event::Request,
        Event::LettersOpened,
        Event::JournalOpened,
        Event::Restored,
        Event::JournalAnswers,
        Event::JournalFails,
        Event::Reconfigure,
        Event::Shutdown,
        Event::Renew,
    ];

    /// As it is called in reports and in the picture.
    pub(super) fn name(self) -> &'static str {
        match self {
            Event::Opened => "opened",
            Event::OpenFailed => "open failed",
            Event::Closed => "closed",
            Event::Message => "message received",
            Event::Answer => "answer received",
            Event::LinkControl => "link control received",
            Event::Malformed => "malformed frame",
            Event::BrokenFraming => "broken framing",
            Event::Pong => "pong",
            Event::WrongPong => "pong of no ping",
            Event::Flushed => "flushed",
            Event::OldOpened => "old link opened",
            Event::OldClosed => "old link closed",
            Event::OldAnswer => "old link's message",
            Event::Deadline => "deadline",
            Event::SpuriousTick => "spurious tick",
            Event::Sleep => "a day's sleep",
            Event::Join => "module joins",
            Event::Leave => "module leaves",
            Event::Ready => "module is ready",
            Event::Send => "module sends",
            Event::Ask => "module sends and asks",
            Event::Acknowledge => "module acknowledges",
            Event::Request => "module requests",
            Event::LettersOpened => "dead letters opened",
            Event::JournalOpened => "journal opened",
            Event::Restored => "message restored",
            Event::JournalAnswers => "journal answers",
            Event::JournalFails => "journal fails",
            Event::Reconfigure => "reconfigure",
            Event::Shutdown => "shutdown",
            Event::Renew => "another certificate",
        }
    }
}
