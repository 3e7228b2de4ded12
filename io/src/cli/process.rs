//! CPU time and memory of this process, from the operating system, and the signals that end it.

use async_signal::{Signal, Signals};
use futures_util::StreamExt;
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};

/// CPU time of the whole process so far, user and system, in seconds.
pub(super) fn cpu_s() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}

/// Largest resident size so far, in KiB.
pub(super) fn peak_rss_kib() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss())
}

/// Resident size now, in KiB; 0 where `/proc` does not tell.
pub(super) fn rss_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The machine's monotonic clock in nanoseconds: the same for every process, so that one-way times can be measured.
pub(super) fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs())
}

/// Does this whenever the operator wants to see what the flight recorder holds: SIGUSR1. Never resolves but with an
/// error.
pub(super) async fn each_dump_signal<T, E: From<std::io::Error>>(dump: impl AsyncFn()) -> Result<T, E> {
    let mut signals = Signals::new([Signal::Usr1])?;
    while signals.next().await.is_some() {
        dump().await;
    }
    std::future::pending().await
}

/// Resolves when the operator wants this process to end: SIGINT or SIGTERM.
pub(super) async fn told_to_end() -> std::io::Result<()> {
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    signals.next().await;
    Ok(())
}
