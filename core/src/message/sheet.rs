//! Memory that the frames of many short messages share: one allocation for all of them instead of two for each.
//!
//! A sheet is given back when its last frame is. Messages leave in the order in which they were written, so that is soon;
//! one that has to wait is [detached](super::Message::detached) from its sheet.

use bytes::BytesMut;
use bytestring::ByteString;

/// The size of a sheet.
const BYTES: usize = 16 << 10;

/// The largest frame that goes on a sheet with others.
const FRAME_MAX: usize = BYTES / 8;

/// The sheet that is being written on.
#[derive(Debug, Default)]
pub(super) struct Sheet(BytesMut);

impl Sheet {
    /// Copies a frame onto the sheet, or onto the next one when this is full.
    pub(super) fn take(&mut self, frame: &str) -> ByteString {
        if frame.len() > FRAME_MAX {
            return frame.into();
        }
        if self.0.capacity() < frame.len() {
            self.0.reserve(BYTES);
        }
        self.0.extend_from_slice(frame.as_bytes());
        // It is UTF-8, having been a text. To look is cheaper than an allocation.
        ByteString::try_from(self.0.split().freeze()).unwrap_or_else(|_| frame.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn frames_lie_side_by_side_and_large_ones_alone() {
        let mut sheet = Sheet::default();
        let texts: Vec<String> = (0..200).map(|n| "é".repeat(n * 8)).collect();
        let frames: Vec<ByteString> = texts.iter().map(|text| sheet.take(text)).collect();
        assert!(frames.iter().zip(&texts).all(|(frame, text)| **frame == **text));
        let start = |n: usize| frames[n].as_ptr() as usize;
        assert_eq!(start(3) - start(2), texts[2].len());
        let shares = |n: usize| !frames[n].as_bytes().is_unique();
        assert_eq!((shares(3), shares(199), texts[199].len() > FRAME_MAX), (true, false, true));
    }

    #[test]
    fn a_sheet_whose_frames_are_gone_is_written_on_again() {
        let mut sheet = Sheet::default();
        let first = sheet.take(&"a".repeat(1000)).as_ptr();
        for _ in 0..1000 {
            let _ = sheet.take(&"a".repeat(1000));
        }
        assert!((0..BYTES).contains(&(sheet.take("a").as_ptr() as usize - first as usize)));
    }
}
