//! What the log of `edgehub run` calls probably wrong, against a CloudHub in a process of its own.

use super::cloud::cloud;
use super::process::{Process, edgehub};

fn start(config: &str) -> Process {
    Process::start(&mut edgehub(&["run", "--config", config]))
}

/// Each takes the other's link again and again.
#[test]
fn a_name_that_two_nodes_use_is_named_in_both_logs() {
    let dir = tempfile::tempdir().unwrap();
    let (_cloud, config) = cloud(dir.path(), "edgehub:\n  backoff: {base: 0.01, max: 0.02}\n");
    let mut nodes = [start(&config), start(&config)];
    for node in &mut nodes {
        node.until(&["another node uses the same name"]);
    }
}

#[test]
fn a_heartbeat_that_is_too_slow_for_the_cloud_is_named_when_the_link_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (_cloud, config) = cloud(dir.path(), "    heartbeat: 16\n");
    start(&config).until(&["twice the heartbeat is longer than the cloud waits"]);
}
