//! Watches a replay and writes the stories.

mod down;
mod up;

use super::story::{Event, Rank, Story, What};
use crate::class::Classes;
use crate::hub::{
    Direction, DropReason, Held, Hub, Input, LinkEnd, LinkEvent, ModuleEvent, Note, Output, Standing,
};
use crate::journal::EntryNumber;
use crate::message::Message;
use crate::time::Now;
use crate::trace::Moment;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Delivered messages whose acknowledgement is still expected, at most; the oldest story ends without.
const DELIVERED_MAX: usize = 8192;

/// A story that is not over, by a number of its own.
type Serial = u64;

/// A written message that nothing has confirmed, and the ping behind it.
#[derive(Debug)]
struct Unconfirmed {
    serial: Serial,
    ping: Option<u64>,
}

/// Watches a replay and writes a story for each message. Stories that end are handed to `ended`.
#[derive(Debug)]
pub struct Biographer<F> {
    ended: F,
    open: BTreeMap<Serial, Story>,
    next: Serial,
    /// What waits in the outbox, by id: the oldest first.
    queued: BTreeMap<Box<str>, VecDeque<Serial>>,
    unconfirmed: VecDeque<Unconfirmed>,
    requests: BTreeMap<Box<str>, Serial>,
    /// Handed to the journal and not stored, by its numbers.
    storing: BTreeMap<EntryNumber, Serial>,
    /// What waits in inboxes, by id: the oldest first. The cloud may send one id twice.
    waiting: BTreeMap<Box<str>, VecDeque<Serial>>,
    /// Delivered, and perhaps to be acknowledged: in order, and by id.
    delivered: VecDeque<Serial>,
    delivered_by_id: BTreeMap<Box<str>, Serial>,
    /// Messages that waited to be written after the last moment: the hub's own, and those of each class.
    waiting_up: (usize, Vec<usize>),
    /// The names of the classes, in their order.
    classes: Vec<Box<str>>,
    now: Now,
    record: u64,
}

impl<F: FnMut(Story)> Biographer<F> {
    /// A biographer who hands each story to `ended` when it is over.
    pub fn new(ended: F) -> Biographer<F> {
        Biographer {
            ended,
            open: BTreeMap::new(),
            next: 0,
            queued: BTreeMap::new(),
            unconfirmed: VecDeque::new(),
            requests: BTreeMap::new(),
            storing: BTreeMap::new(),
            waiting: BTreeMap::new(),
            delivered: VecDeque::new(),
            delivered_by_id: BTreeMap::new(),
            waiting_up: (0, Vec::new()),
            classes: Vec::new(),
            now: Now::default(),
            record: 0,
        }
    }

    /// Stories that are not over.
    pub fn open(&self) -> impl Iterator<Item = &Story> {
        self.open.values()
    }

    /// Takes the next moment of a replay.
    pub fn watch(&mut self, moment: &Moment<'_>) {
        // The hub holds a clock that goes back, too.
        self.now = Now { mono: moment.now.mono.max(self.now.mono), ..moment.now };
        self.record = moment.record;
        if self.classes.is_empty() || matches!(moment.input, Some(Input::Reconfigure(_))) {
            self.reclass(moment.hub.classes());
        }
        if moment.resumed {
            self.begin_again(moment.hub);
        }
        let subject = moment.input.and_then(|input| self.take_input(input, moment));
        for output in moment.outputs {
            self.take_output(output, subject, moment);
        }
        self.settle(moment, moment.hub.unconfirmed());
        if let Some(subject) = subject {
            self.placed(subject, moment);
        }
        let (own, by_class) = &mut self.waiting_up;
        by_class.clear();
        *own = moment.hub.waiting_to_be_written(by_class);
    }

    /// Ends every story, with what is known of it. Call it after the last moment.
    pub fn finish(&mut self) {
        self.delivered.clear();
        self.delivered_by_id.clear();
        self.end_all_but_delivered();
    }

    fn end_all_but_delivered(&mut self) {
        let delivered: BTreeSet<Serial> = self.delivered.iter().copied().collect();
        for (serial, story) in core::mem::take(&mut self.open) {
            if delivered.contains(&serial) {
                self.open.insert(serial, story);
            } else {
                (self.ended)(story);
            }
        }
        self.queued.clear();
        self.unconfirmed.clear();
        self.requests.clear();
        self.storing.clear();
        self.waiting.clear();
    }

    /// Nothing is known of what came before, but what the hub holds; what was delivered may still be acknowledged.
    fn begin_again(&mut self, hub: &Hub) {
        self.end_all_but_delivered();
        for Held { standing, msg_id, bytes, message } in hub.outbox_messages() {
            let story = match message {
                Some(message) => Story::new(Direction::Up, message, None),
                None => Story::unread(Direction::Up, &msg_id, bytes),
            };
            let serial = self.begin_with(story);
            self.tell(serial, What::There { standing: Some(standing), module: None });
            let class = message.map_or(hub.classes().otherwise, |message| hub.classes().of(message));
            self.change(serial, |story| (story.copies, story.class) = (1, class));
            match standing {
                Standing::Unconfirmed => self.unconfirmed.push_back(Unconfirmed { serial, ping: None }),
                _ => self.queued.entry(msg_id.into()).or_default().push_back(serial),
            }
        }
        for module in hub.joined_modules() {
            for message in hub.inbox_messages(module) {
                let serial = self.begin(Direction::Down, message, None);
                self.tell(serial, What::There { standing: None, module: Some(module) });
                self.waits(serial);
            }
        }
    }

    /// Other classes: a message keeps its own by its name, or gets that of what no rule fits.
    fn reclass(&mut self, classes: &Classes) {
        let names: Vec<Box<str>> = classes.classes.iter().map(|class| Box::from(&*class.name)).collect();
        for story in self.open.values_mut() {
            let kept =
                self.classes.get(story.class).and_then(|name| names.iter().position(|new| new == name));
            story.class = kept.unwrap_or(classes.otherwise);
        }
        self.classes = names;
    }

    /// How a message of this class stands in the outbox: the name of its class, and what waited before it.
    fn rank(&self, class: usize, classes: &Classes) -> Rank {
        let priority = |class: usize| classes.classes.get(class).map_or(u8::MAX, |class| class.priority);
        let (own, by_class) = &self.waiting_up;
        let before = by_class.iter().enumerate().filter(|&(other, _)| priority(other) <= priority(class));
        let name = classes.classes.get(class).map_or("", |class| &class.name);
        Rank { class: name.into(), ahead: own + before.map(|(_, waiting)| waiting).sum::<usize>() }
    }

    fn begin(&mut self, direction: Direction, message: &Message, content_hash: Option<u64>) -> Serial {
        self.begin_with(Story::new(direction, message, content_hash))
    }

    fn begin_with(&mut self, story: Story) -> Serial {
        self.next += 1;
        self.open.insert(self.next, story);
        self.next
    }

    fn change(&mut self, serial: Serial, change: impl FnOnce(&mut Story)) {
        if let Some(story) = self.open.get_mut(&serial) {
            change(story);
        }
    }

    fn tell(&mut self, serial: Serial, what: What) {
        let (now, record) = (self.now, self.record);
        self.change(serial, |story| story.events.push(Event { now, record, what }));
    }

    /// Hands a story on if nothing more can be expected of it.
    fn end_if_over(&mut self, serial: Serial) {
        let over = self.open.get(&serial).is_some_and(|story| {
            let may_be_acknowledged = self.delivered_by_id.get(&story.msg_id) == Some(&serial);
            !story.is_unsettled() && !may_be_acknowledged
        });
        if over && let Some(story) = self.open.remove(&serial) {
            (self.ended)(story);
        }
    }

    fn take_input(&mut self, input: &Input, moment: &Moment<'_>) -> Option<Serial> {
        match input {
            Input::Module { module, event: ModuleEvent::Sent { message, .. } } => {
                Some(self.sent(*module, message, moment))
            }
            Input::Journal(event) => self.take_journal(event, moment),
            Input::Link { epoch, event: LinkEvent::Received(message) } => {
                let serial = self.begin(Direction::Down, message, moment.content_hash);
                self.tell(serial, What::Received { epoch: *epoch });
                Some(serial)
            }
            _ => None,
        }
    }

    fn take_output(&mut self, output: &Output, subject: Option<Serial>, moment: &Moment<'_>) {
        let hub = moment.hub;
        match output {
            Output::Write { epoch, message } => self.written(*epoch, message, hub),
            Output::Ping { number, .. } => self.pinged(*number),
            Output::Deliver { module, message, answer } => {
                self.delivered(*module, message, *answer, subject, hub)
            }
            Output::Store { number, message, .. } => {
                let subject = subject.filter(|&subject| self.is(subject, message.msg_id()));
                if let Some(serial) = subject {
                    self.tell(serial, What::Storing { number: *number });
                    self.storing.insert(*number, serial);
                }
            }
            Output::Forget { first, last } => {
                let forgotten: Vec<_> = self.storing.range(first..=last).map(|(number, _)| *number).collect();
                for number in forgotten {
                    self.storing.remove(&number);
                }
            }
            Output::Note(note) => self.take_note(note, subject, moment),
            Output::Open { .. }
            | Output::Reach { .. }
            | Output::Pause { .. }
            | Output::Resume { .. }
            | Output::Close { .. }
            | Output::Intake { .. }
            | Output::JoinRefused { .. }
            | Output::Fetch { .. }
            | Output::Bury { .. }
            // It repeats what a note or the books say.
            | Output::Receipt { .. }
            | Output::Stopped => {}
        }
    }

    fn made_by_hub(&mut self, direction: Direction, message: &Message) -> Serial {
        let serial = self.begin(direction, message, None);
        self.tell(serial, What::MadeByHub);
        serial
    }

    fn take_note(&mut self, note: &Note, subject: Option<Serial>, moment: &Moment<'_>) {
        match note {
            Note::LinkDown { epoch, end, unconfirmed, .. }
                if !matches!(end, LinkEnd::OpenFailed | LinkEnd::OpenTimeout) =>
            {
                // The pong that lets a shutdown end its link has confirmed something before.
                self.settle(moment, *unconfirmed);
                self.link_lost(*epoch);
            }
            Note::Dropped { direction: Direction::Up, msg_id, reason } => {
                self.dropped_up(msg_id, *reason, subject);
            }
            Note::Dropped { direction: Direction::Down, msg_id, reason } => {
                self.dropped_down(msg_id, *reason, subject);
            }
            Note::SyncEnded { msg_id, outcome } => {
                // A second request of the same id is refused while the first one waits on.
                let refused = subject.filter(|&serial| {
                    self.is(serial, msg_id) && self.requests.get(msg_id).is_some_and(|&first| first != serial)
                });
                if let Some(serial) = refused.or_else(|| self.requests.remove(msg_id)) {
                    self.tell(serial, What::RequestEnded { outcome: *outcome });
                    self.change(serial, |story| story.awaited = false);
                    self.end_if_over(serial);
                }
            }
            _ => {}
        }
    }

    fn is(&self, serial: Serial, msg_id: &str) -> bool {
        self.open.get(&serial).is_some_and(|story| &*story.msg_id == msg_id)
    }

    fn dropped(&mut self, serial: Serial, reason: DropReason) {
        self.tell(serial, What::Dropped { reason });
        self.change(serial, |story| story.copies = story.copies.saturating_sub(1));
        self.end_if_over(serial);
    }
}
