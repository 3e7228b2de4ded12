//! Any bytes as the life of an edge hub.

mod journal;

use crate::checks::EdgeChecks;
use arbitrary::{Arbitrary, Unstructured};
use edgehub_core::class::Classes;
use edgehub_core::config::{Acknowledge, Drain, DuplicateWindow, Rate};
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
    journal: Option<Journal>,
}

impl Driver {
    fn observe(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Open { epoch, .. } => {
                    let journal = self.journal.take();
                    *self = Driver { epoch: epoch.0, journal, ..Driver::default() };
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
    let mut bytes = Unstructured::new(data);
    // Reading stops where the bytes do.
    let _ = play(&mut bytes);
}

fn play(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
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
        let opened = checks.handle(&mut hub, Now::new(0, 0), Journal::opened());
        assert!(opened.is_ok(), "{opened:?}");
        driver.journal = Some(Journal::default());
    }
    while !bytes.is_empty() {
        time_us += pause_us(bytes, &hub, time_us)?;
        let input = input(bytes, &mut driver)?;
        let now = Now::new(time_us, i64::arbitrary(bytes)?);
        let described = input.clone();
        let outcome = checks.handle(&mut hub, now, input);
        assert!(outcome.is_ok(), "{described:?} at {time_us}: {outcome:?}");
        driver.observe(&outcome.unwrap_or_default());
    }
    Ok(())
}

fn config(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let small = bool::arbitrary(bytes)?;
    let profile = if bool::arbitrary(bytes)? { Profile::Classic } else { Profile::Current };
    let rate = if bool::arbitrary(bytes)? { Some(Rate { per_second: 2, burst: 3 }) } else { None };
    let barrier_messages = bytes.int_in_range(1..=4)?;
    Ok(Config {
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
        classes: if small && barrier_messages == 4 { persistent() } else { Config::default().classes },
        spool_above: 500,
        ..Config::default()
    })
}

fn persistent() -> Classes {
    let mut classes = Classes::default();
    classes.classes.iter_mut().for_each(|class| class.persistent = true);
    classes
}

/// No time, a little, a lot, or just before, at or after the deadline.
fn pause_us(bytes: &mut Unstructured<'_>, hub: &Hub, time_us: u64) -> arbitrary::Result<u64> {
    let deadline = hub.next_deadline().map_or(0, |deadline| deadline.at.0.saturating_sub(time_us));
    Ok(match u8::arbitrary(bytes)? % 8 {
        0..3 => 0,
        3 => u64::from(u16::arbitrary(bytes)?),
        4 => u64::from(u32::arbitrary(bytes)?),
        5 => deadline.saturating_sub(1),
        6 => deadline,
        _ => deadline + 1,
    })
}

fn input(bytes: &mut Unstructured<'_>, driver: &mut Driver) -> arbitrary::Result<Input> {
    let module = ModuleId(bytes.int_in_range(0..=3)?);
    Ok(match u8::arbitrary(bytes)? % 32 {
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
        13 => LinkEvent::Reached,
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
