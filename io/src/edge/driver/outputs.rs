//! What the driver does with what the hub asks.

use super::super::journal::NodeJournal;
use super::super::letters::NodeLetters;
use super::super::link::Link;
use super::super::module::Delivery;
use super::Driver;
use crate::lane::{Way, Write};
use edgehub_core::hub::{DropReason, JournalEvent, LetterNumber, ReceiptId, Stage};
use edgehub_core::{Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Note, Output};
use smol::Executor;
use std::collections::btree_map::Entry;
use tracing::{debug, error};

impl Driver {
    /// What the hub asks next. All of it is on record when there is nothing more.
    fn next_output(&mut self) -> Option<Output> {
        let output = self.hub.poll_output();
        if let Some(recorder) = &mut self.recorder {
            match &output {
                Some(output) => recorder.output(output),
                None => recorder.drained(self.now, &self.hub),
            }
        }
        output
    }

    /// Does what the hub asks, in order; returns whether the hub still runs.
    pub(super) async fn carry_out(&mut self, executor: &Executor<'_>) -> bool {
        let mut running = true;
        while let Some(output) = self.next_output() {
            match output {
                Output::Open { epoch, endpoint, lane, within } => {
                    self.open(executor, epoch, self.dialer.way(endpoint, lane, within));
                }
                Output::Reach { epoch, endpoint, lane, within } => {
                    self.reach(executor, epoch, self.dialer.way(endpoint, lane, within));
                }
                Output::Write { message, .. } => self.writes.push(self.form.write(message)),
                Output::Ping { number, .. } => self.writes.push(Write::Ping(number)),
                Output::Pause { .. } => self.reading = false,
                Output::Resume { .. } => self.reading = true,
                Output::Close { .. } => self.close(executor),
                Output::Intake { open } => self.intake_open = open,
                Output::Deliver { module, message, answer } => self.deliver(module, message, answer),
                Output::Store { number, class, message } => {
                    let at = self.now.wall;
                    self.order_of_journal(|journal| journal.store(number, class, at, message));
                }
                Output::Forget { first, last } => {
                    self.order_of_journal(|journal| journal.forget(first, last))
                }
                Output::Fetch { number } => self.order_of_journal(|journal| journal.fetch(number)),
                Output::Bury { letter, class, reason, message } => self.bury(letter, class, reason, message),
                Output::JoinRefused { module } => self.join_refused(module),
                Output::Receipt { module, receipt: None, msg_id, stage } => {
                    self.tell_rejected(module, msg_id, stage);
                }
                Output::Receipt { receipt: Some(receipt), stage, .. } => self.tell(receipt, stage),
                Output::Stopped => running = false,
                Output::Note(note) => self.observe(&note),
            }
        }
        self.hand_to_link();
        self.order_of_journal(NodeJournal::hand_over);
        self.letters.iter_mut().for_each(NodeLetters::hand_over);
        for (module, reply) in std::mem::take(&mut self.joining) {
            if reply.try_send(Some(module)).is_err() {
                // Nobody waits for it any more, so nobody will ever leave.
                self.modules.remove(&module);
                self.handle(Input::Module { module, event: ModuleEvent::Left });
            }
        }
        if !running {
            self.modules.clear();
            if let Some(closing) = self.closing.take() {
                closing.await;
            }
        }
        running
    }

    fn order_of_journal(&mut self, order: impl FnOnce(&mut NodeJournal)) {
        if let Some(journal) = &mut self.journal {
            order(journal);
        }
    }

    fn bury(&mut self, letter: LetterNumber, class: u8, reason: DropReason, message: Message) {
        if let Some(letters) = &mut self.letters {
            let classes = &self.options.config.classes.classes;
            let name = classes.get(usize::from(class)).map_or("", |class| &class.name);
            letters.bury(letter, (class, name), reason, self.now.wall, message);
        }
    }

    fn open(&mut self, executor: &Executor<'_>, epoch: LinkEpoch, way: Option<Way>) {
        self.reading = true;
        self.writes.clear();
        match way {
            Some(way) => {
                self.form = way.form();
                let to = (way, self.options.tls.clone());
                let (dialer, events) = (self.dialer.clone(), self.link_events.0.clone());
                self.link = Some(Link::open(
                    executor,
                    &self.bell,
                    epoch,
                    dialer,
                    to,
                    (events, self.log.outage.clone()),
                ));
            }
            None => drop(self.link_events.0.try_send((epoch, LinkEvent::OpenFailed))),
        }
    }

    /// Looks in the background whether a way gets through, beside the present link.
    fn reach(&mut self, executor: &Executor<'_>, epoch: LinkEpoch, way: Option<Way>) {
        let Some(way) = way else { return };
        let (dialer, tls) = (self.dialer.clone(), self.options.tls.clone());
        let events = self.link_events.0.clone();
        let look = async move {
            if dialer.reaches(&way, tls).await {
                debug!(url = way.url(), "gets through");
                let _ = events.try_send((epoch, LinkEvent::Reached));
            }
        };
        executor.spawn(look).detach();
    }

    /// Closes the link in the background.
    pub(super) fn close(&mut self, executor: &Executor<'_>) {
        self.hand_to_link();
        if let Some(link) = self.link.take() {
            self.closing = Some(executor.spawn(link.close()));
        }
    }

    /// Gives the link's task what was written in this drain, as one batch.
    fn hand_to_link(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        if let Some(link) = &self.link {
            // A link that has ended takes nothing more; the hub learns of its end and sends again what it must.
            let next = Vec::with_capacity(self.writes.len());
            let _ = link.writes.try_send(std::mem::replace(&mut self.writes, next));
        }
        self.writes.clear();
    }

    fn deliver(&mut self, module: ModuleId, message: Message, answer: bool) {
        let Some(inbox) = self.modules.get_mut(&module) else { return };
        let request = if answer { inbox.requests.remove(message.parent_msg_id()) } else { None };
        match request {
            // A requester that no longer waits has given the answer up.
            Some(reply) => drop(reply.try_send(Ok(message))),
            // Unbounded, but bounded by the credit and the number of pending requests.
            None => drop(inbox.deliveries.try_send(Delivery { message, answer })),
        }
    }

    fn join_refused(&mut self, module: ModuleId) {
        self.modules.remove(&module);
        if let Some(at) = self.joining.iter().position(|(joining, _)| *joining == module) {
            let (_, reply) = self.joining.swap_remove(at);
            let _ = reply.try_send(None);
        }
    }

    /// Answers those who wait for an empty outbox.
    pub(super) fn tell_settled(&mut self) {
        if self.settled.is_empty() || !self.commands.is_empty() || !self.answers.is_empty() {
            return;
        }
        let account = self.hub.account();
        if account.up.pending == 0 {
            for reply in self.settled.drain(..) {
                let _ = reply.try_send(account);
            }
        }
    }

    fn observe(&mut self, note: &Note) {
        self.log.note(note);
        if let Some(observer) = &mut self.options.observer {
            observer(self.now, note);
        }
    }

    /// Tells a sender that has a receipt.
    fn tell(&mut self, receipt: ReceiptId, stage: Stage) {
        let Entry::Occupied(stages) = self.receipts.entry(receipt) else { return };
        // A sender that no longer listens has given the receipt up.
        let _ = stages.get().try_send(stage);
        if stage.is_last() {
            stages.remove();
        }
    }

    /// Tells a sender that has none.
    fn tell_rejected(&mut self, module: ModuleId, msg_id: Box<str>, stage: Stage) {
        if let Stage::Dropped { reason, limit } = stage
            && let Some(inbox) = self.modules.get_mut(&module)
        {
            inbox.rejections.tell(msg_id, reason, limit);
        }
    }

    /// Lets the journals write what they have, and hears them out. What the journal of messages cannot keep the hub drops,
    /// and that may become a dead letter; what a letter is about the journal may forget only when that is written.
    pub(super) async fn close_journals(&mut self) {
        let dropped = self.hub.account().up.dropped();
        while self.hub.unstored() > 0
            && let Some(journal) = &mut self.journal
            && let Some(event) = journal.next_after_handing_over().await
        {
            self.hear_out(event);
        }
        let unstored = self.hub.account().up.dropped() - dropped;
        if unstored > 0 {
            error!(
                unstored,
                "journal: messages could not be stored at the end and are dropped; check the disk"
            );
        }
        while let Some(letters) = &mut self.letters
            && let Some(event) = letters.next_before_end().await
        {
            self.hear_out(event);
        }
        self.letters = None;
        while let Some(journal) = &mut self.journal
            && let Some(event) = journal.next_before_end().await
        {
            self.hear_out(event);
        }
        self.journal = None;
    }

    /// Hands the hub what a journal tells after the stop.
    fn hear_out(&mut self, event: JournalEvent) {
        self.handle(Input::Journal(event));
        self.carry_out_the_rest();
    }

    /// Does what the hub says after its stop.
    pub(super) fn carry_out_the_rest(&mut self) {
        while let Some(output) = self.next_output() {
            match output {
                Output::Receipt { receipt: Some(receipt), stage, .. } => self.tell(receipt, stage),
                Output::Note(note) => self.observe(&note),
                Output::Bury { letter, class, reason, message } => self.bury(letter, class, reason, message),
                Output::Forget { first, last } => {
                    self.order_of_journal(|journal| journal.forget(first, last))
                }
                // Nothing else follows a stop.
                _ => {}
            }
        }
    }
}
