//! Which of several certificate services is asked: the one that answered last, and after a failure the next one at once, until
//! each had its turn. Only then comes the wait.

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Services {
    present: usize,
    /// How many failed since the last wait.
    failed: usize,
}

impl Services {
    /// The one to ask.
    pub(super) fn present(&self) -> usize {
        self.present
    }

    /// An attempt begins after a wait: each has a turn again.
    pub(super) fn begin(&mut self) {
        self.failed = 0;
    }

    /// The present one of so many failed; whether there is one that had no turn yet. It is the next one's turn in any case.
    pub(super) fn next_of(&mut self, count: usize) -> bool {
        self.failed += 1;
        self.present = (self.present + 1) % count.max(1);
        self.failed < count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn each_has_one_turn_between_two_waits() {
        for count in 1..4 {
            let mut services = Services::default();
            for start in [0, count, 2 * count] {
                services.begin();
                let turns: Vec<(usize, bool)> =
                    (0..count).map(|_| (services.present(), services.next_of(count))).collect();
                let expected: Vec<(usize, bool)> =
                    (0..count).map(|turn| ((start + turn) % count, turn + 1 < count)).collect();
                assert_eq!(turns, expected);
            }
        }
    }
}
