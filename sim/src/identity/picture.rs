//! The life of an identity as an SVG picture, made from its table. A change of the table that has no place here is an error, so the
//! picture cannot hide one.

use crate::svg::Picture;
use edgehub_core::identity::IdentityState as State;
use edgehub_core::identity::{IdentityChange, IdentityState};

const SIZE: (i32, i32) = (1470, 540);
const BOX: (i32, i32) = (220, 90);

const PLACES: [(State, (i32, i32)); 6] = [
    (State::NoIdentity, (20, 60)),
    (State::CaPinned, (420, 60)),
    (State::Requested, (820, 60)),
    (State::Usable, (820, 380)),
    (State::Rotating, (1220, 380)),
    (State::NeedsToken, (20, 380)),
];

/// From and to, the way as an SVG path, and where its text begins.
type Arrow = (State, State, &'static str, (i32, i32));

const ARROWS: [Arrow; 15] = [
    (State::NoIdentity, State::CaPinned, "M 240 85 H 412", (260, 78)),
    (State::CaPinned, State::Requested, "M 640 85 H 812", (660, 78)),
    (State::CaPinned, State::NoIdentity, "M 420 130 H 248", (260, 145)),
    (State::Requested, State::NoIdentity, "M 930 60 V 30 H 130 V 52", (700, 24)),
    (State::Requested, State::Usable, "M 1000 150 V 372", (1008, 190)),
    (State::Requested, State::NeedsToken, "M 860 150 V 260 H 200 V 372", (700, 254)),
    (State::NoIdentity, State::Usable, "M 220 150 V 205 H 920 V 372", (700, 199)),
    (State::NoIdentity, State::NeedsToken, "M 85 150 V 372", (93, 190)),
    (State::NeedsToken, State::NoIdentity, "M 35 380 V 158", (43, 250)),
    (State::NeedsToken, State::Usable, "M 240 425 H 812", (260, 418)),
    (State::Usable, State::NoIdentity, "M 840 380 V 315 H 150 V 158", (700, 309)),
    (State::Usable, State::Usable, "M 900 470 V 510 H 960 V 478", (970, 505)),
    (State::Usable, State::Rotating, "M 1040 405 H 1212", (1060, 398)),
    (State::Rotating, State::Usable, "M 1220 445 H 1048", (1060, 460)),
    (State::Rotating, State::NoIdentity, "M 1330 380 V 10 H 60 V 52", (1338, 360)),
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
    for (state, at) in PLACES {
        picture.state(&format!("{state:?}"), at, BOX);
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
