//! What the benchmark says at its end: one line of JSON.

use super::mixed::Mixed;
use super::{Histogram, LaneChoice, Mode};
use crate::cli::{Failure, say};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) mode: Mode,
    pub(super) lane: LaneChoice,
    pub(super) messages: u64,
    pub(super) size: usize,
    pub(super) elapsed_s: f64,
    pub(super) messages_per_s: f64,
    /// From one side to the other and, of requests, back; `null` where nobody measures that.
    pub(super) latency_us: Option<Latency>,
    /// Round trips of pings, which a CloudHub answers after all that came before: all that is known of a foreign one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ping_round_trip_us: Option<Latency>,
    pub(super) cpu_s: f64,
    pub(super) cpu_us_per_message: f64,
    pub(super) peak_rss_kib: i64,
    pub(super) idle_rss_kib: i64,
    /// With everything queued and nothing sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spooled_rss_kib: Option<i64>,
    pub(super) lost: u64,
    /// Of both, `null` where nobody looks.
    pub(super) duplicates: Option<u64>,
    pub(super) out_of_order: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) mixed: Option<Mixed>,
}

impl Report {
    /// Prints it as one line; what is lost is a failure.
    pub(super) fn print(&self) -> Result<ExitCode, Failure> {
        say(serde_json::to_string(self)?)?;
        Ok(if self.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

/// What the receiving side saw.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) out_of_order: u64,
    pub(super) latency_us: Latency,
}

pub(super) fn latency(histogram: &Histogram) -> Latency {
    Latency { p50: histogram.quantile_us(0.5), p99: histogram.quantile_us(0.99), max: histogram.max_us() }
}
