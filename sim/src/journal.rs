//! The journal's writer and recovery over a simulated disk, from one seed: entries come, are forgotten and fetched, the
//! disk fails and fills, the process is killed, the power is cut at any point; and after every event the promises of
//! [`edgehub_core::journal`] hold.

mod model;

use crate::canary;
use crate::dice::Dice;
use crate::disk::{Disk, DiskFault};
use edgehub_core::UnixMillis;
use edgehub_core::journal::{
    Command, Entry, EntryNumber, Event, Input, Operation, Overflow, Purpose, Recovery, SegmentNumber,
    Settings, Writer,
};
use model::Model;
use std::collections::BTreeSet;

const IDENTITY: &str = "project/edge-1";
const SEGMENT_BYTES: u64 = 4096;
const TOTAL_BYTES: u64 = 12 * SEGMENT_BYTES;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// Entries reported as stored.
    pub stored: usize,
    /// Times the power was cut.
    pub power_cuts: usize,
    /// Times the process was killed.
    pub kills: usize,
    /// Commands that failed.
    pub faults: usize,
    /// Times it could not even make durable what it had read back, and had to read again.
    pub starts_failed: usize,
    /// Bits that were flipped.
    pub flips: usize,
    /// Entries read back.
    pub fetched: usize,
    /// Entries that were given up to make room.
    pub given_up: usize,
    /// Times it was full by its own limit.
    pub full: usize,
    /// Segments deleted.
    pub deleted: usize,
    /// Entries copied forward, counted by their reads.
    pub reads: usize,
}

/// Runs one seed; panics with the seed in the message when a promise is broken. With `rot`, bits flip while the power
/// is off, and each may cost one entry and no more.
pub fn journal(seed: u64, steps: usize, rot: bool) -> JournalReport {
    play(Run::new(seed, rot, Overflow::Wait), steps)
}

/// The same for a journal of dead letters, which gives up the oldest when it is full.
pub fn dead_letters(seed: u64, steps: usize) -> JournalReport {
    play(Run::new(seed, false, Overflow::DropOldest), steps)
}

fn play(mut run: Run, steps: usize) -> JournalReport {
    for _ in 0..steps {
        run.step();
    }
    run.heal();
    run.report
}

struct Run {
    seed: u64,
    rot: bool,
    overflow: Overflow,
    dice: Dice,
    disk: Disk,
    writer: Writer,
    /// The command that is out.
    out: Option<Command>,
    model: Model,
    next: EntryNumber,
    life: u64,
    /// How often commands fail, per mille; changes with time.
    trouble: u64,
    /// How many live at most before some are forgotten.
    appetite: usize,
    /// Entries that the last deletion took with it.
    given_up: usize,
    report: JournalReport,
}

impl Run {
    fn new(seed: u64, rot: bool, overflow: Overflow) -> Run {
        let writer = canary::writer(settings(overflow), Recovery::new(Purpose::Messages, IDENTITY));
        Run {
            seed,
            rot,
            overflow,
            dice: Dice::new(seed),
            disk: Disk::default(),
            writer,
            out: None,
            model: Model::default(),
            next: EntryNumber(1),
            life: 0,
            trouble: 20,
            appetite: 60,
            given_up: 0,
            report: JournalReport::default(),
        }
    }

    fn step(&mut self) {
        match self.dice.number(0, 999) {
            0..250 => self.store(),
            250..400 => self.forget(),
            400..430 => self.fetch(),
            430..440 => self.writer.handle(Input::Retry),
            440..443 => self.power_cut(),
            443..446 => self.kill(),
            446..447 => self.close(),
            447..449 => {
                self.trouble = [0, 0, 20, 200][self.dice.index(4)];
                self.appetite = [5, 60, 400][self.dice.index(3)];
            }
            _ => self.drive(),
        }
        self.listen();
    }

    fn store(&mut self) {
        let size = if self.dice.chance(50) { self.dice.index(1900) } else { self.dice.index(300) };
        let frame =
            format!("{{\"number\":{},\"life\":{},\"{}\":0}}", self.next.0, self.life, "x".repeat(size));
        self.model.hands_over(self.next, &frame);
        let entry =
            Entry { number: self.next, class: 1, at: UnixMillis(5), reason: None, frame: frame.into() };
        self.writer.handle(Input::Operation(Operation::Store(entry)));
        self.next.0 += 1 + u64::from(self.dice.chance(100));
    }

    fn forget(&mut self) {
        let live = self.model.live();
        if live.len() < self.appetite && self.dice.chance(600) {
            return;
        }
        let Some(first) = live.get(self.dice.index(live.len().max(1))).copied() else { return };
        let last = if self.dice.chance(200) { EntryNumber(first.0 + self.dice.number(0, 20)) } else { first };
        self.model.forgets(first, last);
        self.writer.handle(Input::Operation(Operation::Forget { first, last }));
    }

    fn fetch(&mut self) {
        let live = self.model.live();
        if let Some(number) = live.get(self.dice.index(live.len().max(1))) {
            self.writer.handle(Input::Operation(Operation::Fetch(*number)));
        }
    }

    /// Takes the next command, or finishes the one that is out.
    fn drive(&mut self) {
        let Some(command) = self.out.take() else {
            self.out = self.writer.next_command();
            return;
        };
        let fault = self
            .dice
            .chance(self.trouble)
            .then(|| if self.dice.chance(500) { DiskFault::Full } else { DiskFault::Broken });
        let given_up = match &command {
            // Whatever becomes of the command, nobody can count on them any more.
            Command::Delete { segment } if self.overflow == Overflow::DropOldest => {
                self.model.doubts(self.lives_only_in(*segment))
            }
            _ => 0,
        };
        let input = match self.disk.execute(&command, fault, &mut self.dice) {
            Ok(completion) => {
                self.done(&command, given_up);
                Input::Completed(completion)
            }
            Err(fault) => {
                self.report.faults += 1;
                Input::Failed(fault)
            }
        };
        self.writer.handle(input);
        if self.writer.must_be_read_again() {
            self.report.starts_failed += 1;
            self.disk.lose_process();
            self.reopen(0);
        }
        assert!(self.writer.bytes() <= TOTAL_BYTES, "seed {}: {} bytes", self.seed, self.writer.bytes());
    }

    /// The numbers of the entries that a segment holds and no other one does.
    fn lives_only_in(&self, segment: SegmentNumber) -> BTreeSet<EntryNumber> {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.disk.segments().partition(|(other, _)| *other == segment);
        let numbers = |segments: Vec<(SegmentNumber, &[u8])>| -> BTreeSet<EntryNumber> {
            segments.into_iter().flat_map(|(_, bytes)| model::stored_in(bytes, IDENTITY)).collect()
        };
        numbers(here).difference(&numbers(elsewhere)).copied().collect()
    }

    fn done(&mut self, command: &Command, given_up: usize) {
        match command {
            Command::Sync { segment } => self.model.durable(self.disk.durable(*segment), IDENTITY),
            Command::Delete { .. } => {
                self.report.deleted += 1;
                self.report.given_up += given_up;
                self.given_up = given_up;
            }
            Command::Read { .. } => self.report.reads += 1,
            _ => {}
        }
    }

    fn listen(&mut self) {
        if self.writer.is_started() {
            self.model.started();
        }
        while let Some(event) = self.writer.poll_event() {
            match event {
                Event::Stored { up_to } => self.report.stored += self.model.stored(up_to),
                Event::Refused { number, .. } => self.model.gone(number),
                Event::Fetched(entry) => {
                    self.report.fetched += 1;
                    self.model.check_fetched(self.seed, entry.number, &entry.frame);
                }
                Event::Lost { number } => {
                    // It was forgotten meanwhile, or the disk failed in reading it.
                    let forgotten = !self.model.live().contains(&number);
                    assert!(
                        forgotten || self.report.faults > 0 || self.rot,
                        "seed {}: lost {number}",
                        self.seed
                    );
                    self.model.forgets(number, number);
                }
                Event::Discarded { entries } => {
                    let allowed = self.overflow == Overflow::DropOldest;
                    assert!(allowed, "seed {}: a journal of messages discards nothing", self.seed);
                    assert_eq!(entries, self.given_up, "seed {}: given up", self.seed);
                    self.given_up = 0;
                    self.model.discards();
                }
                Event::Health(health) => {
                    self.report.full += usize::from(health == full_by_limit());
                }
                Event::Closed { .. } => {}
            }
        }
    }

    fn power_cut(&mut self) {
        self.report.power_cuts += 1;
        // The command that was out may have been carried out in part.
        if let Some(command) = self.out.take() {
            let fault = self.dice.chance(700).then_some(DiskFault::Broken);
            // Whatever it brings, nobody hears of it.
            let _ = self.disk.execute(&command, fault, &mut self.dice);
        }
        self.disk.lose_power(&mut self.dice);
        let mut flips = 0;
        if self.rot && self.dice.chance(500) {
            flips = usize::from(self.disk.rot(&mut self.dice));
        }
        self.report.flips += flips;
        self.reopen(flips);
    }

    fn kill(&mut self) {
        self.report.kills += 1;
        self.out = None;
        self.disk.lose_process();
        self.reopen(0);
    }

    /// An orderly end, then a power cut: everything that was written before the end is there.
    fn close(&mut self) {
        let trouble = std::mem::take(&mut self.trouble);
        self.writer.handle(Input::Close);
        self.listen();
        while self.out.is_some() || {
            self.out = self.writer.next_command();
            self.out.is_some()
        } {
            self.drive();
            self.listen();
        }
        self.trouble = trouble;
        self.disk.lose_power(&mut self.dice);
        self.reopen(0);
    }

    fn reopen(&mut self, flips: usize) {
        self.listen();
        let mut recovery = Recovery::new(Purpose::Messages, IDENTITY);
        for (segment, bytes) in self.disk.segments() {
            let outcome = recovery.segment(segment, bytes);
            assert!(outcome.is_ok() || self.report.flips > 0, "seed {}: {segment} {outcome:?}", self.seed);
        }
        let found: Vec<_> = recovery.live().map(|(number, place)| (number, self.frame(place))).collect();
        self.model.check_recovered(self.seed, &found, self.rot.then_some(flips));
        self.next = recovery.unused();
        self.life += 1;
        self.out = None;
        self.writer = canary::writer(settings(self.overflow), recovery);
    }

    fn frame(&self, place: edgehub_core::journal::Place) -> String {
        let seed = edgehub_core::journal::Seed::new(Purpose::Messages, IDENTITY);
        let segment = self.disk.segments().find(|(segment, _)| *segment == place.segment);
        segment
            .and_then(|(_, bytes)| bytes.get(place.offset as usize..))
            .and_then(|bytes| edgehub_core::journal::Record::decode(bytes, seed)?.0.to_entry())
            .map(|entry| entry.frame.to_string())
            .unwrap_or_default()
    }

    /// The faults stop: everything that waits is stored once there is room, and what is dead leaves the disk.
    fn heal(&mut self) {
        self.trouble = 0;
        self.settle();
        for number in self.model.live() {
            self.model.forgets(number, number);
            self.writer.handle(Input::Operation(Operation::Forget { first: number, last: number }));
        }
        self.store();
        self.settle();
        assert!(self.model.all_stored(), "seed {}: something waits for ever", self.seed);
        assert_eq!(self.writer.waiting(), (0, 0), "seed {}", self.seed);
        assert!(self.writer.is_settled(), "seed {}", self.seed);
        let bytes = self.disk.bytes() as u64;
        assert!(bytes <= 4 * SEGMENT_BYTES, "seed {}: {bytes} bytes for one live entry", self.seed);
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.writer.handle(Input::Retry);
            if self.out.is_none() {
                self.out = self.writer.next_command();
            }
            if self.out.is_none() {
                return;
            }
            self.drive();
            self.listen();
        }
        fails(self.seed, "it never comes to rest");
    }
}

fn full_by_limit() -> edgehub_core::journal::Health {
    edgehub_core::journal::Health::Full(edgehub_core::journal::FullReason::Limit)
}

/// Fails the run.
fn fails(seed: u64, why: &str) {
    assert!(why.is_empty(), "seed {seed}: {why}");
}

fn settings(overflow: Overflow) -> Settings {
    Settings {
        segment_bytes: SEGMENT_BYTES,
        total_bytes: TOTAL_BYTES,
        batch_bytes: 1024,
        waiting: 200,
        waiting_bytes: 64 * 1024,
        overflow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rot: bool) {
        let mut total = JournalReport::default();
        for seed in 0..150 {
            let report = journal(seed, 4000, rot);
            total.stored += report.stored;
            total.power_cuts += report.power_cuts;
            total.kills += report.kills;
            total.faults += report.faults;
            total.starts_failed += report.starts_failed;
            total.flips += report.flips;
            total.fetched += report.fetched;
            total.full += report.full;
            total.deleted += report.deleted;
            total.reads += report.reads;
        }
        // The runs reach what they are meant to reach.
        println!("{total:?}");
        assert!(total.stored > 10_000 && total.power_cuts > 300 && total.kills > 300, "{total:?}");
        assert!(total.faults > 1000 && total.full > 10 && total.deleted > 500, "{total:?}");
        assert!(total.starts_failed > 10, "{total:?}");
        assert!(total.reads > total.fetched + 100, "nothing is ever copied forward: {total:?}");
        assert_eq!(total.flips > 50, rot, "{total:?}");
    }

    #[test]
    fn no_crash_loses_what_was_stored() {
        check(false);
    }

    #[test]
    fn a_flipped_bit_costs_one_entry_at_most() {
        check(true);
    }

    #[test]
    fn full_dead_letters_give_up_the_oldest_and_nothing_else() {
        let mut total = JournalReport::default();
        for seed in 0..60 {
            let report = dead_letters(seed, 4000);
            total.stored += report.stored;
            total.given_up += report.given_up;
            total.faults += report.faults;
        }
        assert!(total.stored > 10_000 && total.given_up > 300 && total.faults > 500, "{total:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        assert_eq!(journal(7, 3000, false), journal(7, 3000, false));
    }
}
