//! Questions about a day: a trace of a node that sends 100 messages a second for 24 hours, asked for one message and for
//! one moment. Reading the file and checking its hashes count.
//!
//! Run with `cargo bench -p edgehub-core --bench day`; `EDGEHUB_DAY_SECONDS` for a shorter day, `EDGEHUB_DAY_FILE` to
//! keep the trace.

use edgehub_core::trace::explain::{Question, explain, search};
use edgehub_core::trace::state::state_at;
use edgehub_core::trace::{Header, ReadAt, Recorder, Replay, Trace};
use edgehub_core::{
    Config, Content, Draft, Hub, Input, Instant, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Now, Output,
    rng::Rng,
};
use std::io::{BufWriter, Result, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// As the edge's recorder does it.
const CHECKPOINT_EVERY: usize = 256 << 10;

/// A request that nobody answers is sent so often, and waits so long: isolated messages that are later than any other, fewer
/// than are asked for.
const REQUEST_EVERY_SECONDS: u64 = 2000;
const REQUEST_WAITS: Duration = Duration::from_secs(100);

/// Links live so long, and come back after an outage of a tenth of that.
const LINK_SECONDS: u64 = 3600;

const MODULE: ModuleId = ModuleId(1);

struct Node<W> {
    hub: Hub,
    recorder: Recorder,
    out: W,
    now: u64,
    epoch: LinkEpoch,
    wants_link: bool,
    unflushed: (usize, usize),
    ping: Option<u64>,
}

impl<W: Write> Node<W> {
    fn new(mut out: W) -> Result<Node<W>> {
        let config = Config { rate: None, ..Config::default() };
        let header = Header { node: "edge-1".into(), config: config.clone(), ..Header::default() };
        let recorder = Recorder::new(header, 7, CHECKPOINT_EVERY);
        out.write_all(&recorder.head())?;
        let hub = Hub::new(config, 0, Now::default());
        let epoch = LinkEpoch(0);
        let mut node =
            Node { hub, recorder, out, now: 0, epoch, wants_link: false, unflushed: (0, 0), ping: None };
        node.drain()?;
        let joined = ModuleEvent::Joined { name: "twin".into(), groups: Vec::new(), credit: 9 };
        node.handle(Input::Module { module: MODULE, event: joined })?;
        Ok(node)
    }

    fn handle(&mut self, input: Input) -> Result<()> {
        let now = Now::new(self.now, (self.now / 1000) as i64);
        self.recorder.input(now, &input, &self.hub);
        self.hub.handle(now, input);
        self.drain()
    }

    fn link(&mut self, event: LinkEvent) -> Result<()> {
        self.handle(Input::Link { epoch: self.epoch, event })
    }

    fn drain(&mut self) -> Result<()> {
        while let Some(output) = self.hub.poll_output() {
            self.recorder.output(&output);
            match output {
                Output::Open { epoch, .. } => (self.epoch, self.wants_link) = (epoch, true),
                Output::Write { message, .. } => {
                    self.unflushed = (self.unflushed.0 + 1, self.unflushed.1 + message.bytes());
                }
                Output::Ping { number, .. } => self.ping = Some(number),
                _ => {}
            }
        }
        self.recorder.drained(&self.hub);
        while let Some(block) = self.recorder.next_block() {
            self.out.write_all(&block.pack())?;
        }
        Ok(())
    }

    /// Ten milliseconds: one message, its flush, a pong, and what else is due.
    fn step(&mut self, message: edgehub_core::Message) -> Result<()> {
        let begin = self.now;
        let sent = ModuleEvent::Sent { message, timeout: Some(REQUEST_WAITS), receipt: None };
        self.handle(Input::Module { module: MODULE, event: sent })?;
        let second = self.now / 1_000_000 % (LINK_SECONDS + LINK_SECONDS / 10);
        let is_away = second >= LINK_SECONDS;
        if is_away && self.hub.link_state().is_open() {
            (self.unflushed, self.ping) = ((0, 0), None);
            self.link(LinkEvent::Closed)?;
        }
        if std::mem::take(&mut self.wants_link) {
            self.now += 300;
            self.link(if is_away { LinkEvent::OpenFailed } else { LinkEvent::Opened })?;
        }
        if self.unflushed.0 > 0 {
            self.now += 150;
            let (messages, bytes) = std::mem::take(&mut self.unflushed);
            self.link(LinkEvent::Flushed { messages, bytes })?;
        }
        if let Some(number) = self.ping.take() {
            self.now += 2000;
            self.link(LinkEvent::Pong(number))?;
        }
        while let Some(deadline) = self.hub.next_deadline().filter(|deadline| deadline.at.0 <= begin + 10_000)
        {
            self.now = self.now.max(deadline.at.0);
            self.handle(Input::Tick)?;
        }
        self.now = begin + 10_000;
        Ok(())
    }
}

/// The file, read as it is needed.
#[derive(Debug)]
struct DayFile {
    file: std::fs::File,
    length: usize,
}

impl DayFile {
    fn open(path: &Path) -> Result<DayFile> {
        let file = std::fs::File::open(path)?;
        let length = file.metadata()?.len() as usize;
        Ok(DayFile { file, length })
    }
}

impl ReadAt for DayFile {
    fn length(&self) -> usize {
        self.length
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> bool {
        self.file.read_exact_at(into, offset as u64).is_ok()
    }
}

/// Writes the day; returns every so many ids.
fn record(path: &Path, seconds: u64) -> Result<Vec<String>> {
    let mut node = Node::new(BufWriter::new(std::fs::File::create(path)?))?;
    let (mut rng, text, mut ids) = (Rng::new(5), "x".repeat(40), Vec::new());
    let resources: Vec<String> =
        (0..50).map(|number| format!("device/pump-{number}/twin/edge_updated")).collect();
    for number in 0..seconds * 100 {
        let id = rng.uuid();
        let draft = Draft {
            msg_id: id.as_str(),
            timestamp: edgehub_core::UnixMillis((node.now / 1000) as i64),
            source: "twin",
            group: "resource",
            operation: "update",
            resource: &resources[number as usize % resources.len()],
            content: Content::Text(&text),
            sync: number % (REQUEST_EVERY_SECONDS * 100) == REQUEST_EVERY_SECONDS * 50,
            ..Draft::default()
        };
        node.step(draft.encode().unwrap_or_else(|why| unreachable!("{why}")))?;
        if number % (seconds * 10) == seconds * 5 {
            ids.push(id.as_str().to_owned());
        }
    }
    node.recorder.finish_block();
    node.drain()?;
    node.out.flush()?;
    Ok(ids)
}

/// The id of a message that the hub made in the second half of the day.
fn made_by_hub(path: &Path) -> Result<Option<String>> {
    let file = DayFile::open(path)?;
    let trace = Trace::open(&file as &dyn ReadAt).unwrap_or_else(|why| unreachable!("{why}"));
    let (mut found, middle) = (None, trace.blocks().len() / 2);
    let watched = Replay::near(&trace, middle).without_comparing().run(|moment| {
        found = moment.outputs.iter().find_map(|output| match output {
            Output::Write { message, .. } if message.operation() == "keepalive" => {
                Some(message.msg_id().to_owned())
            }
            _ => None,
        });
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    Ok(watched.ok().and(found))
}

/// CPU time of this process so far, in hundredths of a second: what a machine that others use says little of otherwise. Zero
/// where it is not told.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// The largest size of this process in memory so far, as the system tells it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("unknown").trim().into()
}

fn main() -> Result<()> {
    let seconds =
        std::env::var("EDGEHUB_DAY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(24 * 3600);
    let kept = std::env::var_os("EDGEHUB_DAY_FILE");
    let path = kept.clone().map_or_else(|| std::env::temp_dir().join("edgehub-day.trace"), Into::into);
    let begun = std::time::Instant::now();
    let ids = record(&path, seconds)?;
    let bytes = std::fs::metadata(&path)?.len();
    println!("{} messages in {bytes} bytes, recorded and packed in {:.1?}", seconds * 100, begun.elapsed());
    let ask = |what: &str, question: &dyn Fn(&Trace<'_>) -> usize| -> Result<()> {
        let (begun, worked) = (std::time::Instant::now(), cpu());
        let file = DayFile::open(&path)?;
        let trace = Trace::open(&file as &dyn ReadAt).unwrap_or_else(|why| unreachable!("{why}"));
        let opened = begun.elapsed();
        let found = question(&trace);
        let (took, cpu) = (begun.elapsed(), cpu() - worked);
        println!("{what}: {took:.3?}, {opened:.3?} of it to open, {cpu:.2?} of CPU; {found} found");
        Ok(())
    };
    for id in &ids {
        ask(&format!("explain {id}"), &|trace| explain(trace, id).map_or(0, |stories| stories.len()))?;
    }
    // What nobody sent, what somebody mistyped, and what the hub made itself.
    let made = made_by_hub(&path)?;
    for (what, id) in
        [("an unknown id", "no such message"), ("a mistyped id", "00000000-0000-4000-8000-000000000000")]
            .into_iter()
            .chain(made.as_deref().map(|id| ("an id of the hub's own", id)))
    {
        ask(&format!("explain {what}"), &|trace| explain(trace, id).map_or(0, |stories| stories.len()))?;
    }
    // Many are later than half a second, a few than the longest wait in the outbox, none than any request.
    let [many, few, none] = [500, 95_000, 600_000].map(Duration::from_millis).map(Question::Late);
    for question in [Question::Dropped, Question::Pending, many, few, none] {
        ask(&format!("search {question:?}"), &|trace| {
            search(trace, question, 51).map_or(0, |found| found.len())
        })?;
    }
    for tenth in 1..10 {
        let at = Instant(seconds * 1_000_000 * tenth / 10 + 5_000_123);
        ask(&format!("state at {} s", at.0 / 1_000_000), &|trace| {
            usize::from(matches!(state_at(trace, at), Ok(Some(_))))
        })?;
    }
    println!("largest size in memory: {}", peak());
    if kept.is_none() {
        std::fs::remove_file(&path)?;
    }
    Ok(())
}
