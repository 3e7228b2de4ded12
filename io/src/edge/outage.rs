//! Why the cloud cannot be reached, said once for each reason as long as that goes on.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tracing::{debug, warn};

/// Reasons that are kept apart; what comes beyond them is not news any more.
const REASONS_MAX: usize = 16;

/// The time without a link, from the first attempt that failed to the first that did not.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<BTreeSet<String>>);

impl Outage {
    /// An attempt failed. Whether that is news: another attempt that fails alike is none.
    fn is_news(&self, why: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < REASONS_MAX && told.insert(why.to_owned())
    }

    /// An attempt failed.
    pub(super) fn goes_on(&self, why: &str, url: Option<&str>) {
        if self.is_news(why) {
            warn!(error = why, url, "cannot reach the cloud; running offline and trying again");
        } else {
            debug!(error = why, url, "cannot reach the cloud");
        }
    }

    /// The cloud was reached.
    pub(super) fn is_over(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_news_once_an_outage() {
        let outage = Outage::default();
        assert!(outage.is_news("refused"));
        assert!(!outage.is_news("refused"));
        assert!(outage.is_news("no such host"));
        assert!(!outage.is_news("refused"), "it comes and goes");
        outage.is_over();
        assert!(outage.is_news("refused"));
        assert_eq!((0..100).filter(|port| outage.is_news(&format!("port {port}"))).count(), REASONS_MAX - 1);
    }
}
