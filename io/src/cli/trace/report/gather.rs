//! What the page knows of a trace: columns of numbers, and tables of the texts that they name.

use edgehub::core::hub::{Direction, LinkEnd, ModuleId};
use edgehub::core::trace::explain::{Biographer, Event, Fate, Story, What};
use edgehub::core::trace::stats::{Lengths, Spread};
use edgehub::core::trace::{Moment, ReplayError, Trace, window};
use edgehub::core::{Input, Instant, ModuleEvent, Note, Output};
use serde::Serialize;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

/// Points of a chart that a page gets; more are thinned out, the largest of neighbours stays.
const POINTS_MAX: usize = 20_000;

/// Everything on the page. Times are microseconds since `begin_us`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Gathered {
    node: String,
    core: String,
    contents: String,
    begin_us: u64,
    begin_wall_ms: i64,
    end: u64,
    inputs: u64,
    outputs: u64,
    bytes: usize,
    damage: Vec<String>,
    /// What is not on the page although it is in the trace.
    note: Option<String>,
    /// Names of modules: the lanes, in the order in which they joined.
    lanes: Vec<String>,
    /// Epoch, up, down, why it ended; of one that is up at the end, neither.
    links: Vec<(u64, u64, Option<u64>, Option<String>)>,
    /// Attempts that failed: when, and how.
    attempts: Vec<(u64, String)>,
    /// When, queued, unconfirmed.
    depth: Vec<(u64, usize, usize)>,
    /// When, round trip in microseconds.
    rtt: Vec<(u64, u64)>,
    confirmed_after_us: [u64; 3],
    delivered_after_us: [u64; 3],
    words: Table,
    routes: Table,
    messages: Messages,
}

/// Texts that are named by their places.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
struct Table {
    texts: Vec<String>,
    #[serde(skip)]
    places: HashMap<String, usize>,
}

impl Table {
    fn place(&mut self, text: String) -> usize {
        *self.places.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            self.texts.len() - 1
        })
    }
}

/// One column for each thing that is known of a message.
#[derive(Debug, Default, Serialize)]
struct Messages {
    id: Vec<Box<str>>,
    parent: Vec<Box<str>>,
    /// 0: to the cloud, 1: from the cloud.
    direction: Vec<u8>,
    route: Vec<usize>,
    bytes: Vec<usize>,
    /// 0: arrived, 1: dropped, 2: pending.
    fate: Vec<u8>,
    /// The fate in words.
    told: Vec<usize>,
    took: Vec<Option<u64>>,
    /// For each event four numbers: microseconds since the event before (the first: since the begin), its kind, its lane
    /// (-1 for none), its words.
    events: Vec<Vec<i64>>,
}

impl Gathered {
    /// How many messages are on the page.
    pub(super) fn messages(&self) -> usize {
        self.messages.id.len()
    }

    /// What is not on the page although it is in the trace.
    pub(super) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn since_begin(&self, at: u64) -> u64 {
        at.saturating_sub(self.begin_us)
    }
}

/// Watches a replay of a span of time, or of its beginning, with about so many messages: whatever the length of the trace, no more
/// than these is in memory. `None` if there is nothing.
pub(super) fn gather(
    trace: &Trace<'_>,
    span: RangeInclusive<Instant>,
    messages_max: usize,
) -> Result<Option<Gathered>, ReplayError> {
    let header = trace.header();
    let mut page = Gathered {
        node: header.node.to_string(),
        core: header.core.to_string(),
        contents: format!("{:?}", header.contents).to_lowercase(),
        bytes: trace.bytes(),
        ..Gathered::default()
    };
    let mut begin = None;
    let (mut stories, mut lanes, told) = (Vec::new(), Lanes::default(), Cell::new(0));
    let mut biographer = Biographer::new(|story| {
        stories.push(story);
        told.set(stories.len());
    });
    let replayed = window(trace, span, |moment| {
        if begin.is_none() {
            begin = Some(moment.now);
            (page.begin_us, page.begin_wall_ms) = (moment.now.mono.0, moment.now.wall.0);
        }
        if told.get() >= messages_max {
            let end = moment.now.mono.0 as f64 / 1e6;
            page.note = Some(format!(
                "the page ends at {end:.3} s of the hub's clock, after {messages_max} messages; --from and --to choose another part"
            ));
            return ControlFlow::Break(());
        }
        biographer.watch(moment);
        lanes.watch(moment);
        page.watch(moment);
        page.inputs += u64::from(moment.input.is_some());
        page.outputs += moment.outputs.len() as u64;
        ControlFlow::Continue(())
    })?;
    biographer.finish();
    drop(biographer);
    stories.sort_by_key(|story| story.events.first().map(|event| event.now.mono));
    page.take_spreads(&stories);
    stories.into_iter().for_each(|story| page.take(story, &mut lanes));
    page.lanes = lanes.names;
    page.damage = replayed.damage.iter().map(ToString::to_string).collect();
    page.thin_out(POINTS_MAX);
    Ok(begin.map(|_| page))
}

/// Which module has which lane: modules that join again under their name have their old one.
#[derive(Default)]
struct Lanes {
    names: Vec<String>,
    of: BTreeMap<ModuleId, usize>,
}

impl Lanes {
    fn watch(&mut self, moment: &Moment<'_>) {
        if let Some(Input::Module { module, event: ModuleEvent::Joined { name, .. } }) = moment.input {
            self.lane(*module, name);
        }
        if moment.resumed {
            for module in moment.hub.joined_modules() {
                self.lane(module, moment.hub.module_name(module).unwrap_or_default());
            }
        }
    }

    fn lane(&mut self, module: ModuleId, name: &str) -> usize {
        let known = self.names.iter().position(|known| known == name);
        let lane = known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        self.of.insert(module, lane);
        lane
    }

    fn known(&mut self, module: ModuleId) -> usize {
        match self.of.get(&module) {
            Some(&lane) => lane,
            None => self.lane(module, &format!("module {}", module.0)),
        }
    }
}

impl Gathered {
    fn watch(&mut self, moment: &Moment<'_>) {
        let now = self.since_begin(moment.now.mono.0);
        self.end = self.end.max(now);
        if moment.resumed && moment.hub.link_state().is_open() {
            self.links.push((moment.hub.epoch().0, now, None, None));
        }
        for output in moment.outputs {
            match output {
                Output::Note(Note::LinkUp { epoch, .. }) => self.links.push((epoch.0, now, None, None)),
                Output::Note(Note::LinkDown { epoch, end, .. }) => self.link_down(now, epoch.0, *end),
                Output::Note(Note::RoundTrip { rtt }) => self.rtt.push((now, rtt.as_micros() as u64)),
                _ => {}
            }
        }
        self.thin_out(8 * POINTS_MAX);
        let depth = (moment.hub.queued(), moment.hub.unconfirmed());
        match self.depth.last_mut() {
            Some(last) if (last.1, last.2) == depth => {}
            // Of one moment the most counts.
            Some(last) if last.0 == now && last.1 + last.2 >= depth.0 + depth.1 => {}
            Some(last) if last.0 == now => (last.1, last.2) = depth,
            _ => self.depth.push((now, depth.0, depth.1)),
        }
    }

    /// Thins out charts with more points than so many.
    fn thin_out(&mut self, most: usize) {
        if self.depth.len() > most {
            thin_out(&mut self.depth, |one, other| one.1 + one.2 >= other.1 + other.2);
        }
        if self.rtt.len() > most {
            thin_out(&mut self.rtt, |one, other| one.1 >= other.1);
        }
    }

    fn link_down(&mut self, now: u64, epoch: u64, end: LinkEnd) {
        let why = match end {
            LinkEnd::OpenFailed => "could not be opened",
            LinkEnd::OpenTimeout => "took too long to open",
            LinkEnd::Closed => "closed by the peer or the network",
            LinkEnd::Silent => "silent for too long",
            LinkEnd::Stalled => "no answer for too long",
            LinkEnd::Violation => "the peer broke the framing",
            LinkEnd::NoSession => "the cloud has no session for this node",
            LinkEnd::Moved => "left for the preferred endpoint",
            LinkEnd::Renewed => "left for another certificate or the better lane",
            LinkEnd::Shutdown => "shut down",
        };
        match self.links.last_mut().filter(|link| link.0 == epoch && link.2.is_none()) {
            Some(link) => (link.2, link.3) = (Some(now), Some(why.into())),
            None => self.attempts.push((now, why.into())),
        }
    }

    fn take_spreads(&mut self, stories: &[Story]) {
        let of = |direction| {
            let wanted =
                stories.iter().filter(|story| story.is_from_outside() && story.direction == direction);
            let Spread { p50, p99, max, .. } = wanted.filter_map(Story::took).collect::<Lengths>().spread();
            [p50, p99, max].map(|length: Duration| length.as_micros() as u64)
        };
        (self.confirmed_after_us, self.delivered_after_us) = (of(Direction::Up), of(Direction::Down));
    }

    fn take(&mut self, story: Story, lanes: &mut Lanes) {
        let mut before = self.begin_us;
        let mut events = Vec::with_capacity(story.events.len() * 4);
        for Event { now, what, .. } in &story.events {
            let (kind, module) = kind(what);
            let lane = module.map_or(-1, |module| lanes.known(module) as i64);
            let words = self.words.place(what.to_string()) as i64;
            events.extend([now.mono.0.saturating_sub(before) as i64, kind, lane, words]);
            before = now.mono.0;
        }
        let [source, group, operation, resource] = &story.route;
        let route = self.routes.place(format!("{operation} {resource}\n{source}\n{group}"));
        let told = self.words.place(story.fate().to_string());
        let messages = &mut self.messages;
        messages.took.push(story.took().map(|took| took.as_micros() as u64));
        messages.fate.push(match story.fate() {
            Fate::Arrived => 0,
            Fate::Dropped(_) => 1,
            Fate::Pending => 2,
        });
        messages.told.push(told);
        messages.direction.push(u8::from(story.direction == Direction::Down));
        messages.route.push(route);
        messages.bytes.push(story.bytes);
        messages.events.push(events);
        messages.id.push(story.msg_id);
        messages.parent.push(story.parent_msg_id);
    }
}

/// What the page draws for an event, and in whose lane. The numbers are the page's (`model.js`).
fn kind(what: &What) -> (i64, Option<ModuleId>) {
    match what {
        What::Sent { module, .. } => (0, Some(*module)),
        What::MadeByHub => (1, None),
        What::Restored { .. } => (2, None),
        What::There { module, .. } => (2, *module),
        What::Written { .. } => (3, None),
        What::Covered { .. } | What::Storing { .. } | What::Stored | What::Fetched => (4, None),
        What::Confirmed { .. } => (5, None),
        What::LinkLost { .. } => (6, None),
        What::RequestEnded { .. } => (7, None),
        What::Received { .. } => (8, None),
        What::AnsweredByHub | What::Ignored => (9, None),
        What::Waits { module, .. } => (10, Some(*module)),
        What::Delivered { module, .. } => (11, Some(*module)),
        What::Acknowledged { module, .. } => (12, Some(*module)),
        What::Dropped { .. } => (13, None),
    }
}

fn thin_out<T: Copy>(points: &mut Vec<T>, is_larger: impl Fn(&T, &T) -> bool) {
    let each = points.len().div_ceil(POINTS_MAX);
    if each > 1 {
        let largest = |some: &[T]| {
            some.iter().copied().reduce(|one, other| if is_larger(&one, &other) { one } else { other })
        };
        *points = points.chunks(each).filter_map(largest).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_keeps_its_peaks() {
        let mut points: Vec<(u64, u64)> = (0..100_000).map(|at| (at, u64::from(at == 77_777))).collect();
        thin_out(&mut points, |one, other| one.1 >= other.1);
        assert!(points.len() <= POINTS_MAX && points.contains(&(77_777, 1)));
        assert!(points.is_sorted());
    }

    #[test]
    fn a_page_with_too_many_messages_says_where_it_ends() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traces");
        let file = std::fs::read(folder.join("01-session.trace")).unwrap();
        let trace = Trace::open(&file).unwrap();
        let all = || Instant(0)..=Instant(u64::MAX);
        let whole = gather(&trace, all(), usize::MAX).unwrap().unwrap();
        assert_eq!(whole.note(), None);
        let few = gather(&trace, all(), 5).unwrap().unwrap();
        assert!((5..whole.messages()).contains(&few.messages()) && few.end < whole.end);
        assert!(few.note().is_some_and(|note| note.contains("after 5 messages")));
    }

    /// It begins with what the hub held before, and knows nothing of what came later.
    #[test]
    fn a_page_of_a_part_is_the_page_of_that_part_alone() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traces");
        let file = std::fs::read(folder.join("01-session.trace")).unwrap();
        let trace = Trace::open(&file).unwrap();
        let block = &trace.blocks()[0];
        let length = block.end().since(block.begin());
        let (from, to) = (block.begin() + length / 3, block.begin() + length / 2);
        let page = gather(&trace, from..=to, usize::MAX).unwrap().unwrap();
        let part = edgehub::core::trace::cut::cut(&trace, from..=to, 1).unwrap();
        let alone = gather(&Trace::open(&part).unwrap(), Instant(0)..=Instant(u64::MAX), usize::MAX).unwrap();
        let json = |page: &Gathered| {
            let mut json = serde_json::to_value(page).unwrap();
            json["bytes"].take();
            json
        };
        assert!(page.messages() > 0 && page.inputs > 3);
        assert_eq!(json(&page), json(&alone.unwrap()));
        assert!(
            gather(&trace, Instant(u64::MAX - 1)..=Instant(u64::MAX), 5).unwrap().is_some(),
            "the last state"
        );
    }

    #[test]
    fn a_text_is_in_a_table_once() {
        let mut table = Table::default();
        let places = ["a", "b", "a"].map(|text| table.place(text.into()));
        assert_eq!((places, table.texts.len()), ([0, 1, 0], 2));
    }
}
