//! The journal's writer and recovery over a simulated disk, from one seed: entries come, are forgotten and fetched, the
//! disk fails and fills, the process is killed, the power is cut at any point; and after every event the promises of
//! [`edgehub_core::journal`] hold.

mod model;

use crate::dice::Dice;
use crate::disk::{Disk, DiskFault};
use edgehub_core::UnixMillis;
use edgehub_core::journal::{
    Command, Entry, EntryNumber, Event, Input, Operation, Overflow, Purpose, Recovery, Settings, Writer,
};
use model::Model;

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
    /// Bits that were flipped.
    pub flips: usize,
    /// Entries read back.
    pub fetched: usize,
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
    let mut run = Run::new(seed, rot);
    for _ in 0..steps {
        run.step();
    }
    run.heal();
    run.report
}

struct Run {
    seed: u64,
    rot: bool,
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
    report: JournalReport,
}

impl Run {
    fn new(seed: u64, rot: bool) -> Run {
        let writer = Writer::new(settings(), Recovery::new(Purpose::Messages, IDENTITY));
        Run {
            seed,
            rot,
            dice: Dice::new(seed),
            disk: Disk::default(),
            writer,
            out: None,
            model: Model::default(),
            next: EntryNumber(1),
            life: 0,
            trouble: 20,
            appetite: 60,
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
        let input = match self.disk.execute(&command, fault, &mut self.dice) {
            Ok(completion) => {
                self.done(&command);
                Input::Completed(completion)
            }
            Err(fault) => {
                self.report.faults += 1;
                Input::Failed(fault)
            }
        };
        self.writer.handle(input);
        assert!(self.writer.bytes() <= TOTAL_BYTES, "seed {}: {} bytes", self.seed, self.writer.bytes());
    }

    fn done(&mut self, command: &Command) {
        match command {
            Command::Sync { segment } => self.model.durable(self.disk.durable(*segment), IDENTITY),
            Command::Delete { .. } => self.report.deleted += 1,
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
                Event::Discarded { .. } => fails(self.seed, "a journal of messages discards nothing"),
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
        self.writer = Writer::new(settings(), recovery);
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

fn settings() -> Settings {
    Settings {
        segment_bytes: SEGMENT_BYTES,
        total_bytes: TOTAL_BYTES,
        batch_bytes: 1024,
        waiting: 200,
        waiting_bytes: 64 * 1024,
        overflow: Overflow::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rot: bool) {
        let mut total = JournalReport::default();
        for seed in 0..60 {
            let report = journal(seed, 4000, rot);
            total.stored += report.stored;
            total.power_cuts += report.power_cuts;
            total.kills += report.kills;
            total.faults += report.faults;
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
    fn the_same_seed_is_the_same_run() {
        assert_eq!(journal(7, 3000, false), journal(7, 3000, false));
    }
}
