//! How far a long run is: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many steps.
pub(super) fn bar(length: u64) -> ProgressBar {
    styled(ProgressBar::new(length), "{elapsed_precise} {wide_bar} {pos}/{len}, {eta} left")
}

/// Steps of which nobody knows how many there will be.
pub(super) fn counter(what: &str) -> ProgressBar {
    styled(ProgressBar::new_spinner(), &format!("{{elapsed_precise}} {{spinner}} {{pos}} {what}"))
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
