//! Our own settings: what KubeEdge's configuration has no word for.

use edgehub_core::limits::DUPLICATE_WINDOW_MAX;
use std::path::PathBuf;
use std::time::Duration;

use super::classes::{self, Read};
use super::journal::{self, JournalConfig, LettersConfig};
use super::reach::{self, ReachConfig};
use super::reader::Section;
use edgehub_core::class::Classes;
use edgehub_core::config::{Config, Drain};

/// The settings of the top-level section `edgehub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// Time between two WebSocket pings (`pingInterval`); 5 s by default.
    pub ping_interval: Duration,
    /// Unanswered pings in a row that end a link (`pingMisses`); 3 by default.
    pub ping_misses: u32,
    /// The first wait after a failed attempt, before jitter (`backoff.base`); 1 s by default.
    pub backoff_base: Duration,
    /// The longest wait between two attempts (`backoff.max`); 60 s by default.
    pub backoff_max: Duration,
    /// Messages that wait for the cloud at most (`outbox.messages`); 10,000 by default.
    pub outbox_messages: usize,
    /// Bytes that wait for the cloud at most (`outbox.bytes`); 64 MiB by default.
    pub outbox_bytes: usize,
    /// How a long backlog leaves after the link has come up (`drain`): messages per second (`rate`; 20 by default, 0 for as
    /// fast as can be), the backlog above which that counts (`above`; 100 messages), and the longest random wait before it
    /// begins (`spread`; 10 s).
    pub drain: Option<Drain>,
    /// When the cloud is asked whether it has what was sent (`confirm`).
    pub confirm: ConfirmConfig,
    /// How long a module may take nothing while messages wait for it before they are dropped (`stallLimit`); 30 s by
    /// default.
    pub stall_limit: Duration,
    /// Whether messages on the QUIC lane may be compressed, where the cloud agrees (`compression`); `true` by default.
    pub compression: bool,
    /// How long a module waits for an answer from the cloud (`syncTimeout`); 30 s by default, one heartbeat in the
    /// classic profile.
    pub sync_timeout: Duration,
    /// Groups whose messages the hub acknowledges itself once a module has been handed them (`acknowledge: {resource:
    /// hub}`); none by default, as in KubeEdge, where the module does.
    pub acknowledged_by_hub: Vec<&'static str>,
    /// Messages from the cloud that are known again when they come again (`duplicateWindow.messages`); 1,024 by default,
    /// 0 for none.
    pub duplicate_messages: usize,
    /// … and for how long (`duplicateWindow.time`); 60 s by default.
    pub duplicate_time: Duration,
    /// The journal (`journal`); none unless `journal.dir` is set.
    pub journal: Option<JournalConfig>,
    /// Where dropped messages of classes with `deadLetters` go (`deadLetters`); none if there are no such classes.
    pub letters: Option<LettersConfig>,
    /// The classes of messages and their rules (`classes`, `rules`, `otherwise`); the core's own by default, with those of
    /// `journal.classes` being persistent.
    pub classes: Classes,
    /// How the cloud is reached (`probe`, `cloudKeepalive`).
    pub reach: ReachConfig,
    /// The flight recorder (`recorder`); always on, unless `recorder.enabled` is false.
    pub recorder: Option<RecorderConfig>,
}

/// When the cloud is asked whether it has what was sent: a ping follows so many messages, or so much time, whatever comes
/// first, and its pong confirms all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmConfig {
    /// Messages (`confirm.messages`); 1,024 by default. A quarter of what may be on its way makes a ping sooner.
    pub messages: u32,
    /// Time since the first unconfirmed message (`confirm.time`); 50 ms by default.
    pub time: Duration,
    /// How long a link whose bytes move may leave a ping unanswered (`confirm.limit`); 120 s by default.
    pub limit: Duration,
}

impl Default for ConfirmConfig {
    fn default() -> Self {
        let Config { barrier_messages: messages, barrier_after: time, pong_limit: limit, .. } =
            Config::default();
        Self { messages, time, limit }
    }
}

/// The settings of the flight recorder: what happened last stays in memory, and goes to a file when something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderConfig {
    /// The folder for its files (`recorder.path`); `/var/lib/edgehub/recordings` by default.
    pub path: PathBuf,
    /// Bytes that it holds in memory (`recorder.memory`); 4 MiB by default.
    pub memory: usize,
    /// Whether contents of messages are recorded, too (`recorder.contents`); no by default.
    pub contents: bool,
    /// Files that hold all that happened last, the one that is written to included (`recorder.files`); none by default.
    pub files: u32,
    /// Bytes after which the next of them begins (`recorder.fileBytes`); 16 MiB by default.
    pub file_bytes: u64,
}

impl Default for RecorderConfig {
    fn default() -> Self {
        Self {
            path: "/var/lib/edgehub/recordings".into(),
            memory: 4 << 20,
            contents: false,
            files: 0,
            file_bytes: 16 << 20,
        }
    }
}

/// Files of the flight recorder at most: each is renamed when one begins.
const RECORDER_FILES_MAX: u64 = 1000;

/// Smallest file of the flight recorder, in bytes: less would hold hardly more than its head.
const RECORDER_FILE_BYTES_MIN: u64 = 64 << 10;

/// The groups of messages from the cloud.
pub const GROUPS: [&str; 5] = ["resource", "func", "twin", "user", "taskmanager"];

/// What a node gets whose file says nothing. Where [`Config::default`] says something else, that is for a hub within another program,
/// which has no file: fewer messages in less memory, no question to the cloud that nobody asked for, and as long a wait for an
/// answer as KubeEdge's own modules have.
impl Default for HubConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(5),
            ping_misses: 3,
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            outbox_messages: 10_000,
            outbox_bytes: 64 << 20,
            drain: Config::default().drain,
            confirm: ConfirmConfig::default(),
            stall_limit: Config::default().stall_limit,
            compression: true,
            sync_timeout: Duration::from_secs(30),
            journal: None,
            letters: None,
            classes: Classes::default(),
            reach: ReachConfig::default(),
            recorder: Some(RecorderConfig::default()),
            acknowledged_by_hub: Vec::new(),
            duplicate_messages: 1024,
            duplicate_time: Duration::from_secs(60),
        }
    }
}

/// Reads the section. Its unknown keys are the caller's to warn of: in the classic dialect it has other keys, too.
pub(super) fn read(section: &Section<'_>, defaults: &HubConfig) -> HubConfig {
    let backoff = section.section("backoff");
    let outbox = section.section("outbox");
    let acknowledge = section.section("acknowledge");
    let duplicates = section.section("duplicateWindow");
    let outbox_bytes = count(&outbox, "bytes", defaults.outbox_bytes, 1 << 40);
    let Read { mut classes, says_persistent } = classes::read(section);
    let journal = journal::read(&section.section("journal"), outbox_bytes as u64, &classes);
    for (class, says) in classes.classes.iter_mut().zip(says_persistent) {
        if !says {
            class.persistent =
                journal.as_ref().is_some_and(|journal| journal.classes.contains(&class.name.to_string()));
        } else if class.persistent && journal.is_none() {
            let told = format!(
                "class {} is persistent: expected a directory of this node's own, found nothing",
                class.name
            );
            section.problem_at("journal.dir", told);
        }
    }
    let letters = journal::read_letters(section, &classes, journal.as_ref());
    let hub = HubConfig {
        ping_interval: section.seconds("pingInterval", defaults.ping_interval),
        ping_misses: count(section, "pingMisses", defaults.ping_misses, 1_000),
        backoff_base: backoff.seconds("base", defaults.backoff_base),
        backoff_max: backoff.seconds("max", defaults.backoff_max),
        outbox_messages: count(&outbox, "messages", defaults.outbox_messages, 10_000_000),
        outbox_bytes,
        drain: drain(&section.section("drain"), defaults.drain),
        confirm: confirm(&section.section("confirm"), defaults.confirm),
        stall_limit: section.seconds("stallLimit", defaults.stall_limit),
        compression: section.flag("compression", defaults.compression),
        sync_timeout: section.seconds("syncTimeout", defaults.sync_timeout),
        journal,
        letters,
        classes,
        reach: reach::read(section),
        recorder: recorder(&section.section("recorder")),
        acknowledged_by_hub: acknowledged_by_hub(&acknowledge),
        duplicate_messages: duplicates.count(
            "messages",
            defaults.duplicate_messages as u64,
            0..=DUPLICATE_WINDOW_MAX as u64,
        ) as usize,
        duplicate_time: duplicates.seconds("time", defaults.duplicate_time),
    };
    if hub.backoff_base > hub.backoff_max {
        let (base, max) = (hub.backoff_base.as_secs_f64(), hub.backoff_max.as_secs_f64());
        backoff.problem_at("base", format!("expected at most backoff.max ({max} s), found {base} s"));
    }
    backoff.warn_of_unknown();
    outbox.warn_of_unknown();
    acknowledge.warn_of_unknown();
    duplicates.warn_of_unknown();
    hub
}

fn drain(section: &Section<'_>, default: Option<Drain>) -> Option<Drain> {
    let default = default.unwrap_or(Drain { per_second: 0, above: 0, spread: Duration::from_secs(1) });
    let per_second = section.count("rate", default.per_second.into(), 0..=u64::from(u32::MAX)) as u32;
    let above = section.count("above", default.above as u64, 0..=10_000_000) as usize;
    let spread = section.seconds("spread", default.spread);
    section.warn_of_unknown();
    (per_second > 0).then_some(Drain { per_second, above, spread })
}

fn confirm(section: &Section<'_>, defaults: ConfirmConfig) -> ConfirmConfig {
    let confirm = ConfirmConfig {
        messages: count(section, "messages", defaults.messages, 1_000_000),
        time: section.seconds("time", defaults.time),
        limit: section.seconds("limit", defaults.limit),
    };
    section.warn_of_unknown();
    confirm
}

fn recorder(section: &Section<'_>) -> Option<RecorderConfig> {
    let default = RecorderConfig::default();
    let enabled = section.flag("enabled", true);
    let memory = count(section, "memory", default.memory, 1 << 32);
    let contents = section.flag("contents", default.contents);
    let path = section.text("path").map_or(default.path, Into::into);
    let files = section.count("files", default.files.into(), 0..=RECORDER_FILES_MAX) as u32;
    let file_bytes = section.count("fileBytes", default.file_bytes, RECORDER_FILE_BYTES_MIN..=1 << 41);
    section.warn_of_unknown();
    enabled.then_some(RecorderConfig { path, memory, contents, files, file_bytes })
}

fn acknowledged_by_hub(section: &Section<'_>) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for group in GROUPS {
        match section.text(group).as_deref() {
            None | Some("module") => {}
            Some("hub") => groups.push(group),
            Some(other) => section.problem_at(group, format!("expected hub or module, found `{other}`")),
        }
    }
    groups
}

pub(super) fn count<N>(section: &Section<'_>, key: &'static str, default: N, most: u64) -> N
where
    N: Copy + TryFrom<u64> + TryInto<u64>,
{
    let default_count = default.try_into().unwrap_or(most);
    N::try_from(section.count(key, default_count, 1..=most)).unwrap_or(default)
}
