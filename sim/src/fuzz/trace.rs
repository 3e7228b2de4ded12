//! Any bytes as a trace, as the damage to one, and as what somebody wrote into one on purpose.

use crate::classes;
use crate::import::import;
use edgehub_core::hub::JournalEvent;
use edgehub_core::journal::EntryNumber;
use edgehub_core::trace::cut::cut;
use edgehub_core::trace::diff::diff;
use edgehub_core::trace::explain::{Question, explain, search, stories};
use edgehub_core::trace::export::{chrome_trace, json_lines};
use edgehub_core::trace::reseal::reseal;
use edgehub_core::trace::state::state_at;
use edgehub_core::trace::stats::stats;
use edgehub_core::trace::what_if::what_if;
use edgehub_core::trace::{Header, Recorder, Replay, Trace, replay};
use edgehub_core::{
    Config, Content, Draft, Hub, Input, Instant, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Now, Output,
};
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::Duration;

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(recording);

/// One of the oldest format that is read.
const OLDER: &[u8] = include_bytes!("../../../tests/data/old-traces/format-2.trace");

/// Reads the bytes as a file; then uses them to damage a good one; then to change what is in a good one, with hashes that
/// are right. A good trace without damage must replay.
pub fn trace(data: &[u8]) {
    look_at(data);
    let damaged = damage(&GOOD, data);
    if damaged == *GOOD {
        let replayed = Trace::open(GOOD.as_slice()).map(|trace| replay(&trace));
        assert!(matches!(&replayed, Ok(Ok(replayed)) if replayed.compared > 10), "{replayed:?}");
    }
    look_at(&damaged);
    look_at(&damage(OLDER, data));
    if let Some(changed) = change(&GOOD, data) {
        look_at(&changed);
    }
}

/// Asks everything that can be asked.
fn look_at(file: &[u8]) {
    let Ok(trace) = Trace::open(file) else { return };
    // What a hash vouches for is not damaged, whatever else is: it must say the same as before.
    if let Err(error) = replay(&trace) {
        assert!(!error.to_string().is_empty());
    }
    let _ = (stats(&trace), stories(&trace, |_| true));
    assert!(diff(&trace, &trace).is_none());
    for question in [Question::Dropped, Question::Pending, Question::Late(Duration::from_secs(2))] {
        assert!(search(&trace, question, 3).is_ok_and(|found| found.len() <= 3) || replay(&trace).is_err());
    }
    for id in ["3", "19", "no such message"] {
        let _ = explain(&trace, id);
    }
    for block in 0..trace.blocks().len() {
        let _ = Replay::near(&trace, block).run(|_| ControlFlow::Continue(()));
    }
    let middle = Instant(20_000_000);
    let _ = (state_at(&trace, middle), import(&trace, "fuzz"));
    if let Ok(part) = cut(&trace, middle..=Instant(30_000_000), 1) {
        assert!(part.is_empty() || Trace::open(&part).is_ok(), "nothing is in that time, or a trace");
    }
    let _ = (json_lines(&trace, true, |_| {}), chrome_trace(&trace, |_| {}));
    let _ = what_if(&trace, |config| config.heartbeat = Duration::from_secs(2));
}

/// Six bytes each: which block, where in its payload, how, and with what.
fn change(good: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut number = 0_u8;
    let blocks = Trace::open(good).ok()?.blocks().len().max(1) as u8;
    reseal(
        good,
        |_| {},
        |block| {
            for step in data.chunks_exact(6).take(8).filter(|step| step[0] % blocks == number) {
                let at = usize::from(u16::from_le_bytes([step[1], step[2]])) % block.raw.len().max(1);
                let value = u16::from_le_bytes([step[4], step[5]]);
                let end = (at + usize::from(value) % 64).min(block.raw.len());
                match step[3] % 8 {
                    0 | 1 => block.raw.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= step[4].max(1)),
                    2 => block
                        .raw
                        .iter_mut()
                        .skip(at)
                        .take(2)
                        .zip(&step[4..])
                        .for_each(|(to, from)| *to = *from),
                    3 => drop(block.raw.drain(at..end)),
                    4 => drop(block.raw.splice(at..at, [step[4], step[5]])),
                    // The largest number that there is, in place of one of a byte.
                    5 => {
                        let largest = [[0xff; 9].as_slice(), &[1]].concat();
                        drop(block.raw.splice(at..(at + 1).min(block.raw.len()), largest));
                    }
                    6 => block.first = block.first.wrapping_add_signed(i64::from(value as i16)),
                    _ => block.records = block.records.wrapping_add_signed(i32::from(value as i16)),
                }
            }
            number = number.wrapping_add(1);
        },
    )
}

/// Four bytes each: where, how, and with what.
fn damage(good: &[u8], data: &[u8]) -> Vec<u8> {
    let mut file = good.to_vec();
    for step in data.chunks_exact(4).take(8) {
        if file.is_empty() {
            break;
        }
        let at = usize::from(u16::from_le_bytes([step[0], step[1]])) % file.len();
        match step[2] % 4 {
            0 => file[at] ^= step[3],
            1 => file.truncate(at),
            2 => drop(file.drain(at..(at + usize::from(step[3])).min(file.len()))),
            _ => drop(file.splice(at..at, [step[3]; 3])),
        }
    }
    file
}

/// A short life with a lost link in its middle, in several blocks and with checkpoints: with messages that wait for the
/// journal, for the link, for a pong, for an answer, for a module and for their letters.
fn recording() -> Vec<u8> {
    let persistent = classes::set(8);
    let config = Config { classes: persistent, spool_above: 600, ..Config::default() };
    let header = Header { seed: 7, config, ..Header::default() };
    let mut recorder = Recorder::new(header.clone(), 1, 1);
    let mut hub = Hub::new(header.config, header.seed, Now::default());
    let mut file = recorder.head();
    let link = |epoch, event| Input::Link { epoch: LinkEpoch(epoch), event };
    let module = |event| Input::Module { module: ModuleId(1), event };
    let joined = ModuleEvent::Joined { name: "twin".into(), groups: vec!["twin".into()], credit: 2 };
    let journal = |event| Input::Journal(event);
    let mut inputs = vec![
        journal(JournalEvent::Opened { unused: EntryNumber(3), frame_bytes_max: 1 << 20 }),
        journal(JournalEvent::LettersOpened),
        module(joined),
        link(1, LinkEvent::Opened),
    ];
    for number in 0..20 {
        let id = number.to_string();
        let draft = Draft {
            msg_id: &id,
            group: "twin",
            content: Content::Text("secret"),
            sync: number % 4 == 0,
            ..Draft::default()
        };
        let Ok(message) = draft.encode() else { continue };
        inputs.push(module(ModuleEvent::Sent { message: message.clone(), timeout: None, receipt: None }));
        inputs.push(link(1 + number / 10, LinkEvent::Received(message)));
        if number == 10 {
            inputs.extend([
                link(1, LinkEvent::Pong(1)),
                journal(JournalEvent::Stored { up_to: EntryNumber(9) }),
                link(1, LinkEvent::Closed),
                Input::Tick,
                link(2, LinkEvent::Opened),
            ]);
        }
    }
    let mut keep = |recorder: &mut Recorder| {
        while let Some(block) = recorder.next_block() {
            file.extend_from_slice(&block.pack());
        }
    };
    for (number, input) in inputs.into_iter().enumerate() {
        let now = Now::new(number as u64 * 1_000_000, number as i64 * 1000);
        recorder.input(now, &input, &hub);
        hub.handle(now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| hub.poll_output()).collect();
        outputs.iter().for_each(|output| recorder.output(output));
        recorder.drained(&hub);
        match number % 10 {
            5 => recorder.finish_block(),
            9 => recorder.checkpoint(&hub),
            _ => {}
        }
        keep(&mut recorder);
    }
    recorder.finish_block();
    keep(&mut recorder);
    file
}

#[cfg(test)]
mod tests {
    use edgehub_core::rng::Rng;

    #[test]
    fn the_good_trace_is_good() {
        super::trace(b"");
    }

    /// A fuzzer finds more; this is what it begins with.
    #[test]
    fn what_is_written_on_purpose_is_survived() {
        let (mut rng, mut changed) = (Rng::new(1), 0);
        for _ in 0..100 {
            let data: Vec<u8> = (0..6 * (1 + rng.below(3))).map(|_| rng.next_u64() as u8).collect();
            let file = super::change(&super::GOOD, &data);
            changed += usize::from(file.is_some_and(|file| file != *super::GOOD));
            super::trace(&data);
        }
        assert!(changed > 80, "{changed} of 100 traces are other ones");
    }
}
