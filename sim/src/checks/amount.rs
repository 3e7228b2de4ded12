//! How much there is of something, and whether more has room.

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Amount {
    /// With one message more.
    pub(super) fn and(self, bytes: usize) -> Amount {
        Amount { messages: self.messages + 1, bytes: self.bytes + bytes }
    }

    /// Without these.
    pub(super) fn less(self, other: Amount) -> Amount {
        Amount {
            messages: self.messages.saturating_sub(other.messages),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// Without one message of so many bytes.
    pub(super) fn without(self, bytes: usize) -> Amount {
        self.less(Amount { messages: 1, bytes })
    }

    /// Whether so much and one message more are within these bounds. One that is larger than all the room may be alone.
    pub(super) fn has_room(self, bytes: usize, bounds: Amount) -> bool {
        self.messages < bounds.messages
            && (self.messages == 0 || self.bytes.saturating_add(bytes) <= bounds.bytes)
    }
}

impl FromIterator<usize> for Amount {
    fn from_iter<I: IntoIterator<Item = usize>>(bytes: I) -> Amount {
        bytes.into_iter().fold(Amount::default(), Amount::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_that_is_larger_than_the_room_may_be_alone() {
        let bounds = Amount { messages: 2, bytes: 10 };
        let check = |held: &[usize], bytes, room| {
            let held: Amount = held.iter().copied().collect();
            assert_eq!(held.has_room(bytes, bounds), room, "{held:?} and {bytes}");
        };
        check(&[], 11, true);
        check(&[5], 5, true);
        check(&[5], 6, false);
        check(&[1, 1], 1, false);
    }
}
