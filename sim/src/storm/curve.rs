//! What a storm looked like, second by second from the loss of the links.

use std::fmt::Write;
use std::time::Duration;

/// The reconnect curve. Index 0 is the first second after the loss.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Curve {
    /// Attempts that reached a listening cloud; what a kernel repeats is not counted again.
    pub attempts: Vec<u32>,
    /// Attempts that were refused, because nobody listened.
    pub refused: Vec<u32>,
    /// Links that came up.
    pub opened: Vec<u32>,
    /// Handshakes that the cloud completed for nobody: the node had given up.
    pub wasted: u32,
    connected: u32,
    /// When each link came up, in order, in microseconds.
    opened_us: Vec<u64>,
}

impl Curve {
    pub(super) fn attempt(&mut self, after_us: u64, refused: bool) {
        count(if refused { &mut self.refused } else { &mut self.attempts }, after_us);
    }

    pub(super) fn opened(&mut self, after_us: u64) {
        count(&mut self.opened, after_us);
        self.opened_us.push(after_us);
        self.connected += 1;
    }

    /// Nodes that came back.
    pub fn connected(&self) -> u32 {
        self.connected
    }

    /// The most attempts that reached a listening cloud within one second.
    pub fn peak_attempts(&self) -> u32 {
        self.attempts.iter().copied().max().unwrap_or(0)
    }

    /// How long it took until this share of so many nodes was back, in percent; `None` if it never was.
    pub fn time_to(&self, percent: u32, nodes: u32) -> Option<Duration> {
        let needed = (u64::from(nodes) * u64::from(percent)).div_ceil(100).max(1) as usize;
        self.opened_us.get(needed - 1).map(|&us| Duration::from_micros(us))
    }

    /// Seconds that the curve covers.
    pub fn seconds(&self) -> usize {
        self.attempts.len().max(self.refused.len()).max(self.opened.len())
    }
}

fn count(seconds: &mut Vec<u32>, after_us: u64) {
    let second = (after_us / 1_000_000) as usize;
    if seconds.len() <= second {
        seconds.resize(second + 1, 0);
    }
    seconds[second] += 1;
}

const BAR: u32 = 20;

/// Several curves side by side, a line for each second in which anything happened: a bar of attempts, their number,
/// and the share of nodes that are back. A dot stands for attempts that nobody listened to.
pub fn side_by_side(nodes: u32, curves: &[(&str, Curve)]) -> String {
    let mut text = String::from("second");
    let most = curves.iter().map(|(_, curve)| curve.peak_attempts()).max().unwrap_or(0).max(1);
    for (name, _) in curves {
        let _ = write!(text, "  {name:<33}");
    }
    text.push('\n');
    let seconds = curves.iter().map(|(_, curve)| curve.seconds()).max().unwrap_or(0);
    let mut back = vec![0; curves.len()];
    for second in 0..seconds {
        let at = |counts: &[u32]| counts.get(second).copied().unwrap_or(0);
        let quiet =
            |(_, curve): &(&str, Curve)| at(&curve.attempts) + at(&curve.refused) + at(&curve.opened) == 0;
        if curves.iter().all(quiet) {
            continue;
        }
        let _ = write!(text, "{second:>6}");
        for ((_, curve), back) in curves.iter().zip(&mut back) {
            *back += at(&curve.opened);
            let (attempts, refused) = (at(&curve.attempts), at(&curve.refused));
            let mut bar = "#".repeat((attempts * BAR).div_ceil(most) as usize);
            if refused > 0 {
                bar.push('.');
            }
            let percent = *back * 100 / nodes.max(1);
            let _ = write!(text, "  {bar:<21}{:>6} {percent:>4}%", attempts + refused);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> Curve {
        let mut curve = Curve::default();
        curve.attempt(999_999, true);
        for _ in 0..4 {
            curve.attempt(1_000_000, false);
        }
        for at in [1_100_000, 1_200_000, 4_000_000, 4_100_000] {
            curve.opened(at);
        }
        curve
    }

    #[test]
    fn shares_are_reached_with_the_node_that_completes_them() {
        let time = |percent| curve().time_to(percent, 4);
        assert_eq!(time(50), Some(Duration::from_millis(1200)));
        assert_eq!(time(51), Some(Duration::from_millis(4000)));
        assert_eq!(time(99), Some(Duration::from_millis(4100)));
        assert_eq!(curve().time_to(100, 5), None);
        assert_eq!(curve().peak_attempts(), 4);
    }

    #[test]
    fn quiet_seconds_are_left_out() {
        let text = side_by_side(4, &[("one", curve())]);
        let lines: Vec<String> =
            text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["0 . 1 0%", "1 #################### 4 50%", "4 0 100%"]);
    }
}
