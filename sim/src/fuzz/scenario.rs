//! Any bytes as a life of an edge hub and a CloudHub together, with a link between them.
//!
//! Read by position: three bytes are one moment, so that a changed byte changes one moment and leaves the others where
//! they are. The first says what happens, the second to whom or how much, the third how much time has passed. What
//! cannot happen at that moment does not: most bytes are a legal run. When the bytes are over, everything heals, and
//! within a bound the link must be up, and nothing may wait any more.

mod pair;

use super::legality::Legality;
use pair::Pair;
use std::time::Duration;

/// What a moment can be, by its first byte.
const MOMENTS: u8 = 32;

/// Virtual time within which a healed world must be in order.
const HEALED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Moments from here on are those that came later; below it every byte means what it always did.
const LATER: u8 = 224;

/// Plays the bytes, heals, and checks all the way.
pub fn scenario(data: &[u8]) {
    legality(data);
}

/// The same, and how much of it could happen.
pub(super) fn legality(data: &[u8]) -> Legality {
    let mut seen = Legality::default();
    let (settings, moments) = data.split_at(data.len().min(2));
    let mut pair = Pair::new(settings);
    for moment in moments.chunks_exact(3) {
        let (what, argument, pause) = (moment[0], moment[1], moment[2]);
        pair.pass(pause);
        let before = pair.told;
        match what {
            LATER.. => happen_later(&mut pair, what - LATER, argument),
            _ => happen(&mut pair, what % MOMENTS, argument),
        }
        seen.moment(pair.told > before);
        assert!(pair.wrong.is_none(), "{}", pair.wrong.unwrap_or_default());
    }
    // What the healing brings up proves nothing.
    seen.links = pair.links();
    pair.heal(HEALED_WITHIN);
    assert!(pair.wrong.is_none(), "{}", pair.wrong.unwrap_or_default());
    seen
}

fn happen_later(pair: &mut Pair, what: u8, argument: u8) {
    match what {
        0..12 => pair.reach_otherwise(argument),
        12..20 => pair.session_is_lost(),
        20..26 => pair.clock_goes_back(argument),
        _ => pair.certificate_is_renewed(),
    }
}

fn happen(pair: &mut Pair, what: u8, argument: u8) {
    let some = usize::from(argument % 4) + 1;
    match what {
        0..3 => pair.dial_ends(!argument.is_multiple_of(8)),
        3..6 => {
            pair.up_arrives(some);
        }
        6..9 => {
            pair.down_arrives(some);
        }
        9 => pair.edge_flushes(some),
        10 => pair.cloud_flushes(some),
        11..14 => pair.module_sends(argument),
        14 | 15 => pair.module_asks(argument),
        16 | 17 => pair.module_takes(argument),
        18 => pair.module_acknowledges(argument),
        19 => pair.module_comes_or_goes(argument),
        20..23 => pair.cloud_sends(argument),
        23 => pair.cloud_answers(argument),
        24 => pair.cut(argument),
        25 => pair.link_goes_silent(),
        26 => pair.old_link_speaks(argument),
        27 => pair.malformed(argument),
        28 => pair.cloud_restarts(),
        29 => pair.tick(),
        30 => pair.reconfigure(argument),
        _ if argument == 0xff => pair.shut_down(),
        _ => pair.burst(argument),
    }
}
