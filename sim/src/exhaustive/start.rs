//! Where the exploration begins: states that a short sequence alone would not get beyond.

use super::event::Event;

/// A hub's first events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing has happened yet.
    Fresh,
    /// The link is up and a module has joined.
    Serving,
    /// A request and data wait for their answers, with the rate limit used up.
    Busy,
    /// A request waits for its answer and a message for its module, and the link is gone.
    Cut,
    /// A shutdown waits for the cloud to confirm what was sent, and for the rate limit to let a request go.
    Draining,
    /// What waits is in the journal and nowhere else; there is no link yet.
    Spooled,
    /// What was written and never confirmed is stored, and what came after it is not yet; the link is gone.
    Storing,
    /// What waits is from before the start, in the journal and nowhere else.
    Restored,
    /// There is another certificate, a request is written and not confirmed, and data waits for the next link.
    Renewing,
}

impl Start {
    /// All of them.
    pub const ALL: [Start; 9] = [
        Start::Fresh,
        Start::Serving,
        Start::Busy,
        Start::Cut,
        Start::Draining,
        Start::Spooled,
        Start::Storing,
        Start::Restored,
        Start::Renewing,
    ];

    /// As it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Start::Fresh => "fresh",
            Start::Serving => "serving",
            Start::Busy => "busy",
            Start::Cut => "cut",
            Start::Draining => "draining",
            Start::Spooled => "spooled",
            Start::Storing => "storing",
            Start::Restored => "restored",
            Start::Renewing => "renewing",
        }
    }

    pub(super) fn events(self) -> &'static [Event] {
        match self {
            Start::Fresh => &[],
            Start::Serving => &[Event::Join, Event::Opened],
            Start::Busy => &[Event::Join, Event::Opened, Event::Request, Event::Send],
            Start::Cut => &[Event::Join, Event::Opened, Event::Request, Event::Message, Event::Closed],
            Start::Draining => &[Event::Join, Event::Opened, Event::Send, Event::Request, Event::Shutdown],
            Start::Spooled => &[
                Event::LettersOpened,
                Event::JournalOpened,
                Event::Join,
                Event::Send,
                Event::Acknowledge,
                Event::JournalAnswers,
                Event::JournalAnswers,
            ],
            Start::Storing => &[
                Event::LettersOpened,
                Event::JournalOpened,
                Event::Join,
                Event::Opened,
                Event::Send,
                Event::JournalAnswers,
                Event::Closed,
                Event::Send,
            ],
            Start::Restored => {
                &[Event::LettersOpened, Event::JournalOpened, Event::Restored, Event::Restored, Event::Join]
            }
            Start::Renewing => &[Event::Join, Event::Opened, Event::Request, Event::Send, Event::Renew],
        }
    }
}
