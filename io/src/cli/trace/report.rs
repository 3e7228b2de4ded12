//! `edgehub trace report`: a trace as one page that needs nothing but a browser.
//!
//! | file | its one job |
//! |---|---|
//! | `gather` | what the page knows, as compact JSON |
//! | `page.html`, `style.css` | the page without its data |
//! | `model.js`, `draw.js`, `page.js` | the data in the browser, the picture, and what can be done with it |

mod gather;

use super::{Failure, File, cut, moment};
use clap::Args;
use edgehub::core::Instant;
use std::path::PathBuf;
use std::process::ExitCode;

/// Messages on a page, at most: with more of them no browser is a pleasure.
const MESSAGES_MAX: usize = 100_000;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The trace
    trace: PathBuf,
    /// From this time of the hub's clock on, for example 12.5s
    #[arg(long, value_parser = moment, value_name = "TIME")]
    from: Option<Instant>,
    /// Up to this time
    #[arg(long, value_parser = moment, value_name = "TIME")]
    to: Option<Instant>,
    /// The page to write
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

impl Report {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let gathered = gather::gather(&trace, cut::span(self.from, self.to)?, MESSAGES_MAX)?;
        let gathered = gathered.ok_or("there is nothing in this span of time")?;
        if let Some(note) = gathered.note() {
            tracing::warn!("{note}");
        }
        let page = page(&serde_json::to_string(&gathered)?, &nonce());
        std::fs::write(&self.output, page).map_err(|error| format!("{}: {error}", self.output.display()))?;
        tracing::info!(file = %self.output.display(), messages = gathered.messages(), "report written");
        Ok(ExitCode::SUCCESS)
    }
}

/// Names the scripts and styles of one page: nothing else in it may run, and nothing may be loaded.
fn nonce() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// Puts the page together. The data comes last, so that nothing in it is taken for a place to be filled.
fn page(data: &str, nonce: &str) -> String {
    let script =
        [include_str!("report/model.js"), include_str!("report/draw.js"), include_str!("report/page.js")];
    include_str!("report/page.html")
        .replace("{{nonce}}", nonce)
        .replace("{{style}}", include_str!("report/style.css"))
        .replace("{{script}}", &script.join("\n"))
        .replace("{{data}}", &inside_script(data))
}

/// JSON that can stand inside a script element: nothing in it can end the element or begin a comment.
fn inside_script(json: &str) -> String {
    // These bytes stand in JSON only inside of texts, where an escape means the same.
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn no_text_gets_out_of_the_data() {
        let hostile = [
            "</script><script>alert(1)</script>",
            "<!--<script>",
            "{{nonce}} {{script}} {{data}}",
            "\u{2028}\u{2029}\0\"'\\",
            "<img src=x onerror=alert(1)>&lt;",
        ];
        let data = json!({ "ids": hostile });
        let page = page(&data.to_string(), "0123");
        assert_eq!(page.matches("</script>").count(), 2, "the data's and the page's own");
        assert!(!page.contains("<img") && !page.contains("<!--"));
        let begin = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let end = begin + page[begin..].find("</script>").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&page[begin..end]).unwrap(), data, "and it is what it was");
    }

    #[test]
    fn a_page_loads_nothing() {
        let page = page("{}", "0123");
        for loads in
            ["http://", "https://", "src=", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML"]
        {
            assert!(!page.contains(loads), "{loads}");
        }
        assert!(page.contains("default-src 'none'"));
        assert!(!page.contains("{{"), "every place is filled");
    }
}
