//! Walks JSON text without building anything and without recursion.
//!
//! It accepts exactly RFC 8259, which the property test below holds against `serde_json`; the one addition is the
//! nesting limit. A library would do, but for two needs of the hot path: no allocation, and the position of each value.

use super::text;
use crate::limits::NESTING_DEPTH_MAX;
use crate::violation::Violation;

/// Where a string literal's characters are, without the quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Literal {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether the characters hold escapes and so are not the text itself.
    pub(super) escaped: bool,
}

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { bytes: text.as_bytes(), at: 0 }
    }

    /// Offset of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space, without taking it.
    pub(super) fn peek(&mut self) -> Result<u8, Violation> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Violation::Truncated)
    }

    /// Takes `wanted`, after white space, if it comes next.
    pub(super) fn take(&mut self, wanted: u8) -> Result<bool, Violation> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// Takes `wanted`, after white space, or fails.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Violation> {
        if self.take(wanted)? { Ok(()) } else { Err(self.not_json()) }
    }

    fn not_json(&self) -> Violation {
        Violation::NotJson { at: self.at }
    }

    /// The member key that comes next in an object, or `None` at its end. `first` is whether none came before.
    pub(super) fn key(&mut self, first: bool) -> Result<Option<Literal>, Violation> {
        if self.take(b'}')? {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
        }
        self.expect(b'"')?;
        let key = self.string_body()?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// A string, its opening quote still to come.
    pub(super) fn string(&mut self) -> Result<Literal, Violation> {
        self.expect(b'"')?;
        self.string_body()
    }

    fn string_body(&mut self) -> Result<Literal, Violation> {
        let start = self.at;
        let mut escaped = false;
        loop {
            let Some(rest) = self.bytes.get(self.at..) else { return Err(Violation::Truncated) };
            let Some(plain) = text::first_special(rest) else { return Err(Violation::Truncated) };
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Literal { start, end, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(self.not_json()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Violation> {
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.bytes.get(self.at) {
                        Some(digit) if digit.is_ascii_hexdigit() => self.at += 1,
                        Some(_) => return Err(self.not_json()),
                        None => return Err(Violation::Truncated),
                    }
                }
            }
            Some(_) => return Err(self.not_json()),
            None => return Err(Violation::Truncated),
        }
        Ok(())
    }

    /// Steps over one value of any type, `depth` levels inside the document.
    pub(super) fn skip_value(&mut self, depth: u32) -> Result<(), Violation> {
        let base = depth;
        let mut depth = depth;
        // One bit per open bracket: 1 for an object, 0 for an array. NESTING_DEPTH_MAX bits are enough.
        let mut objects: u128 = 0;
        loop {
            // A value begins here.
            let opened = match self.peek()? {
                b'{' => Some(true),
                b'[' => Some(false),
                _ => {
                    self.scalar()?;
                    None
                }
            };
            let mut first = false;
            if let Some(object) = opened {
                if depth == NESTING_DEPTH_MAX {
                    return Err(Violation::NestingTooDeep { at: self.at });
                }
                self.at += 1;
                depth += 1;
                objects = (objects << 1) | u128::from(object);
                first = true;
            }
            // A value ended, or a bracket opened: close what can be closed, then find the next value.
            loop {
                if depth == base {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                if self.take(if object { b'}' } else { b']' })? {
                    depth -= 1;
                    objects >>= 1;
                    first = false;
                    continue;
                }
                if !first {
                    self.expect(b',')?;
                }
                if object {
                    self.string()?;
                    self.expect(b':')?;
                }
                break;
            }
        }
    }

    fn scalar(&mut self) -> Result<(), Violation> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// Takes one of the three literal names.
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), Violation> {
        for wanted in word {
            match self.bytes.get(self.at) {
                Some(byte) if byte == wanted => self.at += 1,
                Some(_) => return Err(self.not_json()),
                None => return Err(Violation::Truncated),
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Violation> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Violation> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        match (self.at > start, self.at < self.bytes.len()) {
            (true, _) => Ok(()),
            (false, true) => Err(self.not_json()),
            (false, false) => Err(Violation::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;

    /// Whether the whole text is one JSON document, by this scanner.
    fn accepts(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.skip_value(0).is_ok() && scanner.peek() == Err(Violation::Truncated)
    }

    fn serde_accepts(text: &str) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    }

    #[test]
    fn nesting_limit_is_exact() {
        let nested = |depth: usize| String::from("[").repeat(depth) + &"]".repeat(depth);
        let max = NESTING_DEPTH_MAX as usize;
        assert!(Scanner::new(&nested(max)).skip_value(0).is_ok());
        assert_eq!(Scanner::new(&nested(max + 1)).skip_value(0), Err(Violation::NestingTooDeep { at: max }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        /// Agrees with serde_json on texts made of JSON's own pieces, legal or not.
        #[test]
        fn agrees_with_serde_json(
            pieces in prop::collection::vec(prop::sample::select(std::vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\n\"", "\"\\u00e9\"", "\"\\x\"", "\"", "1", "-0.5e+3", "01",
                "1.", "-", "true", "false", "null", "nul", " ", "\n", "é", "\u{1}",
            ]), 0..12)
        ) {
            let text: String = pieces.concat();
            prop_assert_eq!(accepts(&text), serde_accepts(&text), "{:?}", text);
        }

        /// … and on any legal document.
        #[test]
        fn accepts_every_document(text in "[ -~]{0,20}", number in any::<f64>(), nested in 0usize..20) {
            let mut value = serde_json::json!({ "t": text, "n": number, "l": [1, text, null, {}] });
            for _ in 0..nested { value = serde_json::json!([value, { "k": 1 }]); }
            prop_assert!(accepts(&serde_json::to_string(&value).unwrap()));
            prop_assert!(accepts(&serde_json::to_string_pretty(&value).unwrap()));
        }
    }
}
