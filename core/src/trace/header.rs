//! The head of a trace: who was recorded, and with what.

use super::format::{FORMAT_VERSION, Format, put_changes_since};
use super::problem::{Broken, Refusal};
use super::wire::Cursor;
use crate::config::Config;
use crate::time::Now;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"EHTRACE\n";

/// Longest header in bytes; a configuration has some hundreds.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// Longest head in bytes: what is around the header, too.
pub(super) const HEAD_BYTES_MAX: usize = HEADER_BYTES_MAX + 64;

/// What a trace keeps of contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Contents {
    /// Length and hash.
    #[default]
    Redacted,
    /// Everything: the operator has opted in.
    Kept,
}

/// How a trace begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Start {
    /// With a new hub.
    #[default]
    New,
    /// With a checkpoint: what came before was not kept.
    Checkpoint,
}

/// The version of this core.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version that was recorded, beside the one that reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions {
    /// Which version was recorded.
    pub recorded: Box<str>,
    /// In which version of the format.
    pub format: u16,
}

impl Versions {
    /// Whether who recorded is another version than this, or wrote another format.
    pub fn are_different(&self) -> bool {
        *self.recorded != *VERSION || self.format != FORMAT_VERSION
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Versions { recorded, format } = self;
        write!(f, "recorded by version {recorded} in format {format}, ")?;
        write!(f, "this is version {VERSION} and format {FORMAT_VERSION}")?;
        put_changes_since(f, *format)
    }
}

/// The head of a trace. In the file it is JSON: a reader of a later version finds what it knows, and can name the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Version of the core that was recorded.
    pub core: Box<str>,
    /// The node's name, or what the operator calls it.
    pub node: Box<str>,
    /// Why it was written, if it is what a recorder had in memory; else empty.
    pub why: Box<str>,
    /// What decided every jitter and message id.
    pub seed: u64,
    /// When the hub began, by both its clocks.
    pub begin: Now,
    /// How the trace begins.
    pub start: Start,
    /// What it keeps of contents.
    pub contents: Contents,
    /// The configuration at the start.
    pub config: Config,
    /// The version of the format of the file; what is written is written in this crate's.
    #[serde(skip)]
    pub format: u16,
    /// Settings of the file that this version does not know, and settings that the file does not have: what may have
    /// been decided in another way then. Empty when the same version wrote the file.
    #[serde(skip)]
    pub changed: Vec<Box<str>>,
}

impl Default for Header {
    fn default() -> Header {
        Header {
            core: VERSION.into(),
            node: "".into(),
            why: "".into(),
            seed: 0,
            begin: Now::default(),
            start: Start::New,
            contents: Contents::Redacted,
            config: Config::default(),
            format: FORMAT_VERSION,
            changed: Vec::new(),
        }
    }
}

impl Header {
    /// Who recorded, and in which format.
    pub(super) fn versions(&self) -> Versions {
        Versions { recorded: self.core.clone(), format: self.format }
    }

    /// Which version was recorded and which this is, if they are not the same.
    pub fn other_version(&self) -> Option<Versions> {
        Some(self.versions()).filter(Versions::are_different)
    }

    /// The head as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Maps with texts as keys and numbers: nothing that JSON cannot hold.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut out = Vec::with_capacity(json.len() + 32);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(json.len() as u32).to_le_bytes());
        out.extend_from_slice(&json);
        let hash = xxh3_64(&out);
        out.extend_from_slice(&hash.to_le_bytes());
        out
    }

    /// Reads the head; returns it, the format and the head's length.
    pub(super) fn decode(file: &[u8]) -> Result<(Header, Format, usize), Refusal> {
        let begins = file.len().min(MAGIC.len());
        if file[..begins] != MAGIC[..begins] || file.is_empty() {
            return Err(Refusal::NotATrace);
        }
        let mut cursor = Cursor::new(file);
        let truncated = |_: Broken| Refusal::Truncated;
        cursor.take(MAGIC.len()).map_err(truncated)?;
        let found = u16::from_le_bytes(cursor.array().map_err(truncated)?);
        let format = Format::of(found).ok_or(Refusal::UnknownVersion { found })?;
        let length = u32::from_le_bytes(cursor.array().map_err(truncated)?) as usize;
        if length > HEADER_BYTES_MAX {
            return Err(Refusal::Header("its length is beyond all measure".into()));
        }
        let json = cursor.take(length).map_err(truncated)?;
        let hashed = file.len() - cursor.left();
        let hash = u64::from_le_bytes(cursor.array().map_err(truncated)?);
        if xxh3_64(&file[..hashed]) != hash {
            return Err(Refusal::Header("its hash is wrong".into()));
        }
        let header = from_json(json).map_err(|why| Refusal::Header(why.into_boxed_str()))?;
        Ok((Header { format: found, ..header }, format, file.len() - cursor.left()))
    }
}

/// Lays the file's values over this version's defaults, and notes where the two differ in what there is.
fn from_json(json: &[u8]) -> Result<Header, String> {
    let text = |error: serde_json::Error| error.to_string();
    let found: Value = serde_json::from_slice(json).map_err(text)?;
    let known = serde_json::to_value(Header::default()).map_err(text)?;
    let mut changed = Vec::new();
    compare(&mut changed, "", &known, &found);
    let merged = merge(known, found);
    let mut header: Header = serde_json::from_value(merged).map_err(text)?;
    header.changed = changed;
    Ok(header)
}

fn merge(known: Value, found: Value) -> Value {
    match (known, found) {
        (Value::Object(mut known), Value::Object(found)) => {
            for (key, value) in found {
                let value = match known.remove(&key) {
                    Some(default) => merge(default, value),
                    None => value,
                };
                known.insert(key, value);
            }
            Value::Object(known)
        }
        (_, found) => found,
    }
}

fn compare(changed: &mut Vec<Box<str>>, path: &str, known: &Value, found: &Value) {
    let (Value::Object(known), Value::Object(found)) = (known, found) else { return };
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { [path, key].join(".") };
    let missing = |other: &Map<String, Value>, key: &String| !other.contains_key(key);
    for key in known.keys().filter(|key| missing(found, key)) {
        changed.push(
            [&*below(key), ": the trace does not have it; this version's default is used"].concat().into(),
        );
    }
    for (key, value) in found {
        match known.get(key) {
            // What is absent on one side only, such as a limit, is a value and no change of the format.
            Some(default) => compare(changed, &below(key), default, value),
            None => changed.push([&*below(key), ": this version does not know it"].concat().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn with_json(json: &str) -> Vec<u8> {
        let mut out = Vec::from(*MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(json.len() as u32).to_le_bytes());
        out.extend_from_slice(json.as_bytes());
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    #[test]
    fn reads_what_it_wrote() {
        let header = Header {
            node: "edge-1".into(),
            why: "the link was lost".into(),
            seed: u64::MAX,
            config: Config { rate: None, ..Config::classic() },
            begin: Now::new(7, -1),
            ..Header::default()
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok((header, Format::Summed, bytes.len())));
    }

    /// As the documentation of the format says, whatever machine writes it.
    #[test]
    fn a_head_lies_in_the_file_as_it_is_documented() {
        let bytes = Header { seed: 1, ..Header::default() }.encode();
        let json = serde_json::to_vec(&Header { seed: 1, ..Header::default() }).unwrap();
        assert!(json.len() > 0x100 && json.len() < 0x1_0000);
        let length = [json.len() as u8, (json.len() >> 8) as u8, 0, 0];
        let before = [&b"EHTRACE\n"[..], &[3, 0], &length, &json].concat();
        assert_eq!(bytes, [&before[..], &xxh3_64(&before).to_le_bytes()].concat());
    }

    #[test]
    fn another_versions_settings_are_named() {
        let json = r#"{"core":"0.0.9","seed":3,"colour":"red","config":{"barrier_messages":7,"speed":1}}"#;
        let (header, ..) = Header::decode(&with_json(json)).unwrap();
        assert_eq!((header.seed, header.config.barrier_messages, &*header.core), (3, 7, "0.0.9"));
        let told = header.changed.join("\n");
        assert!(told.contains("colour: this version does not know it"), "{told}");
        assert!(told.contains("config.speed: this version does not know it"), "{told}");
        assert!(told.contains("config.heartbeat: the trace does not have it"), "{told}");
        assert!(!told.contains("barrier_messages"), "{told}");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let good = Header::default().encode();
        assert_eq!(Header::decode(b""), Err(Refusal::NotATrace));
        assert_eq!(Header::decode(b"PK\x03\x04 something else"), Err(Refusal::NotATrace));
        for cut in 1..good.len() {
            assert_eq!(Header::decode(&good[..cut]), Err(Refusal::Truncated), "{cut}");
        }
        let mut newer = good.clone();
        newer[8] = 9;
        let refused = Header::decode(&newer).unwrap_err();
        assert_eq!(refused, Refusal::UnknownVersion { found: 9 });
        let told = format!("{refused}");
        assert!(told.contains("version 9") && told.contains("versions 2 to 3"), "{told}");
        let mut flipped = good;
        flipped[20] ^= 1;
        assert!(matches!(Header::decode(&flipped), Err(Refusal::Header(_))));
    }
}
