//! `storm`: one restart of a cloud with many nodes.

use super::{CommandOutcome, progress::bar};
use edgehub_sim::storm::{Curve, Storm, Waiting, side_by_side};
use std::time::Duration;

/// Lets one cloud restart, for nodes that back off and for nodes that wait as the original does
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many nodes
    #[arg(long, default_value_t = Storm::default().nodes)]
    nodes: u32,
    /// Decides every jitter
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Seconds until the cloud listens again
    #[arg(long, default_value_t = Storm::default().outage.as_secs())]
    outage: u64,
    /// Handshakes that the cloud completes in a second
    #[arg(long, default_value_t = Storm::default().handshakes_per_second)]
    handshakes: u32,
    /// Connections that may wait for their handshake
    #[arg(long, default_value_t = Storm::default().backlog)]
    backlog: usize,
}

pub(super) fn run(arguments: Arguments) -> CommandOutcome {
    let Arguments { nodes, seed, outage, handshakes: handshakes_per_second, backlog } = arguments;
    let storm = Storm { nodes, seed, outage: Duration::from_secs(outage), handshakes_per_second, backlog };
    let bar = bar(Waiting::ALL.len() as u64);
    let curves = Waiting::ALL.map(|waiting| {
        let curve = storm.run(waiting);
        bar.inc(1);
        (waiting.name(), curve)
    });
    bar.finish_and_clear();
    print!("{}", side_by_side(nodes, &curves));
    println!(
        "\n{nodes} nodes, seed {seed}; the cloud is away for {outage} s, then completes {handshakes_per_second} handshakes/s"
    );
    for (name, curve) in &curves {
        println!(
            "{name:<24} peak {:>6} connects/s, 99 % back after {}, {} handshakes for nobody",
            curve.peak_attempts(),
            shown(curve, nodes),
            curve.wasted,
        );
    }
    Ok(())
}

fn shown(curve: &Curve, nodes: u32) -> String {
    match curve.time_to(99, nodes) {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => String::from("more than half an hour"),
    }
}
