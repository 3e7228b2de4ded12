//! The life of the link as an SVG picture: what was seen, in boxes and arrows.
//!
//! Where a box stands and how an arrow runs is fixed here; what is written on them is what the exploration saw. An arrow
//! that was seen and has no place here is an error, and so is a text that is longer than its box, so the picture cannot hide
//! one.

use super::lifecycle::Lifecycle;
use crate::svg::{LINE, Picture};
use edgehub_core::hub::LinkState;

const SIZE: (i32, i32) = (1840, 1110);

/// A state's box: its left upper corner and its size.
struct Place {
    state: LinkState,
    at: (i32, i32),
    size: (i32, i32),
}

const fn place(state: LinkState, at: (i32, i32), size: (i32, i32)) -> Place {
    Place { state, at, size }
}

const PLACES: [Place; 6] = [
    place(LinkState::Waiting, (20, 130), (300, 330)),
    place(LinkState::Opening, (500, 130), (300, 330)),
    place(LinkState::Up, (1020, 130), (300, 480)),
    place(LinkState::Draining, (1020, 650), (300, 400)),
    place(LinkState::Stopped, (300, 650), (500, 400)),
    place(LinkState::Renewing, (1520, 130), (300, 480)),
];

/// An arrow: its way as an SVG path, and where its text begins.
struct Arrow {
    from: LinkState,
    to: LinkState,
    way: &'static str,
    text: (i32, i32),
}

const fn arrow(from: LinkState, to: LinkState, way: &'static str, text: (i32, i32)) -> Arrow {
    Arrow { from, to, way, text }
}

const ARROWS: [Arrow; 14] = [
    arrow(LinkState::Waiting, LinkState::Opening, "M 320 210 H 492", (340, 187)),
    arrow(LinkState::Opening, LinkState::Waiting, "M 500 310 H 328", (340, 258)),
    arrow(LinkState::Opening, LinkState::Up, "M 800 210 H 1012", (880, 202)),
    arrow(LinkState::Up, LinkState::Waiting, "M 1170 130 V 70 H 170 V 122", (610, 18)),
    arrow(LinkState::Up, LinkState::Draining, "M 1170 610 V 642", (1180, 632)),
    arrow(LinkState::Up, LinkState::Stopped, "M 1020 480 H 900 V 710 H 808", (910, 500)),
    arrow(LinkState::Draining, LinkState::Stopped, "M 1020 940 H 808", (830, 812)),
    arrow(LinkState::Opening, LinkState::Stopped, "M 650 460 V 642", (660, 510)),
    arrow(LinkState::Waiting, LinkState::Stopped, "M 170 460 V 820 H 292", (180, 510)),
    arrow(LinkState::Up, LinkState::Renewing, "M 1320 210 H 1512", (1340, 202)),
    arrow(LinkState::Renewing, LinkState::Opening, "M 1620 130 V 90 H 650 V 122", (1340, 106)),
    arrow(LinkState::Renewing, LinkState::Waiting, "M 1720 130 V 5 H 120 V 122", (1730, 30)),
    arrow(LinkState::Renewing, LinkState::Draining, "M 1670 610 V 790 H 1328", (1680, 645)),
    arrow(LinkState::Renewing, LinkState::Stopped, "M 1780 610 V 1085 H 550 V 1058", (1400, 1079)),
];

impl Lifecycle {
    /// Draws what was seen. The error names an arrow for which there is no place.
    pub fn svg(&self) -> Result<String, String> {
        let mut picture = Picture::new(SIZE);
        for (from, to) in self.arrows() {
            let (from, to) = (LinkState::ALL[from], LinkState::ALL[to]);
            let arrow = ARROWS.iter().find(|arrow| arrow.from == from && arrow.to == to);
            let arrow = arrow.ok_or_else(|| format!("the picture has no arrow from {from:?} to {to:?}"))?;
            picture.arrow(
                arrow.way,
                arrow.text,
                self.causes(arrow.from, arrow.to).into_iter().map(Into::into),
            );
        }
        for place in &PLACES {
            self.draw_box(&mut picture, place)?;
        }
        Ok(picture.finished())
    }

    fn draw_box(
        &self,
        picture: &mut Picture,
        Place { state, at: (x, y), size: (width, height) }: &Place,
    ) -> Result<(), String> {
        picture.state(&format!("{state:?}"), (*x, *y), (*width, *height));
        let (taken, refused) = self.inside(*state);
        let columns = [("stays", "taken", taken, 12), ("refused", "refused", refused, width / 2 + 2)];
        for (title, class, causes, left) in columns {
            let mut below = picture.line("part", x + left, y + 44, title);
            for cause in causes {
                below = picture.line(class, x + left, below, cause);
            }
            if below - LINE > y + height {
                return Err(format!("the box of {state:?} is too low for what {title}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the exploration could not see stays visible as missing, and what it saw too much is not swallowed.
    #[test]
    fn an_empty_exploration_draws_boxes_and_no_arrows() {
        let svg = Lifecycle::default().svg().unwrap();
        assert_eq!(svg.matches("class=\"box\"").count(), LinkState::ALL.len());
        assert_eq!(svg.matches("class=\"way\"").count(), 0);
    }
}
