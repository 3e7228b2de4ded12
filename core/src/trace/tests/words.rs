//! What is read by people: each input, output, event and problem has words of its own, and its own digest.

use crate::config::Lane;
use crate::hub::{
    Direction, DropReason, Input, JournalEvent, LetterNumber, LinkEnd, LinkEpoch, LinkEvent, ModuleEvent,
    ModuleId, Note, Output, ReceiptId, Stage, Standing, Suspicion, SyncOutcome,
};
use crate::journal::{EntryNumber, FullReason, Health};
use crate::message::{Draft, Message};
use crate::time::{Instant, Now};
use crate::trace::describe::{input, is_about, output};
use crate::trace::explain::{Fate, Rank, Story, What, stories};
use crate::trace::{
    Contents, Damage, Digest, Divergence, FalseSummary, Refusal, ReplayError, Untrue, Versions,
};
use crate::violation::Violation;
use std::boxed::Box;
use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::time::Duration;
use std::vec;
use std::vec::Vec;

const EPOCH: LinkEpoch = LinkEpoch(4);
const MODULE: ModuleId = ModuleId(3);

fn message() -> Message {
    let draft =
        Draft { msg_id: "id", parent_msg_id: "asked", group: "twin", source: "edge", ..Draft::default() };
    Draft { operation: "update", resource: "a/b", ..draft }.encode().unwrap()
}

fn entry(number: u64) -> EntryNumber {
    EntryNumber(number)
}

/// Every text is there, in one line, and no two are alike.
fn check(texts: &[String]) {
    let different: BTreeSet<_> = texts.iter().collect();
    assert_eq!(different.len(), texts.len(), "{texts:#?}");
    assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('\n')), "{texts:#?}");
}

fn inputs() -> Vec<Input> {
    let link = |event| Input::Link { epoch: EPOCH, event };
    let module = |event| Input::Module { module: MODULE, event };
    let joined = ModuleEvent::Joined { name: "twin".into(), groups: vec!["twin".into()], credit: 2 };
    vec![
        Input::Tick,
        Input::Shutdown,
        Input::Renewed,
        Input::Reconfigure(Box::default()),
        Input::Journal(JournalEvent::Opened { unused: entry(1), frame_bytes_max: 9 }),
        Input::Journal(JournalEvent::Restored { number: entry(2), message: message() }),
        Input::Journal(JournalEvent::Stored { up_to: entry(3) }),
        Input::Journal(JournalEvent::Refused { number: entry(4) }),
        Input::Journal(JournalEvent::Fetched { number: entry(5), message: message() }),
        Input::Journal(JournalEvent::Lost { number: entry(6) }),
        Input::Journal(JournalEvent::Health(Health::Failing)),
        Input::Journal(JournalEvent::LettersOpened),
        Input::Journal(JournalEvent::LetterStored { up_to: LetterNumber(7) }),
        Input::Journal(JournalEvent::LetterLost { number: LetterNumber(7) }),
        Input::Journal(JournalEvent::LettersDiscarded { letters: 7 }),
        link(LinkEvent::Opened),
        link(LinkEvent::OpenFailed),
        link(LinkEvent::Received(message())),
        link(LinkEvent::Malformed(Violation::Framing)),
        link(LinkEvent::Flushed { messages: 3, bytes: 400 }),
        link(LinkEvent::Pong(8)),
        link(LinkEvent::Progress),
        link(LinkEvent::Reached),
        link(LinkEvent::Closed),
        module(joined),
        module(ModuleEvent::Left),
        module(ModuleEvent::Sent { message: message(), timeout: None, receipt: None }),
        module(ModuleEvent::Ready { credit: 2 }),
    ]
}

fn stages() -> [Stage; 5] {
    let too_large = DropReason::TooLargeForClass;
    [
        Stage::Stored,
        Stage::Written,
        Stage::Confirmed,
        Stage::Dropped { reason: DropReason::Expired, limit: None },
        Stage::Dropped { reason: too_large, limit: Some(70) },
    ]
}

fn notes() -> Vec<Note> {
    let msg_id = || Box::from("id");
    let outcomes = [
        SyncOutcome::Response,
        SyncOutcome::Error,
        SyncOutcome::Timeout,
        SyncOutcome::Rejected(DropReason::TooManyRequests),
        SyncOutcome::Rejected(DropReason::Shutdown),
    ];
    let healths =
        [Health::Good, Health::Full(FullReason::Limit), Health::Full(FullReason::Disk), Health::Failing];
    let down = |end, retry_in| Note::LinkDown { epoch: EPOCH, end, retry_in, unconfirmed: 1 };
    let suspected = |cause| Note::Suspected { epoch: EPOCH, cause };
    let mut notes = vec![
        Note::LinkUp { epoch: EPOCH, backlog: 1 },
        down(LinkEnd::Silent, None),
        down(LinkEnd::Silent, Some(Duration::ZERO)),
        down(LinkEnd::Stalled, None),
        down(LinkEnd::NoSession, None),
        down(LinkEnd::Moved, None),
        down(LinkEnd::Renewed, Some(Duration::ZERO)),
        suspected(Suspicion::NoSession),
        suspected(Suspicion::DuplicateName { links: 3 }),
        suspected(Suspicion::DuplicateName { links: 4 }),
        suspected(Suspicion::HeartbeatTooSlow),
        suspected(Suspicion::KeepaliveUnheard),
        Note::StaleLinkEvent { epoch: EPOCH },
        Note::UnexpectedLinkEvent { epoch: EPOCH },
        Note::BetterLane { epoch: EPOCH },
        Note::PeerStalled { epoch: EPOCH },
        Note::PeerRecovered { epoch: EPOCH },
        Note::Violation { epoch: EPOCH, violation: Violation::Framing },
        Note::Dropped { direction: Direction::Up, msg_id: msg_id(), reason: DropReason::Expired },
        Note::Dropped { direction: Direction::Down, msg_id: msg_id(), reason: DropReason::Expired },
        Note::TooLarge { msg_id: msg_id(), bytes: 9, limit: 8 },
        Note::RoundTrip { rtt: Duration::from_millis(4) },
        Note::ModuleStalled { module: MODULE },
        Note::ModuleRecovered { module: MODULE },
        Note::ClockBack { by: Duration::from_millis(4) },
        Note::NotStored { msg_id: msg_id() },
        Note::EntryLost { number: entry(4) },
        Note::UnexpectedJournalEvent,
        Note::LetterLost { reason: DropReason::Expired },
    ];
    notes.extend(outcomes.map(|outcome| Note::SyncEnded { msg_id: msg_id(), outcome }));
    notes.extend(healths.map(|health| Note::JournalHealth { health }));
    notes
}

fn outputs() -> Vec<Output> {
    let mut outputs = vec![
        Output::Open { epoch: EPOCH, endpoint: 0, lane: Lane::WebSocket, within: Duration::ZERO },
        Output::Open { epoch: EPOCH, endpoint: 1, lane: Lane::WebSocket, within: Duration::ZERO },
        Output::Open { epoch: EPOCH, endpoint: 0, lane: Lane::Quic, within: Duration::ZERO },
        Output::Reach { epoch: EPOCH, endpoint: 0, lane: Lane::Quic, within: Duration::ZERO },
        Output::Write { epoch: EPOCH, message: message() },
        Output::Ping { epoch: EPOCH, number: 5 },
        Output::Pause { epoch: EPOCH },
        Output::Resume { epoch: EPOCH },
        Output::Close { epoch: EPOCH },
        Output::Intake { open: true },
        Output::Intake { open: false },
        Output::Deliver { module: MODULE, message: message(), answer: true },
        Output::Deliver { module: MODULE, message: message(), answer: false },
        Output::Store { number: entry(4), class: 1, message: message() },
        Output::Forget { first: entry(4), last: entry(4) },
        Output::Forget { first: entry(4), last: entry(5) },
        Output::Fetch { number: entry(4) },
        Output::Bury { letter: LetterNumber(4), class: 1, reason: DropReason::Expired, message: message() },
        Output::JoinRefused { module: MODULE },
        Output::Stopped,
    ];
    let receipt =
        |stage| Output::Receipt { module: MODULE, receipt: Some(ReceiptId(1)), msg_id: "id".into(), stage };
    outputs.extend(stages().map(receipt));
    outputs.extend(notes().into_iter().map(Output::Note));
    outputs
}

#[test]
fn inputs_and_outputs_have_words_of_their_own() {
    check(&inputs().iter().map(input).collect::<Vec<_>>());
    check(&outputs().iter().map(output).collect::<Vec<_>>());
    let shown = input(&Input::Link { epoch: EPOCH, event: LinkEvent::Received(message()) });
    let bytes = message().bytes();
    assert_eq!(
        shown,
        std::format!("link 4: received update a/b (edge/twin, {bytes} bytes, answers asked) id")
    );
}

#[test]
fn outputs_have_digests_of_their_own() {
    let digest = |output: &Output| {
        let mut digest = Digest::new(Contents::Redacted);
        digest.add(output);
        digest.take().unwrap()
    };
    let outputs = outputs();
    let different: BTreeSet<_> = outputs.iter().map(digest).collect();
    assert_eq!(different.len(), outputs.len());
}

#[test]
fn what_is_about_a_message_is_found_by_its_id() {
    for (msg_id, of_inputs, of_outputs) in [("id", 4, 12), ("asked", 4, 5), ("nobody", 0, 0)] {
        let found = inputs().iter().filter(|input| is_about(Some(input), &[], msg_id)).count();
        assert_eq!(found, of_inputs, "{msg_id}");
        let about = |output: &&Output| is_about(None, std::slice::from_ref(output), msg_id);
        let found: Vec<_> = outputs().iter().filter(about).map(output).collect();
        assert_eq!(found.len(), of_outputs, "{msg_id}: {found:#?}");
    }
}

#[test]
fn events_of_a_story_have_words_of_their_own() {
    let rank = |ahead| Rank { class: "telemetry".into(), ahead };
    let sent = |name: &str, ahead, request| What::Sent {
        module: MODULE,
        name: name.into(),
        request,
        rank: rank(ahead),
    };
    let delivered = |answer| What::Delivered { module: MODULE, name: "twin".into(), answer };
    let there = |standing, module| What::There { standing, module };
    let ended = |outcome| What::RequestEnded { outcome };
    let whats = [
        sent("", 2, false),
        sent("twin", 1, false),
        sent("twin", 2, true),
        What::Restored { rank: rank(0) },
        What::Storing { number: entry(4) },
        What::Stored,
        What::Fetched,
        What::MadeByHub,
        there(Some(Standing::Unconfirmed), None),
        there(None, Some(MODULE)),
        there(None, None),
        What::Written { epoch: EPOCH, before: 0 },
        What::Written { epoch: EPOCH, before: 2 },
        What::Covered { ping: 4 },
        What::Confirmed { pong: Some(4) },
        What::Confirmed { pong: None },
        What::LinkLost { epoch: EPOCH },
        ended(SyncOutcome::Response),
        ended(SyncOutcome::Error),
        ended(SyncOutcome::Timeout),
        ended(SyncOutcome::Rejected(DropReason::Shutdown)),
        What::Received { epoch: EPOCH },
        What::AnsweredByHub,
        What::Ignored,
        What::Waits { module: MODULE, name: "twin".into() },
        delivered(true),
        delivered(false),
        What::Acknowledged { module: MODULE, by: "other".into() },
        What::Dropped { reason: DropReason::Expired },
    ];
    check(&whats.iter().map(ToString::to_string).collect::<Vec<_>>());
    let fates = [Fate::Arrived, Fate::Pending, Fate::Dropped(DropReason::Expired)];
    check(&fates.iter().map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn problems_have_words_of_their_own() {
    let refusals = [
        Refusal::NotATrace,
        Refusal::Truncated,
        Refusal::UnknownVersion { found: 9 },
        Refusal::Header("odd".into()),
    ];
    let versions = Versions { recorded: "0.0.1".into(), format: 3 };
    let damages = [
        Damage::Truncated { offset: 7 },
        Damage::Corrupt { offset: 7, why: "odd" },
        Damage::Missing { offset: 7, from: 3, to: 5 },
        Damage::Record { offset: 7, record: 3, at: 5, why: "odd" },
        Damage::OtherVersion { offset: 7, versions: versions.clone() },
    ];
    assert!(damages.iter().all(|damage| damage.offset() == 7));
    let mut texts: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    texts.extend(damages.iter().map(ToString::to_string));
    texts.push(ReplayError::NoBeginning.to_string());
    texts.push(ReplayError::OtherVersion(versions.clone()).to_string());
    check(&texts);
    assert_eq!(damages[2].to_string(), "records 3 to 4 are missing at byte 7");
    let divergence = Divergence {
        record: 9,
        since: 7,
        now: Now { mono: Instant(1_500_000), ..Now::default() },
        recorded: (1, 0xa),
        replayed: (2, 0xb),
        inputs: Vec::new(),
        outputs: Vec::new(),
        versions,
    };
    assert_eq!(
        ReplayError::Divergence(Box::new(divergence)).to_string(),
        "two versions of the hub part here: the newer one decides otherwise, or tells otherwise what it decides\n\
         record 9 at 1.500000 s differs; it covers the inputs from record 7 on\n\
         recorded: 1 outputs, digest 000000000000000a\nreplayed: 2 outputs, digest 000000000000000b\n\
         recorded by version 0.0.1 in format 3, this is version "
            .to_string()
            + env!("CARGO_PKG_VERSION")
            + " and format 3"
    );
    let untrue = [
        Untrue::Dropped { said: 0, found: 3 },
        Untrue::Longest { said: Duration::ZERO, found: Duration::from_secs(2) },
    ];
    let summaries = untrue.map(|untrue| {
        ReplayError::FalseSummary(FalseSummary { offset: 7, records: 3..5, untrue }).to_string()
    });
    check(&summaries);
    assert!(summaries.iter().all(|words| words.contains("byte 7") && words.contains("from 3 up to 5")));
}

/// A story says how long its message took, or its sender waited, and not both where only one is so.
#[test]
fn stories_know_how_long_it_took() {
    use super::world::recording;
    use crate::trace::Trace;
    let (mut took, mut waited) = (0, 0);
    for seed in 0..20 {
        let file = recording(seed, 300, Contents::Redacted);
        let trace = Trace::open(&file).unwrap();
        for story in stories(&trace, |_| true).unwrap() {
            let Story { events, .. } = &story;
            let ends: Vec<_> = events.iter().map(|event| event.now.mono).collect();
            let span = ends.last().unwrap().since(ends[0]);
            assert!(story.took().max(story.waited()).is_none_or(|took| took <= span), "{story}");
            took += usize::from(story.took().is_some());
            waited += usize::from(story.waited().is_some());
        }
    }
    assert!(took > 0 && waited > 0, "{took} took, {waited} waited");
}
