//! The catalogue of the museum.

use super::{Exhibit, Verdict};
use std::fmt::Write;

/// The museum as a page of Markdown, as it is committed.
pub fn table(exhibits: &[Exhibit]) -> String {
    let mut page = String::from(
        "# The museum of defects\n\n\
         <!-- Generated: cargo run -p edgehub-sim -- museum --write docs/museum.md -->\n\n\
         The edge hub that this one replaces has known defects. Each of them is a scene here, played twice: with a \
         small\nmodel of the original, written from its observed behaviour, and with the real hub under all checks of \
         the simulator.\nOne judge looks at what can be seen from outside, and at nothing else. The model's threads \
         take their turns in the\nunlucky order that shows the defect, which a real run does now and then; the real hub \
         has no threads. A test plays all\nscenes and compares this page with what comes out.\n\n\
         | defect | in the original | scene | the model of the original | this hub |\n|---|---|---|---|---|\n",
    );
    for Exhibit { defect, wrong, scene, original, ours } in exhibits {
        let (original, ours) = (cell(original), cell(ours));
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {defect} | {wrong} | {scene} | {original} | {ours} |");
    }
    page
}

fn cell(Verdict { holds, observed }: &Verdict) -> String {
    format!("{} {observed}", if *holds { "✓" } else { "✗" })
}
