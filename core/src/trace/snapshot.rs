//! The whole state of a hub as bytes, and back.
//!
//! A plain binary form without names, over the derived `Serialize` and `Deserialize` of the state: whatever the hub
//! holds is in it, without anybody having to think of it. Messages are written as in a record, so their contents are
//! redacted as there. Each structure ends with a hash of its name and its fields' names: the state of a version that
//! has other fields is refused, not misread.

mod de;
mod ser;

use super::problem::Broken;
use super::template::{ContentRule, MessageWriter};
use crate::hub::Hub;
use crate::time::UnixMillis;
use alloc::vec::Vec;

/// What the clocks of messages are measured from.
const EPOCH: UnixMillis = UnixMillis(0);

/// Appends the state; returns whether that was possible.
pub(super) fn write(out: &mut Vec<u8>, hub: &Hub, rule: ContentRule, key: u64) -> bool {
    let mut writer = ser::Writer { out, messages: MessageWriter::new(key), rule, frame_is_next: false };
    serde::Serialize::serialize(hub, &mut writer).is_ok()
}

/// Why bytes are not the state of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// A structure has other fields: it was written by another version.
    OtherShape,
    /// They make no sense.
    Broken(Broken),
}

/// Reads a state.
pub(super) fn read(raw: &[u8], kept: bool) -> Result<Hub, Unread> {
    let mut reader = de::Reader::new(raw, kept);
    let hub: Hub =
        serde::Deserialize::deserialize(&mut reader).map_err(|_| match reader.is_of_other_shape {
            true => Unread::OtherShape,
            false => Unread::Broken(Broken("the checkpoint makes no sense")),
        })?;
    if !reader.cursor.is_empty() {
        return Err(Unread::Broken(Broken("the checkpoint is longer than its state")));
    }
    if !hub.is_consistent() {
        return Err(Unread::Broken(Broken("the checkpoint is no state in which a hub can be")));
    }
    Ok(hub)
}

/// The mark at the end of a structure: its name and its fields, in order.
fn shape(name: &str, fields: impl Iterator<Item = &'static str>) -> u16 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    take(name);
    fields.for_each(take);
    (hash ^ (hash >> 32)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::hub::{Input, LinkEvent, ModuleEvent, ModuleId};
    use crate::message::{Content, Draft};
    use crate::time::Now;
    use std::format;
    use std::string::{String, ToString};

    /// A hub with something in each of its places.
    fn hub(text: &str) -> Hub {
        let mut hub = Hub::new(Config::default(), 7, Now::new(0, 0));
        let link = |event| Input::Link { epoch: crate::LinkEpoch(1), event };
        let module = |event| Input::Module { module: ModuleId(3), event };
        let joined = ModuleEvent::Joined { name: "twin".into(), groups: std::vec!["twin".into()], credit: 1 };
        hub.handle(Now::new(5, 1), module(joined));
        hub.handle(Now::new(6, 1), link(LinkEvent::Opened));
        for id in 0..100 {
            let id = format!("{id}");
            let draft = Draft { msg_id: &id, content: Content::Text(text), ..Draft::default() };
            let message = Draft { sync: true, ..draft }.encode().unwrap();
            hub.handle(Now::new(7, 1), module(ModuleEvent::Sent { message, timeout: None, receipt: None }));
            let message = Draft { group: "twin", ..draft }.encode().unwrap();
            hub.handle(Now::new(8, 1), link(LinkEvent::Received(message)));
        }
        while hub.poll_output().is_some() {}
        hub
    }

    fn bytes(hub: &Hub, rule: ContentRule) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(write(&mut out, hub, rule, 9));
        out
    }

    #[test]
    fn a_state_comes_back_and_goes_on_as_before() {
        let mut hub = hub("secret");
        let written = bytes(&hub, ContentRule::Keep);
        let mut restored = read(&written, true).unwrap();
        assert_eq!(bytes(&restored, ContentRule::Keep), written);
        assert_eq!(format!("{restored:?}"), format!("{hub:?}"));
        for hub in [&mut hub, &mut restored] {
            hub.handle(Now::new(9_000_000, 1), Input::Tick);
        }
        let outputs = |hub: &mut Hub| core::iter::from_fn(|| hub.poll_output()).collect::<Vec<_>>();
        let (one, other) = (outputs(&mut hub), outputs(&mut restored));
        assert!(one.len() > 3);
        assert_eq!(one, other);
    }

    #[test]
    fn a_redacted_state_holds_no_content() {
        let written = bytes(&hub("hunter2"), ContentRule::Known(0));
        assert!(!written.windows(7).any(|window| window == b"hunter2"));
        let restored = read(&written, false).unwrap();
        assert_eq!(restored.account(), hub("hunter2").account());
        assert_eq!(bytes(&restored, ContentRule::Known(0)), written);
    }

    #[test]
    fn another_shape_is_another_mark() {
        let of = |name, fields: &[&'static str]| shape(name, fields.iter().copied());
        assert_ne!(of("A", &["b", "c"]), of("A", &["b"]));
        assert_ne!(of("A", &["b", "c"]), of("A", &["bc"]));
        assert_ne!(of("A", &["b"]), of("B", &["b"]));
    }

    /// Something of every kind of which a state can be made, though today's may hold none of it.
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Kinds {
        flags: (bool, bool),
        numbers: (u8, u16, u32, u64, i8, i16, i32, i64),
        letter: char,
        texts: std::collections::BTreeMap<u16, String>,
        maybe: [Option<u8>; 2],
        nothing: ((), Unit),
        pair: Pair,
        cases: Vec<Case>,
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Unit;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Pair(u8, i64);

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Case {
        Plain,
        One(u8),
        Two(u8, char),
        Named { value: i32 },
    }

    fn put<T: serde::Serialize>(value: &T) -> Option<Vec<u8>> {
        let (mut out, messages) = (Vec::new(), MessageWriter::new(9));
        let mut writer =
            ser::Writer { out: &mut out, messages, rule: ContentRule::Keep, frame_is_next: false };
        value.serialize(&mut writer).ok()?;
        Some(out)
    }

    fn got<T: serde::de::DeserializeOwned>(raw: &[u8]) -> Option<T> {
        let mut reader = de::Reader::new(raw, true);
        T::deserialize(&mut reader).ok().filter(|_| reader.cursor.is_empty())
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let kinds = Kinds {
            flags: (true, false),
            numbers: (u8::MAX, u16::MAX, u32::MAX, u64::MAX, i8::MIN, i16::MIN, i32::MIN, i64::MIN),
            letter: 'ß',
            texts: [(1, "one".into()), (2, String::new())].into(),
            maybe: [None, Some(0)],
            nothing: ((), Unit),
            pair: Pair(1, -1),
            cases: std::vec![Case::Plain, Case::One(1), Case::Two(2, 'z'), Case::Named { value: -7 }],
        };
        let written = put(&kinds).unwrap();
        assert_eq!(got::<Kinds>(&written), Some(kinds));
        assert!((0..written.len()).all(|cut| got::<Kinds>(&written[..cut]).is_none()));
        // Neither a truth value, nor an option, nor a letter, nor a case is just any number.
        assert_eq!((got::<bool>(&[2]), got::<Option<u8>>(&[2, 0])), (None, None));
        assert_eq!((got::<char>(&put(&0xd800_u32).unwrap()), got::<Case>(&[4])), (None, None));
    }

    #[test]
    fn what_has_no_place_in_a_state_is_refused() {
        assert_eq!((put(&1.0_f32), put(&1.0_f64)), (None, None));
        assert_eq!((got::<f32>(&[0; 8]), got::<f64>(&[0; 8])), (None, None));
        assert_eq!(got::<serde::de::IgnoredAny>(&[0; 8]).map(|_| ()), None);
        assert_ne!(ser::Unsupported.to_string(), de::NoState.to_string());
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let written = bytes(&hub("x"), ContentRule::Keep);
        for cut in 0..written.len() {
            assert!(read(&written[..cut], true).is_err());
        }
        assert!(read(&[&*written, b"x"].concat(), true).is_err());
    }
}
