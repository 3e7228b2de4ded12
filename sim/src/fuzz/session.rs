//! Any bytes as the life of an edge hub.

mod journal;

use super::legality::Legality;
use crate::checks::EdgeChecks;
use arbitrary::{Arbitrary, Unstructured};
use edgehub_core::class::Classes;
use edgehub_core::config::{Acknowledge, Drain, DuplicateWindow, Endpoints, LaneChoice, Lanes, Probe, Rate};
use edgehub_core::hub::ReceiptId;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Now, Output,
    Profile, UnixMillis, Violation,
};
use journal::Journal;
use std::time::Duration;

/// What the driver knows of the link: enough to say what makes sense most of the time.
#[derive(Debug, Default)]
struct Driver {
    epoch: u64,
    unflushed: Vec<usize>,
    ping: u64,
    receipts: u64,
    journal: Option<Journal>,
}

impl Driver {
    fn observe(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Open { epoch, .. } => {
                    let (journal, receipts) = (self.journal.take(), self.receipts);
                    *self = Driver { epoch: epoch.0, receipts, journal, ..Driver::default() };
                }
                Output::Write { message, .. } => self.unflushed.push(message.bytes()),
                Output::Ping { number, .. } => self.ping = *number,
                _ => self.journal.iter_mut().for_each(|journal| journal.observe(output)),
            }
        }
    }
}

/// Reads the bytes as a configuration and a list of inputs, and checks the hub after each.
pub fn session(data: &[u8]) {
    legality(data);
}

/// The same, and how much of it could happen.
pub(super) fn legality(data: &[u8]) -> Legality {
    let mut seen = Legality::default();
    // Reading stops where the bytes do.
    let _ = play(&mut Unstructured::new(data), &mut seen);
    seen
}

/// Bytes from here on mean what came later; below it everything means what it always did.
const LATER: u8 = 224;

fn play(bytes: &mut Unstructured<'_>, seen: &mut Legality) -> arbitrary::Result<()> {
    let config = config(bytes)?;
    let mut time_us = 0;
    let mut hub = Hub::new(config.clone(), 7, Now::new(0, 0));
    let mut checks = EdgeChecks::new(&config);
    let mut driver = Driver::default();
    let stores = config.classes != Config::default().classes;
    let began = checks.begin(&mut hub, Now::new(0, 0));
    assert!(began.is_ok(), "{began:?}");
    driver.observe(&began.unwrap_or_default());
    if stores {
        let letters = config.classes.classes.iter().any(|class| class.dead_letters);
        for opened in Journal::opened(letters) {
            let outcome = checks.handle(&mut hub, Now::new(0, 0), opened);
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        driver.journal = Some(Journal::default());
    }
    while !bytes.is_empty() {
        let (pause_us, back_us) = pause_us(bytes, &hub, time_us)?;
        time_us += pause_us;
        let input = input(bytes, &mut driver, &config)?;
        let now = Now::new(time_us.saturating_sub(back_us), i64::arbitrary(bytes)?);
        let described = input.clone();
        let outcome = checks.handle(&mut hub, now, input);
        assert!(outcome.is_ok(), "{described:?} at {time_us}: {outcome:?}");
        let outputs = outcome.unwrap_or_default();
        seen.moment(outputs.iter().any(|output| !matches!(output, Output::Note(_))));
        seen.links = hub.account().links;
        driver.observe(&outputs);
    }
    Ok(())
}

fn config(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    // The lowest bit of each is what it always was.
    let [first, second, third] = <[u8; 3]>::arbitrary(bytes)?;
    let bit = |byte: u8, at: u8| byte >> at & 1 == 1;
    let small = bit(first, 0);
    let profile = if bit(second, 0) { Profile::Classic } else { Profile::Current };
    let rate = if bit(third, 0) { Some(Rate { per_second: 2, burst: 3 }) } else { None };
    let barrier_messages = bytes.int_in_range(1..=4)?;
    let choice = [LaneChoice::WebSocket, LaneChoice::Auto, LaneChoice::Quic][usize::from(third >> 6).min(2)];
    Ok(Config {
        probe: bit(first, 7).then(Probe::default),
        endpoints: Endpoints { weights: (1..=u32::from(second >> 6) + 1).collect(), ..Endpoints::default() },
        lanes: Lanes { choice, ..Lanes::default() },
        profile,
        rate,
        barrier_messages,
        drain: if small {
            None
        } else {
            Some(Drain { per_second: 2, above: 2, spread: Duration::from_secs(1) })
        },
        outbox_messages: if small { 4 } else { 8192 },
        outbox_bytes: if small { 1000 } else { 1 << 24 },
        acknowledge: if small { [("resource".into(), Acknowledge::Hub)].into() } else { [].into() },
        duplicate_window: DuplicateWindow {
            messages: if small { 2 } else { 1024 },
            ..Config::default().duplicate_window
        },
        // Some store everything, and what waits is on the disk at once.
        classes: match small && barrier_messages == 4 {
            true => persistent(bit(first, 6)),
            false => Config::default().classes,
        },
        spool_above: 500,
        ..Config::default()
    })
}

fn persistent(dead_letters: bool) -> Classes {
    let mut classes = Classes::default();
    for class in &mut classes.classes {
        (class.persistent, class.dead_letters) = (true, dead_letters);
    }
    classes
}

/// No time, a little, a lot, or just before, at or after the deadline; and how far the clock is back meanwhile.
fn pause_us(bytes: &mut Unstructured<'_>, hub: &Hub, time_us: u64) -> arbitrary::Result<(u64, u64)> {
    let deadline = hub.next_deadline().map_or(0, |deadline| deadline.at.0.saturating_sub(time_us));
    let pause = u8::arbitrary(bytes)?;
    if pause >= LATER {
        return Ok((deadline, u64::from(u32::arbitrary(bytes)?)));
    }
    let pause = match pause % 8 {
        0..3 => 0,
        3 => u64::from(u16::arbitrary(bytes)?),
        4 => u64::from(u32::arbitrary(bytes)?),
        5 => deadline.saturating_sub(1),
        6 => deadline,
        _ => deadline + 1,
    };
    Ok((pause, 0))
}

fn input(bytes: &mut Unstructured<'_>, driver: &mut Driver, first: &Config) -> arbitrary::Result<Input> {
    let module = ModuleId(bytes.int_in_range(0..=3)?);
    let what = u8::arbitrary(bytes)?;
    Ok(match what % 32 {
        later if what >= LATER => return input_of_later(bytes, driver, first, later),
        0 => Input::Shutdown,
        1..4 => Input::Tick,
        4 => Input::Renewed,
        5..22 => {
            let stale = u64::from(u8::arbitrary(bytes)? % 16 == 0);
            Input::Link {
                epoch: LinkEpoch(driver.epoch - stale),
                event: link_event(bytes, driver, stale > 0)?,
            }
        }
        31 if driver.journal.is_some() => match &mut driver.journal {
            Some(journal) => Input::Journal(journal.event(bytes)?),
            None => Input::Tick,
        },
        _ => Input::Module { module, event: module_event(bytes, module)? },
    })
}

/// A frame of which every byte is the fuzzer's, another configuration, or a message whose way is asked after.
fn input_of_later(
    bytes: &mut Unstructured<'_>,
    driver: &mut Driver,
    first: &Config,
    what: u8,
) -> arbitrary::Result<Input> {
    Ok(match what {
        0..16 => {
            let length = usize::from(u8::arbitrary(bytes)?) * 4;
            let frame = bytes.bytes(length.min(bytes.len()))?.to_vec();
            let event = match Message::decode_bytes(frame.into()) {
                Ok(message) => LinkEvent::Received(message),
                Err(violation) => LinkEvent::Malformed(violation),
            };
            Input::Link { epoch: LinkEpoch(driver.epoch), event }
        }
        16..24 => {
            // Whether there is a journal is decided at the start.
            let classes = first.classes.clone();
            Input::Reconfigure(Box::new(Config { classes, ..config(bytes)? }))
        }
        _ => {
            let module = ModuleId(bytes.int_in_range(0..=3)?);
            driver.receipts += 1;
            let receipt = Some(ReceiptId(driver.receipts));
            let message = message(bytes, true)?;
            Input::Module { module, event: ModuleEvent::Sent { message, timeout: None, receipt } }
        }
    })
}

fn link_event(
    bytes: &mut Unstructured<'_>,
    driver: &mut Driver,
    stale: bool,
) -> arbitrary::Result<LinkEvent> {
    Ok(match u8::arbitrary(bytes)? % 16 {
        0..3 => LinkEvent::Opened,
        3 => LinkEvent::OpenFailed,
        4 => LinkEvent::Closed,
        5 => {
            LinkEvent::Malformed(if bool::arbitrary(bytes)? { Violation::Framing } else { Violation::Empty })
        }
        6 | 7 => {
            let messages = bytes.int_in_range(0..=driver.unflushed.len())?;
            let bytes = match stale {
                true => 0,
                false => driver.unflushed.drain(..messages).sum(),
            };
            LinkEvent::Flushed { messages, bytes }
        }
        8 | 9 => LinkEvent::Pong(driver.ping),
        10 => LinkEvent::Pong(driver.ping.saturating_sub(u64::arbitrary(bytes)? % 8)),
        11 => LinkEvent::Pong(u64::arbitrary(bytes)?),
        12 => LinkEvent::Progress,
        _ => LinkEvent::Received(message(bytes, false)?),
    })
}

fn module_event(bytes: &mut Unstructured<'_>, module: ModuleId) -> arbitrary::Result<ModuleEvent> {
    // A name and a group for each number, so that everybody gets connect info once.
    const PLACES: [(&str, &str); 4] =
        [("metaManager", "meta"), ("twin", "twin"), ("eventbus", "bus"), ("taskmanager", "taskmanager")];
    Ok(match u8::arbitrary(bytes)? % 8 {
        0 | 1 => {
            let (name, group) = PLACES[module.0 as usize % PLACES.len()];
            let credit = bytes.int_in_range(0..=3)?;
            ModuleEvent::Joined { name: name.into(), groups: vec![group.into()], credit }
        }
        2 => ModuleEvent::Ready { credit: bytes.int_in_range(0..=9)? },
        3 if u8::arbitrary(bytes)? % 4 == 0 => ModuleEvent::Left,
        _ => {
            let message = message(bytes, true)?;
            let timeout = if bool::arbitrary(bytes)? {
                Some(Duration::from_micros(u64::from(u32::arbitrary(bytes)?)))
            } else {
                None
            };
            ModuleEvent::Sent { message, timeout, receipt: None }
        }
    })
}

/// A message with few ids, so that answers, repeats and requests meet.
fn message(bytes: &mut Unstructured<'_>, from_module: bool) -> arbitrary::Result<Message> {
    const IDS: [&str; 6] = ["", "a", "b", "c", "d", "e"];
    let groups = ["resource", "func", "twin", "user", "taskmanager", "unheard-of"];
    let sources = ["edgecontroller", "router_eventbus", "router_servicebus", "edged"];
    let operations = ["update", "query", "response", "error", "ping", "delete"];
    let destinations = ["", "websocket", "hub", "metaManager"];
    let text = "z".repeat(bytes.int_in_range(0..=600)?);
    let draft = Draft {
        msg_id: bytes.choose(&IDS)?,
        parent_msg_id: if bool::arbitrary(bytes)? { bytes.choose(&IDS)? } else { "" },
        timestamp: UnixMillis(i64::arbitrary(bytes)?),
        sync: from_module && bool::arbitrary(bytes)?,
        source: bytes.choose(&sources)?,
        destination: if from_module { bytes.choose(&destinations)? } else { "" },
        group: bytes.choose(&groups)?,
        operation: bytes.choose(&operations)?,
        resource: "default/pod/p",
        content: Content::Text(&text),
        ..Draft::default()
    };
    draft.encode().map_err(|_| arbitrary::Error::IncorrectFormat)
}
