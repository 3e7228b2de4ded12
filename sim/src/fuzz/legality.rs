//! How much of what the bytes say could happen: an input that is refused everywhere tests little.

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Legality {
    /// Moments.
    pub(super) moments: u64,
    /// … of which somebody did something.
    pub(super) acted: u64,
    /// Links that came up.
    pub(super) links: u64,
}

impl Legality {
    /// One more moment.
    pub(super) fn moment(&mut self, acted: bool) {
        self.moments += 1;
        self.acted += u64::from(acted);
    }
}
