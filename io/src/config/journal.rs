//! The journals: of messages (`edgehub.journal`), and of dead letters (`edgehub.deadLetters`).

use super::NodeConfig;
use super::extension::count;
use super::reader::Section;
use crate::journal::{Options, Settings};
use edgehub_core::class::Classes;
use edgehub_core::limits::{JOURNAL_SEGMENT_BYTES_MIN, JOURNAL_TOTAL_BYTES, SPOOL_ABOVE_BYTES};
use std::path::PathBuf;

/// The settings of the journal: what survives the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// Its directory, which belongs to this node alone (`journal.dir`).
    pub dir: PathBuf,
    /// Bytes of all its files (`journal.bytes`); 64 MiB or twice `outbox.bytes` by default, whatever is more. Half of it is
    /// for messages: `outbox.bytes` is lowered to that.
    pub bytes: u64,
    /// The classes whose messages are stored (`journal.classes`), unless a class says itself whether it is; `state` and
    /// `telemetry` by default.
    pub classes: Vec<String>,
    /// Bytes of messages in memory above which stored ones are left to the journal until it is their turn
    /// (`journal.memory`); 256 KiB by default.
    pub memory: usize,
    /// Whether a file that cannot be used is renamed to `….set-aside`, and the hub starts without it (`journal.unusable:
    /// set-aside`). By default it does not start (`stop`).
    pub set_aside: bool,
}

impl JournalConfig {
    /// How it is opened.
    pub fn options(&self) -> Options {
        let settings = Settings { total_bytes: self.bytes, ..Settings::default() };
        Options { settings, set_aside: self.set_aside, ..Options::default() }
    }
}

/// The settings of the journal of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LettersConfig {
    /// Its directory (`deadLetters.dir`); `dead-letters` in that of the journal by default.
    pub dir: PathBuf,
    /// Bytes of all its files (`deadLetters.bytes`); 16 MiB by default. The oldest letters make room for new ones.
    pub bytes: u64,
    /// What becomes of a file that cannot be used (`deadLetters.unusable`), as for the journal.
    pub set_aside: bool,
}

impl LettersConfig {
    /// How it is opened.
    pub fn options(&self) -> Options {
        let options = Options::dead_letters();
        let settings = Settings { total_bytes: self.bytes, ..options.settings };
        Options { settings, set_aside: self.set_aside, ..options }
    }
}

impl NodeConfig {
    /// Whose journals this node's are.
    pub fn identity(&self) -> String {
        format!("{}/{}", self.project_id, self.node_name)
    }
}

/// The smallest journal, in bytes: six segments of the smallest size.
const BYTES_MIN: u64 = 6 * JOURNAL_SEGMENT_BYTES_MIN;

/// Bytes of dead letters, unless configured.
const LETTERS_BYTES: u64 = 16 << 20;

/// The class of requests, which cannot be stored: nobody would wait for their answer after a start.
const REQUESTS: &str = "sync";

/// Reads the section of the journal; `known` are the classes that it may name.
pub(super) fn read(section: &Section<'_>, outbox_bytes: u64, known: &Classes) -> Option<JournalConfig> {
    let bytes =
        section.count("bytes", JOURNAL_TOTAL_BYTES.max(outbox_bytes.saturating_mul(2)), BYTES_MIN..=1 << 41);
    let memory = count(section, "memory", SPOOL_ABOVE_BYTES, 1 << 40);
    let wanted = section.texts("classes");
    let set_aside = unusable(section);
    let dir = section.text("dir");
    let names: Vec<&str> =
        known.classes.iter().map(|class| &*class.name).filter(|name| *name != REQUESTS).collect();
    for unknown in wanted.iter().filter(|wanted| !names.contains(&wanted.as_str())) {
        section.problem_at("classes", format!("expected some of {}, found {unknown:?}", names.join(", ")));
    }
    let classes = match wanted.is_empty() {
        true => vec!["state".into(), "telemetry".into()],
        false => wanted,
    };
    if dir.is_none() && section.has_any(&["bytes", "memory", "classes", "unusable"]) {
        section.problem_at("dir", "expected a directory of this node's own, found nothing");
    }
    section.warn_of_unknown();
    dir.map(|dir| JournalConfig { dir: dir.into(), bytes, classes, memory, set_aside })
}

/// Reads the section of dead letters out of the section `edgehub`.
pub(super) fn read_letters(
    hub: &Section<'_>,
    classes: &Classes,
    journal: Option<&JournalConfig>,
) -> Option<LettersConfig> {
    let section = hub.section("deadLetters");
    let bytes = section.count("bytes", LETTERS_BYTES, BYTES_MIN..=1 << 41);
    let set_aside = unusable(&section);
    let own = section.text("dir").map(PathBuf::from);
    section.warn_of_unknown();
    let class = classes.classes.iter().find(|class| class.dead_letters)?;
    let dir = own.or_else(|| Some(journal?.dir.join("dead-letters")));
    if dir.is_none() {
        let told = format!(
            "class {} has dead letters: expected a directory for them, or one for the journal, found nothing",
            class.name
        );
        section.problem_at("dir", told);
    }
    if dir.as_ref().is_some_and(|dir| journal.is_some_and(|journal| journal.dir == *dir)) {
        section.problem_at("dir", "expected another directory than journal.dir");
    }
    dir.map(|dir| LettersConfig { dir, bytes, set_aside })
}

/// Whether what cannot be used is set aside.
fn unusable(section: &Section<'_>) -> bool {
    section.word("unusable", false, &[("stop", false), ("set-aside", true)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "modules: {edged: {hostnameOverride: edge-1}, edgeHub: {websocket: {enable: true, server: 127.0.0.1:1}}}\n";

    fn read(own: &str) -> Result<NodeConfig, String> {
        let (node, warnings) =
            NodeConfig::from_yaml(&format!("{NODE}edgehub:\n{own}")).map_err(|errors| errors.to_string())?;
        assert!(warnings.is_empty(), "{warnings:?}");
        Ok(node)
    }

    #[test]
    fn what_cannot_be_used_stops_the_start_or_is_set_aside() {
        let own = |journal: &str, letters: &str| {
            let class = "  classes: {state: {deadLetters: true}}\n";
            let node = read(&format!(
                "{class}  journal: {{dir: /j{journal}}}\n  deadLetters: {{dir: /l{letters}}}\n"
            ))
            .unwrap();
            let (journal, letters) = (node.hub.journal.unwrap(), node.hub.letters.unwrap());
            (journal.options().set_aside, letters.options().set_aside)
        };
        assert_eq!(own("", ""), (false, false));
        assert_eq!(own(", unusable: stop", ", unusable: set-aside"), (false, true));
        assert_eq!(own(", unusable: set-aside", ""), (true, false));
        let told = read("  journal: {dir: /j, unusable: delete}\n").unwrap_err();
        assert!(told.contains("edgehub.journal.unusable: expected one of stop, set-aside"), "{told}");
        let told = read("  journal: {unusable: set-aside}\n").unwrap_err();
        assert!(told.contains("edgehub.journal.dir: expected a directory"), "{told}");
    }

    #[test]
    fn what_was_configured_is_what_it_is_opened_with() {
        let node = read("  journal: {dir: /j}\n  outbox: {bytes: 70000000}\n").unwrap();
        let journal = node.hub.journal.as_ref().unwrap().options();
        assert_eq!(journal.settings.total_bytes, 140_000_000);
        assert_eq!(node.identity(), format!("{}/edge-1", super::super::DEFAULT_PROJECT_ID));
    }
}
