//! Our own settings: what KubeEdge's configuration has no word for.

use edgehub_core::limits::DUPLICATE_WINDOW_MAX;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Section;

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
    /// The flight recorder (`recorder`); off unless `recorder.path` is set.
    pub recorder: Option<RecorderConfig>,
}

/// The settings of the flight recorder: what happened last stays in memory, and goes to a file when something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderConfig {
    /// The folder for its files (`recorder.path`).
    pub path: PathBuf,
    /// Bytes that it holds in memory (`recorder.memory`); 4 MiB by default.
    pub memory: usize,
    /// Whether contents of messages are recorded, too (`recorder.contents`); no by default.
    pub contents: bool,
}

/// The groups of messages from the cloud.
const GROUPS: [&str; 5] = ["resource", "func", "twin", "user", "taskmanager"];

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(5),
            ping_misses: 3,
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            outbox_messages: 10_000,
            outbox_bytes: 64 << 20,
            sync_timeout: Duration::from_secs(30),
            recorder: None,
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
    let hub = HubConfig {
        ping_interval: section.seconds("pingInterval", defaults.ping_interval),
        ping_misses: count(section, "pingMisses", defaults.ping_misses, 1_000),
        backoff_base: backoff.seconds("base", defaults.backoff_base),
        backoff_max: backoff.seconds("max", defaults.backoff_max),
        outbox_messages: count(&outbox, "messages", defaults.outbox_messages, 10_000_000),
        outbox_bytes: count(&outbox, "bytes", defaults.outbox_bytes, 1 << 40),
        sync_timeout: section.seconds("syncTimeout", defaults.sync_timeout),
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

fn recorder(section: &Section<'_>) -> Option<RecorderConfig> {
    let memory = count(section, "memory", 4 << 20, 1 << 32);
    let contents = section.flag("contents", false);
    let path = section.text("path");
    section.warn_of_unknown();
    path.map(|path| RecorderConfig { path: path.into(), memory, contents })
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

fn count<N>(section: &Section<'_>, key: &'static str, default: N, most: u64) -> N
where
    N: Copy + TryFrom<u64> + TryInto<u64>,
{
    let default_count = default.try_into().unwrap_or(most);
    N::try_from(section.count(key, default_count, 1..=most)).unwrap_or(default)
}
