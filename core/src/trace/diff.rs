//! Where two traces part.

use super::{BlockKind, Record, Trace};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;
use serde_json::Value;

/// Where two traces part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Values of the header that differ: their names, and both values.
    pub header: Vec<(Box<str>, Box<str>, Box<str>)>,
    /// The first record that differs.
    pub record: Option<Parting>,
    /// Records that were compared and are equal.
    pub equal: u64,
}

/// A record that differs, in words on both sides; `None` for a trace that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parting {
    /// The number of the record.
    pub number: u64,
    /// In one trace.
    pub one: Option<Box<str>>,
    /// In the other.
    pub other: Option<Box<str>>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.header.is_empty() && self.record.is_none()
    }
}

/// Compares two traces, head and records. What is damaged in one of them ends the comparison.
pub fn diff(one: &Trace<'_>, other: &Trace<'_>) -> Difference {
    let mut difference = Difference { header: headers(one, other), ..Difference::default() };
    let (mut left, mut right) = (Records::of(one), Records::of(other));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return difference,
            (Some(one), Some(other)) if one == other => difference.equal += 1,
            (one, other) => {
                let number = one.as_ref().or(other.as_ref()).map_or(0, |(number, _)| *number);
                let words = |record: Option<(u64, Record)>| record.map(|(_, record)| in_words(&record));
                difference.record = Some(Parting { number, one: words(one), other: words(other) });
                return difference;
            }
        }
    }
}

fn headers(one: &Trace<'_>, other: &Trace<'_>) -> Vec<(Box<str>, Box<str>, Box<str>)> {
    let mut found = Vec::new();
    let value = |trace: &Trace<'_>| serde_json::to_value(trace.header()).unwrap_or_default();
    compare(&mut found, "", &value(one), &value(other));
    found
}

fn compare(found: &mut Vec<(Box<str>, Box<str>, Box<str>)>, path: &str, one: &Value, other: &Value) {
    match (one.as_object(), other.as_object()) {
        (Some(members), Some(others)) => {
            for (key, value) in members {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(found, &below, value, others.get(key).unwrap_or(&Value::Null));
            }
        }
        _ if one == other => {}
        _ => found.push((path.into(), one.to_string().into(), other.to_string().into())),
    }
}

fn in_words(record: &Record) -> Box<str> {
    let words: String = match record {
        Record::Input { now, input, content_hash } => {
            let hash = content_hash.map(|hash| format!(", content hash {hash:016x}")).unwrap_or_default();
            let seconds = now.mono.0 as f64 / 1e6;
            format!("{seconds:.6} s, wall {} ms: {}{hash}", now.wall.0, super::describe::input(input))
        }
        Record::Outputs { count, digest } => format!("{count} outputs, digest {digest:016x}"),
    };
    words.into()
}

/// The records of a trace, one block in memory at a time.
struct Records<'t, 'a> {
    trace: &'t Trace<'a>,
    block: usize,
    read: VecDeque<(u64, Record)>,
}

impl<'t, 'a> Records<'t, 'a> {
    fn of(trace: &'t Trace<'a>) -> Records<'t, 'a> {
        Records { trace, block: 0, read: VecDeque::new() }
    }
}

impl Iterator for Records<'_, '_> {
    type Item = (u64, Record);

    fn next(&mut self) -> Option<(u64, Record)> {
        while self.read.is_empty() {
            let block = self.trace.blocks().get(self.block)?;
            self.block += 1;
            if block.kind() == BlockKind::Records {
                let read = &mut self.read;
                let _ = self.trace.each_record(block, |number, record| {
                    read.push_back((number, record));
                    true
                });
            }
        }
        self.read.pop_front()
    }
}
