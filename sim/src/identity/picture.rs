//! The life of an identity as an SVG picture, made from its table. A change of the table that has no place here is an error, so the
//! picture cannot hide one.

use crate::svg::Picture;
use edgehub_core::identity::IdentityState as State;
use edgehub_core::identity::{IdentityChange, IdentityState};

const SIZE: (i32, i32) = (1470, 540);
const BOX: (i32, i32) = (220, 90);

/// A state's box: its left upper corner, and what the state is.
type Place = (State, (i32, i32), [&'static str; 2]);

const PLACES: [Place; 6] = [
    (State::NoIdentity, (20, 60), ["nothing that can be used;", "token or files may change that"]),
    (State::CaPinned, (420, 60), ["the authority is the one", "that the token names"]),
    (State::Requested, (820, 60), ["a key was made here, and", "a certificate is asked for"]),
    (State::Usable, (820, 380), ["there is a certificate,", "valid as far as is known"]),
    (State::Rotating, (1220, 380), ["the same, and the next one", "is asked for with it"]),
    (State::NeedsToken, (20, 380), ["only a person can help; files", "and clocks are looked at"]),
];

/// From and to, the way as an SVG path, and where its text begins.
type Arrow = (State, State, &'static str, (i32, i32));

const ARROWS: [Arrow; 15] = [
    (State::NoIdentity, State::CaPinned, "M 240 85 H 412", (260, 78)),
    (State::CaPinned, State::Requested, "M 640 85 H 812", (660, 78)),
    (State::CaPinned, State::NoIdentity, "M 420 130 H 248", (260, 145)),
    (State::Requested, State::NoIdentity, "M 930 60 V 30 H 130 V 52", (700, 24)),
    (State::Requested, State::Usable, "M 1000 150 V 372", (1008, 190)),
    (State::Requested, State::NeedsToken, "M 860 150 V 260 H 222 V 372", (700, 254)),
    (State::NoIdentity, State::Usable, "M 222 150 V 205 H 920 V 372", (700, 184)),
    (State::NoIdentity, State::NeedsToken, "M 125 150 V 372", (133, 185)),
    (State::NeedsToken, State::NoIdentity, "M 35 380 V 158", (43, 345)),
    (State::NeedsToken, State::Usable, "M 240 425 H 812", (260, 403)),
    (State::Usable, State::NoIdentity, "M 840 380 V 315 H 195 V 158", (700, 309)),
    (State::Usable, State::Usable, "M 900 470 V 510 H 960 V 478", (970, 505)),
    (State::Usable, State::Rotating, "M 1040 405 H 1212", (1060, 398)),
    (State::Rotating, State::Usable, "M 1220 445 H 1048", (1060, 460)),
    (State::Rotating, State::NoIdentity, "M 1330 380 V 10 H 60 V 52", (1338, 345)),
];

/// Draws the table. The error names a change for which there is no place.
pub fn picture() -> Result<String, String> {
    let mut picture = Picture::new(SIZE);
    let leads = |from: State, to: State| {
        IdentityChange::ALL.into_iter().filter(move |change| from.after(*change) == Some(to))
    };
    for from in IdentityState::ALL {
        for to in IdentityState::ALL {
            let arrow = ARROWS.iter().find(|(of, into, ..)| (*of, *into) == (from, to));
            let is_there = leads(from, to).next().is_some();
            match (arrow, is_there) {
                (Some((_, _, way, text)), true) => {
                    picture.arrow(way, *text, leads(from, to).map(|change| format!("{change:?}")));
                }
                (None, true) => return Err(format!("the picture has no arrow from {from:?} to {to:?}")),
                (Some(_), false) => return Err(format!("nothing leads from {from:?} to {to:?}")),
                (None, false) => {}
            }
        }
    }
    for (state, at, words) in PLACES {
        picture.state(&format!("{state:?}"), at, BOX);
        let mut y = at.1 + 44;
        for line in words {
            y = picture.line("taken", at.0 + 12, y, line);
        }
    }
    Ok(picture.finished())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The picture that is shown is that of the table. `edgehub-sim identity --svg docs/identity.svg` draws it anew.
    #[test]
    fn the_picture_is_that_of_the_table() {
        let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/identity.svg");
        assert_eq!(std::fs::read_to_string(shown).unwrap(), picture().unwrap());
    }
}
