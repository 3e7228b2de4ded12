//! Which nodes have as much waiting for them as may: whoever sends to one of them waits, and nobody else.

use event_listener::Event;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct State {
    nodes: Mutex<BTreeSet<Box<str>>>,
    changed: Event,
}

impl State {
    fn nodes(&self) -> MutexGuard<'_, BTreeSet<Box<str>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The driver's end. With it every wait ends.
#[derive(Debug, Default)]
pub(super) struct Busy(Arc<State>);

impl Busy {
    /// For those who send.
    pub(super) fn watch(&self) -> BusyWatch {
        BusyWatch(self.0.clone())
    }

    /// These are busy now, and no others.
    pub(super) fn set(&self, nodes: BTreeSet<Box<str>>) {
        let mut known = self.0.nodes();
        if *known != nodes {
            *known = nodes;
            drop(known);
            self.0.changed.notify(usize::MAX);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.set(BTreeSet::new());
    }
}

/// A sender's end.
#[derive(Debug, Clone)]
pub(super) struct BusyWatch(Arc<State>);

impl BusyWatch {
    /// Waits until this node is not busy.
    pub(super) async fn until_idle(&self, node: &str) {
        let is_busy = || self.0.nodes().contains(node);
        while is_busy() {
            let changed = self.0.changed.listen();
            if is_busy() {
                changed.await;
            }
        }
    }
}
