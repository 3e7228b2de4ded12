//! A message without its content, and of the same length everywhere.

use super::Message;
use super::decode::opaque_values;
use alloc::string::String;

impl Message {
    /// The same message with filler in the place of its content and of members that this version does not know.
    /// Every value keeps its length, so that whatever counts bytes counts the same.
    ///
    /// ```
    /// use edgehub_core::Message;
    /// let message = Message::decode(r#"{"header":{"msg_id":"1","new":7},"content":{"password":"x"}}"#)?;
    /// assert_eq!(
    ///     &**message.redacted().frame(),
    ///     r#"{"header":{"msg_id":"1","new":0},"content":".............."}"#
    /// );
    /// # Ok::<_, edgehub_core::Violation>(())
    /// ```
    pub fn redacted(&self) -> Message {
        // The filler is JSON wherever the value was, so that what could be read can be read again.
        Message::decode(redacted_text(&self.frame)).unwrap_or_else(|_| self.clone())
    }
}

/// A well-formed frame with filler for all that only its receiver understands.
pub(crate) fn redacted_text(frame: &str) -> String {
    let mut text = String::with_capacity(frame.len());
    let mut from = 0;
    for value in opaque_values(frame) {
        text.push_str(frame.get(from..value.start).unwrap_or_default());
        push_filler(&mut text, value.len());
        from = value.end;
    }
    text.push_str(frame.get(from..).unwrap_or_default());
    text
}

/// Filler, appended by the piece: a replay makes a lot of it.
const DOTS: &str = "................................................................";

/// Appends a JSON value of so many bytes.
pub(crate) fn push_filler(text: &mut String, bytes: usize) {
    match bytes {
        0 => {}
        1 => text.push('0'),
        _ => {
            text.push('"');
            let mut left = bytes - 2;
            while left > 0 {
                let part = DOTS.get(..left).unwrap_or(DOTS);
                text.push_str(part);
                left -= part.len();
            }
            text.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frame: &str, redacted: &str) {
        let message = Message::decode(frame).unwrap();
        assert_eq!(&**message.redacted().frame(), redacted);
        assert_eq!(message.redacted().bytes(), message.bytes());
        let (sent, redacted) = (message.clone().into_link_form(), message.redacted().into_link_form());
        assert_eq!(sent.bytes(), redacted.bytes(), "{frame}");
        assert_eq!(sent.redacted(), redacted.redacted(), "{frame}");
    }

    #[test]
    fn lengths_stay_and_contents_go() {
        check(
            r#"{"content":{"a" : 1},"header":{"msg_id":"1"}}"#,
            r#"{"content":".......","header":{"msg_id":"1"}}"#,
        );
        check(r#"{"content":7,"z":[1, 2]}"#, r#"{"content":0,"z":"...."}"#);
        check(r#"{"content":"s","content":2}"#, r#"{"content":".","content":0}"#);
        check(
            r#"{"header":{"sync":true,"key":"k","msg_id":"\u0031"},"route":{"x":{"y":"z"}}}"#,
            r#"{"header":{"sync":true,"key":".","msg_id":"\u0031"},"route":{"x":"......."}}"#,
        );
        check("{}", "{}");
    }
}
