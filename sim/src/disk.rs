//! A disk that keeps what was synced, and after a power cut whatever it likes of the rest.

use crate::dice::Dice;
use edgehub_core::journal::{Command, Completion, Fault, SegmentNumber};
use std::collections::BTreeMap;

/// What goes wrong with one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// The disk is full: a part of what was to be written is.
    Full,
    /// The disk fails. A sync that fails forgets what it did not bring to the disk, and a later one does not try again.
    Broken,
}

/// One file: what a power cut leaves for sure, and what was done since.
#[derive(Debug, Clone, Default)]
struct File {
    /// Whether the directory is sure to name it.
    named: bool,
    durable: Vec<u8>,
    /// Writes that no sync has covered.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// A sync failed: what is seen is no longer what the disk will ever hold.
    distrusted: bool,
    /// What a reader sees; `None` when it was deleted, and only a power cut can bring it back.
    seen: Option<Vec<u8>>,
}

impl File {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        overlay(self.seen.get_or_insert_default(), offset, bytes);
        self.unsynced.push((offset, bytes.to_vec()));
    }

    fn sync(&mut self) {
        for (offset, bytes) in self.unsynced.drain(..) {
            overlay(&mut self.durable, offset, &bytes);
        }
    }

    /// Of what was not synced, keeps any of it, whole or torn.
    fn settle_by_chance(&mut self, dice: &mut Dice) {
        for (offset, bytes) in std::mem::take(&mut self.unsynced) {
            match dice.number(0, 2) {
                0 => {}
                1 => overlay(&mut self.durable, offset, &bytes),
                _ => {
                    let (from, to) = (dice.index(bytes.len() + 1), dice.index(bytes.len() + 1));
                    // A torn write may also lack its beginning: pages reach the disk in any order.
                    let from = if dice.chance(700) { 0 } else { from.min(to) };
                    overlay(&mut self.durable, offset + from, &bytes[from..to.max(from)]);
                }
            }
        }
    }
}

/// Puts bytes at an offset; what lies between the end and there becomes zero.
fn overlay(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if !bytes.is_empty() {
        file.resize(file.len().max(end), 0);
        file[offset..end].copy_from_slice(bytes);
    }
}

/// A directory of segments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: BTreeMap<SegmentNumber, File>,
}

impl Disk {
    /// Carries out a command, or a part of it when it fails.
    pub(crate) fn execute(
        &mut self,
        command: &Command,
        fault: Option<DiskFault>,
        dice: &mut Dice,
    ) -> Result<Completion, Fault> {
        if let Some(fault) = fault {
            self.execute_a_part(command, fault, dice);
            return Err(if fault == DiskFault::Full { Fault::NoSpace } else { Fault::Other });
        }
        match command {
            Command::Create { segment, header } => {
                let mut file = File { named: true, ..File::default() };
                file.write(0, header);
                file.sync();
                self.files.insert(*segment, file);
            }
            Command::Write { segment, offset, bytes } => {
                self.files.entry(*segment).or_default().write(*offset as usize, bytes);
            }
            Command::Sync { segment } => self.files.entry(*segment).or_default().sync(),
            Command::Cut { segment, length } => {
                let file = self.files.entry(*segment).or_default();
                file.sync();
                file.durable.truncate(*length as usize);
                file.seen = Some(file.durable.clone());
            }
            Command::Delete { segment } => drop(self.files.remove(segment)),
            Command::Read { segment, offset, bytes } => {
                let seen = self.files.get(segment).and_then(|file| file.seen.as_deref()).unwrap_or_default();
                let from = seen.len().min(*offset as usize);
                let to = seen.len().min(from + bytes);
                return Ok(Completion::Read(seen[from..to].to_vec().into()));
            }
        }
        Ok(Completion::Done)
    }

    fn execute_a_part(&mut self, command: &Command, fault: DiskFault, dice: &mut Dice) {
        match command {
            Command::Create { segment, header } if dice.chance(500) => {
                let file = self.files.entry(*segment).or_default();
                file.seen = Some(Vec::new());
                file.write(0, &header[..dice.index(header.len() + 1)]);
            }
            Command::Write { segment, offset, bytes } => {
                let part = &bytes[..dice.index(bytes.len() + 1)];
                self.files.entry(*segment).or_default().write(*offset as usize, part);
            }
            Command::Sync { segment } if fault == DiskFault::Broken || dice.chance(500) => {
                let file = self.files.entry(*segment).or_default();
                file.settle_by_chance(dice);
                file.distrusted = true;
            }
            Command::Delete { segment } if dice.chance(500) => {
                if let Some(file) = self.files.get_mut(segment) {
                    file.seen = None;
                }
            }
            _ => {}
        }
    }

    /// The power fails: what was not synced is there, or not, or in part.
    pub(crate) fn lose_power(&mut self, dice: &mut Dice) {
        self.files.retain(|_, file| {
            file.settle_by_chance(dice);
            let there = (file.named && file.seen.is_some()) || dice.chance(500);
            (file.named, file.distrusted) = (true, false);
            file.seen = Some(file.durable.clone());
            there
        });
    }

    /// The process ends, and nothing else. The pages of a sync that failed leave the cache: did they stay, a process
    /// that is killed right after the fault, and then a power cut, could take what no one ever reported as stored.
    pub(crate) fn lose_process(&mut self) {
        self.files.retain(|_, file| file.seen.is_some());
        for file in self.files.values_mut().filter(|file| file.distrusted) {
            file.unsynced.clear();
            file.seen = Some(file.durable.clone());
            file.distrusted = false;
        }
    }

    /// Flips one bit somewhere; returns whether there was one.
    pub(crate) fn rot(&mut self, dice: &mut Dice) -> bool {
        let place = dice.index(self.files.len().max(1));
        let Some(file) = self.files.values_mut().nth(place).filter(|file| !file.durable.is_empty()) else {
            return false;
        };
        let (byte, bit) = (dice.index(file.durable.len()), dice.index(8));
        file.durable[byte] ^= 1 << bit;
        file.seen = Some(file.durable.clone());
        true
    }

    /// The segments, as a reader sees them.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (SegmentNumber, &[u8])> {
        self.files.iter().filter_map(|(segment, file)| Some((*segment, file.seen.as_deref()?)))
    }

    /// What no power cut takes from a segment.
    pub(crate) fn durable(&self, segment: SegmentNumber) -> &[u8] {
        self.files.get(&segment).map_or(&[], |file| &file.durable)
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> usize {
        self.segments().map(|(_, bytes)| bytes.len()).sum()
    }
}
