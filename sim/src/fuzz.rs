//! The bodies of the fuzz targets. Each takes any bytes and panics when something does not hold; the same bodies
//! replay the committed corpus as a plain test.

mod cloud_session;
mod frame;
mod identity;
mod journal;
mod json;
mod lane;
mod legality;
mod package;
mod proxy;
mod scenario;
mod session;
mod trace;

pub use cloud_session::cloud_session;
pub use frame::frame;
pub use identity::identity;
pub use journal::journal;
pub use json::json;
pub use lane::lane;
pub use package::package;
pub use proxy::proxy;
pub use scenario::scenario;
pub use session::session;
pub use trace::trace;

#[cfg(test)]
mod tests {
    use super::legality::Legality;
    use std::panic;
    use std::path::{Path, PathBuf};

    fn files(target: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Most inputs are legal: of so many moments in a hundred somebody does something, and links come up in the files.
    fn check_legality(target: &str, play: fn(&[u8]) -> Legality, percent: u64, links_each: u64) {
        let files = files(target);
        let mut sum = Legality::default();
        for file in &files {
            let seen = play(&std::fs::read(file).unwrap());
            println!("{}: {seen:?}", file.display());
            sum.moments += seen.moments;
            sum.acted += seen.acted;
            sum.links += seen.links;
        }
        assert!(sum.acted * 100 >= sum.moments * percent, "{target}: {sum:?}");
        assert!(sum.links >= files.len() as u64 * links_each, "{target}: {sum:?} in {} files", files.len());
    }

    #[test]
    fn most_of_the_corpora_is_legal() {
        check_legality("session", super::session::legality, 50, 1);
        check_legality("scenario", super::scenario::legality, 80, 1);
    }

    /// Replays every file of a target's corpus.
    fn check(target: &str, body: fn(&[u8])) {
        let files = files(target);
        assert!(files.len() >= 12, "{target} has only {} files", files.len());
        for file in files {
            // Captured unless the body panics: then the last line names the input.
            let data = std::fs::read(&file).unwrap();
            if let Err(why) = panic::catch_unwind(|| body(&data)) {
                let name = file.file_name().unwrap_or_default().display();
                println!("reproduce: cargo fuzz run -s none {target} fuzz/corpus/{target}/{name}");
                panic::resume_unwind(why);
            }
        }
    }

    #[test]
    fn the_corpus_of_frame_holds() {
        check("frame", super::frame);
    }

    #[test]
    fn the_corpus_of_json_holds() {
        check("json", super::json);
    }

    #[test]
    fn the_corpus_of_package_holds() {
        check("package", super::package);
    }

    #[test]
    fn the_corpus_of_lane_holds() {
        check("lane", super::lane);
    }

    #[test]
    fn the_corpus_of_proxy_holds() {
        check("proxy", super::proxy);
    }

    #[test]
    fn the_corpus_of_scenario_holds() {
        check("scenario", super::scenario);
    }

    #[test]
    fn the_corpus_of_session_holds() {
        check("session", super::session);
    }

    #[test]
    fn the_corpus_of_trace_holds() {
        check("trace", super::trace);
    }

    #[test]
    fn the_corpus_of_cloud_session_holds() {
        check("cloud_session", super::cloud_session);
    }

    #[test]
    fn the_corpus_of_identity_holds() {
        check("identity", super::identity);
    }

    #[test]
    fn the_corpus_of_journal_holds() {
        check("journal", super::journal);
    }
}
