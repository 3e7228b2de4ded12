//! What the pictures of state machines have in common: a style, boxes, arrows, lines of text.

use std::fmt::Write;

/// The height of a line of text.
pub(crate) const LINE: i32 = 15;

const HEAD: &str = "  <style>\n    text { font: 12px sans-serif; fill: #222 }\n    .state { font: bold 15px sans-serif }\n    \
    .part { font-weight: bold; fill: #555 }\n    .refused { fill: #a33 }\n    .cause { fill: #124 }\n    \
    rect.box { fill: #f6f8fb; stroke: #345; stroke-width: 1.5 }\n    path.way { fill: none; stroke: #345; stroke-width: 1.5 }\n  \
    </style>\n  <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"2\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" \
    orient=\"auto\"><path d=\"M 0 0 L 10 5 L 0 10 z\" fill=\"#345\"/></marker></defs>\n";

/// A picture that is being drawn.
pub(crate) struct Picture(String);

impl Picture {
    /// An empty one.
    pub(crate) fn new((width, height): (i32, i32)) -> Picture {
        Picture(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
             {HEAD}  <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
        ))
    }

    /// The whole picture.
    pub(crate) fn finished(self) -> String {
        self.0 + "</svg>\n"
    }

    /// An arrow, by its way as an SVG path, with what is written on it, line by line.
    pub(crate) fn arrow(&mut self, way: &str, (x, mut y): (i32, i32), causes: impl Iterator<Item = String>) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.0, "  <path class=\"way\" d=\"{way}\" marker-end=\"url(#tip)\"/>");
        for cause in causes {
            y = self.line("cause", x, y, &cause);
        }
    }

    /// A box with the name of its state.
    pub(crate) fn state(&mut self, name: &str, (x, y): (i32, i32), (width, height): (i32, i32)) {
        let _ = writeln!(
            self.0,
            "  <rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>"
        );
        self.line("state", x + 12, y + 22, name);
    }

    /// Writes a line and says where the next one goes.
    pub(crate) fn line(&mut self, class: &str, x: i32, y: i32, text: &str) -> i32 {
        let _ = writeln!(self.0, "  <text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
        y + LINE
    }
}
