//! Any bytes as a trace, and as the damage to one.

use edgehub_core::trace::diff::diff;
use edgehub_core::trace::explain::stories;
use edgehub_core::trace::stats::stats;
use edgehub_core::trace::{Header, Recorder, Trace, replay};
use edgehub_core::{Content, Draft, Hub, Input, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Now, Output};

/// Reads the bytes as a file; then uses them to damage a good one. A good trace without damage must replay.
pub fn trace(data: &[u8]) {
    look_at(data);
    let good = recording();
    let damaged = damage(&good, data);
    if damaged == good {
        let replayed = Trace::open(&good).map(|trace| replay(&trace));
        assert!(matches!(&replayed, Ok(Ok(replayed)) if replayed.compared > 10), "{replayed:?}");
    }
    look_at(&damaged);
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

/// A short life with a lost link in its middle, in several blocks and with a checkpoint.
fn recording() -> Vec<u8> {
    let header = Header { seed: 7, ..Header::default() };
    let mut recorder = Recorder::new(header.clone(), 1, 1);
    let mut hub = Hub::new(header.config, header.seed, Now::default());
    let mut file = recorder.head();
    let link = |epoch, event| Input::Link { epoch: LinkEpoch(epoch), event };
    let module = |event| Input::Module { module: ModuleId(1), event };
    let joined = ModuleEvent::Joined { name: "twin".into(), groups: vec!["twin".into()], credit: 2 };
    let mut inputs = vec![module(joined), link(1, LinkEvent::Opened)];
    for number in 0..20 {
        let id = number.to_string();
        let draft =
            Draft { msg_id: &id, group: "twin", content: Content::Text("secret"), ..Draft::default() };
        let Ok(message) = draft.encode() else { continue };
        inputs.push(module(ModuleEvent::Sent { message: message.clone(), timeout: None, receipt: None }));
        inputs.push(link(1 + number / 10, LinkEvent::Received(message)));
        if number == 10 {
            inputs.extend([link(1, LinkEvent::Closed), Input::Tick, link(2, LinkEvent::Opened)]);
        }
    }
    let mut keep = |recorder: &mut Recorder| {
        while let Some(block) = recorder.next_block() {
            file.extend_from_slice(&block.pack());
        }
    };
    for (number, input) in inputs.into_iter().enumerate() {
        let now = Now::new(number as u64 * 1_000_000, number as i64 * 1000);
        recorder.input(now, &input);
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
    #[test]
    fn the_good_trace_is_good() {
        super::trace(b"");
    }
}
