//! Watches a replay and writes the stories.

use super::story::{Event, Story, What};
use crate::class::{Classes, Delivery};
use crate::hub::{
    Direction, DropReason, Held, Hub, Input, JournalEvent, LinkEnd, LinkEvent, ModuleEvent, ModuleId, Note,
    Output, Standing,
};
use crate::journal::EntryNumber;
use crate::message::{Message, operation};
use crate::time::Now;
use crate::trace::Moment;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
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
    /// Messages in the outbox after the last moment.
    outbox: usize,
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
            outbox: 0,
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
        (self.now, self.record) = (moment.now, moment.record);
        if self.classes.is_empty() || matches!(moment.input, Some(Input::Reconfigure(_))) {
            self.reclass(moment.hub.classes());
        }
        if moment.resumed {
            self.begin_again(moment.hub);
        }
        let subject = moment.input.and_then(|input| self.take_input(input, moment));
        for output in moment.outputs {
            self.take_output(output, subject, moment.hub);
        }
        self.settle(moment);
        if let Some(subject) = subject {
            self.placed(subject, moment);
        }
        self.outbox = moment.hub.queued() + moment.hub.unconfirmed();
    }

    /// Ends every story, with what is known of it. Call it after the last moment.
    pub fn finish(&mut self) {
        for (_, story) in core::mem::take(&mut self.open) {
            (self.ended)(story);
        }
        self.queued.clear();
        self.unconfirmed.clear();
        self.requests.clear();
        self.storing.clear();
        self.waiting.clear();
        self.delivered.clear();
        self.delivered_by_id.clear();
    }

    /// Nothing is known of what came before, but what the hub holds.
    fn begin_again(&mut self, hub: &Hub) {
        self.finish();
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
        let over = self.open.get(&serial).is_some_and(|story| story.copies == 0 && !story.awaited);
        if over && let Some(story) = self.open.remove(&serial) {
            (self.ended)(story);
        }
    }

    fn take_input(&mut self, input: &Input, moment: &Moment<'_>) -> Option<Serial> {
        match input {
            Input::Module { module, event: ModuleEvent::Sent { message, .. } } => {
                self.acknowledges(*module, message);
                let serial = self.begin(Direction::Up, message, moment.content_hash);
                let name = moment.hub.module_name(*module).unwrap_or_default().into();
                let control = message.is_response()
                    || matches!(message.operation(), operation::RESPONSE | operation::KEEPALIVE);
                let (request, ahead) = (message.is_sync(), self.outbox);
                self.tell(serial, What::Sent { module: *module, name, control, request, ahead });
                // As its module sent it: what is written later lacks what a rule may ask for.
                let class = moment.hub.classes().of(message);
                self.change(serial, |story| {
                    (story.copies, story.awaited, story.class) = (1, request, class);
                });
                if request {
                    self.requests.entry(message.msg_id().into()).or_insert(serial);
                }
                self.queued.entry(message.msg_id().into()).or_default().push_back(serial);
                Some(serial)
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

    fn take_journal(&mut self, event: &JournalEvent, moment: &Moment<'_>) -> Option<Serial> {
        let refused = moment.outputs.contains(&Output::Note(Note::UnexpectedJournalEvent));
        match event {
            JournalEvent::Restored { message, .. } if !refused => {
                let serial = self.begin(Direction::Up, message, moment.content_hash);
                self.tell(serial, What::Restored);
                let class = moment.hub.classes().of(message);
                self.change(serial, |story| (story.copies, story.class) = (1, class));
                self.queued.entry(message.msg_id().into()).or_default().push_back(serial);
                Some(serial)
            }
            JournalEvent::Stored { up_to } => {
                while let Some(first) = self.storing.first_entry()
                    && first.key() <= up_to
                {
                    let serial = first.remove();
                    self.tell(serial, What::Stored);
                }
                None
            }
            JournalEvent::Fetched { message, .. } => {
                let serial = *self.queued.get(message.msg_id())?.front()?;
                self.tell(serial, What::Fetched);
                None
            }
            _ => None,
        }
    }

    fn acknowledges(&mut self, module: ModuleId, message: &Message) {
        if !message.is_response() {
            return;
        }
        if let Some(serial) = self.delivered_by_id.remove(message.parent_msg_id()) {
            self.tell(serial, What::Acknowledged { module, by: message.msg_id().into() });
            self.delivered.retain(|&delivered| delivered != serial);
            self.end_if_over(serial);
        }
    }

    fn take_output(&mut self, output: &Output, subject: Option<Serial>, hub: &Hub) {
        match output {
            Output::Write { epoch, message } => {
                let made = !self.queued.contains_key(message.msg_id());
                let serial = match self.unqueue(message.msg_id(), None) {
                    Some(serial) => serial,
                    None => self.made_by_hub(Direction::Up, message),
                };
                let written = |event: &Event| matches!(event.what, What::Written { .. });
                let before = self
                    .open
                    .get(&serial)
                    .map_or(0, |story| story.events.iter().filter(|event| written(event)).count());
                self.tell(serial, What::Written { epoch: *epoch, before: before as u32 });
                let class = self.open.get(&serial).and_then(|story| hub.classes().classes.get(story.class));
                let is_settled = class.is_some_and(|class| class.delivery == Delivery::AtMostOnce);
                if made || is_settled {
                    self.tell(serial, What::Confirmed { pong: None });
                    self.end_if_over(serial);
                } else {
                    self.unconfirmed.push_back(Unconfirmed { serial, ping: None });
                }
            }
            Output::Ping { number, .. } => {
                let mut covered = Vec::new();
                for entry in self.unconfirmed.iter_mut().rev().take_while(|entry| entry.ping.is_none()) {
                    entry.ping = Some(*number);
                    covered.push(entry.serial);
                }
                covered.into_iter().for_each(|serial| self.tell(serial, What::Covered { ping: *number }));
            }
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
            Output::Note(note) => self.take_note(note, subject),
            Output::Open { .. }
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

    /// Takes a message out of the queue: a certain one, or the oldest of its id.
    fn unqueue(&mut self, msg_id: &str, which: Option<Serial>) -> Option<Serial> {
        let same = self.queued.get_mut(msg_id)?;
        let at = which.map_or(Some(0), |which| same.iter().position(|&serial| serial == which))?;
        let serial = same.remove(at)?;
        if same.is_empty() {
            self.queued.remove(msg_id);
        }
        Some(serial)
    }

    fn take_note(&mut self, note: &Note, subject: Option<Serial>) {
        match note {
            Note::LinkDown { epoch, end, .. }
                if !matches!(end, LinkEnd::OpenFailed | LinkEnd::OpenTimeout) =>
            {
                while let Some(Unconfirmed { serial, .. }) = self.unconfirmed.pop_back() {
                    self.tell(serial, What::LinkLost { epoch: *epoch });
                    if let Some(story) = self.open.get(&serial) {
                        self.queued.entry(story.msg_id.clone()).or_default().push_front(serial);
                    }
                }
            }
            Note::Dropped { direction: Direction::Up, msg_id, reason } => {
                let which = if is_refusal(*reason) {
                    subject.filter(|&serial| self.is(serial, msg_id))
                } else {
                    None
                };
                if let Some(serial) = self.unqueue(msg_id, which) {
                    self.dropped(serial, *reason);
                }
            }
            Note::Dropped { direction: Direction::Down, msg_id, reason } => {
                // What is dropped on arrival never waited.
                let arrived = subject.filter(|&serial| self.is(serial, msg_id));
                let serial = arrived.or_else(|| self.take_waiting(msg_id, None));
                if let Some(serial) = serial {
                    self.dropped(serial, *reason);
                }
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

    fn delivered(
        &mut self,
        module: ModuleId,
        message: &Message,
        answer: bool,
        subject: Option<Serial>,
        hub: &Hub,
    ) {
        let name = hub.module_name(module).unwrap_or_default().into();
        let arrived_now = subject.filter(|&serial| {
            self.open
                .get(&serial)
                .is_some_and(|story| story.direction == Direction::Down && &*story.msg_id == message.msg_id())
        });
        let serial = match arrived_now {
            Some(serial) => serial,
            None => match self.take_waiting(message.msg_id(), Some(module)) {
                Some(waiting) => {
                    self.change(waiting, |story| story.copies = story.copies.saturating_sub(1));
                    waiting
                }
                None => self.made_by_hub(Direction::Down, message),
            },
        };
        self.tell(serial, What::Delivered { module, name, answer });
        let copies = self.open.get(&serial).map_or(0, |story| story.copies);
        if copies == 0 && arrived_now.is_none() {
            self.may_be_acknowledged(serial);
        }
    }

    fn waits(&mut self, serial: Serial) {
        let Some(story) = self.open.get_mut(&serial) else { return };
        story.copies += 1;
        let same = self.waiting.entry(story.msg_id.clone()).or_default();
        if same.back() != Some(&serial) {
            same.push_back(serial);
        }
    }

    /// The oldest message of this id that waits, for this module if one is named; it is forgotten with its last copy.
    fn take_waiting(&mut self, msg_id: &str, module: Option<ModuleId>) -> Option<Serial> {
        let same = self.waiting.get_mut(msg_id)?;
        let open = &self.open;
        let waits = |serial: &Serial| {
            module.is_none_or(|module| open.get(serial).is_some_and(|story| story.waits_for(module)))
        };
        let at = same.iter().position(waits).unwrap_or(0);
        let serial = *same.get(at)?;
        if open.get(&serial).is_none_or(|story| story.copies <= 1) {
            same.remove(at);
        }
        if same.is_empty() {
            self.waiting.remove(msg_id);
        }
        Some(serial)
    }

    /// Keeps a delivered message's story open for its acknowledgement.
    fn may_be_acknowledged(&mut self, serial: Serial) {
        let Some(story) = self.open.get(&serial) else { return };
        self.delivered_by_id.insert(story.msg_id.clone(), serial);
        self.delivered.push_back(serial);
        if self.delivered.len() > DELIVERED_MAX
            && let Some(oldest) = self.delivered.pop_front()
        {
            if let Some(story) = self.open.get(&oldest)
                && self.delivered_by_id.get(&story.msg_id) == Some(&oldest)
            {
                self.delivered_by_id.remove(&story.msg_id.clone());
            }
            self.end_if_over(oldest);
        }
    }

    /// What the hub no longer holds as unconfirmed has been confirmed, the oldest first.
    fn settle(&mut self, moment: &Moment<'_>) {
        let pong = match moment.input {
            Some(Input::Link { event: LinkEvent::Pong(number), .. }) => Some(*number),
            _ => None,
        };
        while self.unconfirmed.len() > moment.hub.unconfirmed() {
            let Some(Unconfirmed { serial, .. }) = self.unconfirmed.pop_front() else { break };
            self.tell(serial, What::Confirmed { pong });
            self.change(serial, |story| story.copies = 0);
            self.end_if_over(serial);
        }
    }

    /// What has become of a message that arrived with this moment.
    fn placed(&mut self, serial: Serial, moment: &Moment<'_>) {
        let hub = moment.hub;
        let Some(story) = self.open.get(&serial).filter(|story| story.direction == Direction::Down) else {
            return;
        };
        let msg_id = story.msg_id.clone();
        let happened = story.events.len() > 1;
        let waits_for: Vec<ModuleId> = hub
            .joined_modules()
            .filter(|&module| hub.newest_waiting(module).is_some_and(|newest| newest.msg_id() == &*msg_id))
            .collect();
        for &module in &waits_for {
            let name = hub.module_name(module).unwrap_or_default().into();
            self.tell(serial, What::Waits { module, name });
            self.waits(serial);
        }
        if !waits_for.is_empty() {
            return;
        }
        if happened {
            self.may_be_acknowledged(serial);
        } else {
            let ignored = moment.outputs.iter().any(|output| {
                matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
            });
            self.tell(serial, if ignored { What::Ignored } else { What::AnsweredByHub });
            self.end_if_over(serial);
        }
    }
}

/// Whether a message was dropped instead of being queued.
fn is_refusal(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::RequestIdTaken
            | DropReason::TooManyRequests
            | DropReason::NotForTheCloud
            | DropReason::NotJoined
            | DropReason::Shutdown
            | DropReason::TooLargeForClass
            | DropReason::JournalFull
    )
}
