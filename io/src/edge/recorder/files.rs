//! The flight recorder's files: dumps with a number each, and captures that are put aside.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Dumps for each reason; the oldest are deleted. Also over restarts: a hub that fails again and again leaves its last ones.
pub(super) const DUMPS_MAX: usize = 8;

const SUFFIX: &str = ".trace";

/// Writes a dump behind those of the same reason, and deletes the oldest that are too many.
pub(super) fn write_dump(folder: &Path, reason: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let there = numbers(folder, reason)?;
    let name = |number: u64| folder.join(format!("{reason}-{number}{SUFFIX}"));
    let file = name(there.last().map_or(0, |newest| newest.saturating_add(1)));
    // Beside its place first: a file that is there is whole.
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, bytes)?;
    for oldest in there.iter().rev().skip(DUMPS_MAX - 1) {
        fs::remove_file(name(*oldest))?;
    }
    fs::rename(&unfinished, &file)?;
    Ok(file)
}

/// The numbers of the dumps for a reason, in order.
fn numbers(folder: &Path, reason: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u64> = name.to_str().and_then(|name| {
            name.strip_prefix(reason)?.strip_prefix('-')?.strip_suffix(SUFFIX)?.parse().ok()
        });
        // A number that is written in another way is another's file.
        numbers.extend(number.filter(|number| *name == *format!("{reason}-{number}{SUFFIX}")));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Puts a file aside as `.1`, that as `.2` and so on up to `.keep`; the one beyond is gone. What is no file but a device or
/// a link is left where it is.
pub(super) fn put_aside(file: &Path, keep: u32) -> io::Result<()> {
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_file() && keep > 0 => {}
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    }
    let aside = |number: u32| {
        let mut name = OsString::from(file);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..keep).rev() {
        match fs::rename(aside(number), aside(number + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(file, aside(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let files = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_dumps_of_each_reason_stay() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("recordings");
        let dump = |reason: &str, text: &str| write_dump(&folder, reason, text.as_bytes()).unwrap();
        assert_eq!(dump("panic", "first"), folder.join("panic-0.trace"));
        // Nobody else's business, whatever they look like.
        let others = ["panic-07.trace", "panic-x.trace", "panic-9.trace.bak", "panics-3.trace"];
        others.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
        for number in 0..DUMPS_MAX + 2 {
            assert_eq!(
                dump("link-lost", &number.to_string()),
                folder.join(format!("link-lost-{number}.trace"))
            );
        }
        assert_eq!(dump("panic", "second"), folder.join("panic-1.trace"));
        assert_eq!(fs::read_to_string(folder.join("panic-0.trace")).unwrap(), "first");
        let mut expected: Vec<String> =
            (2..DUMPS_MAX + 2).map(|number| format!("link-lost-{number}.trace")).collect();
        expected.extend(["panic-0.trace".into(), "panic-1.trace".into()]);
        expected.extend(others.map(String::from));
        expected.sort();
        assert_eq!(names(&folder), expected);
        assert_eq!(fs::read_to_string(folder.join("link-lost-9.trace")).unwrap(), "9");
    }

    #[test]
    fn files_are_put_aside_up_to_so_many() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.trace");
        put_aside(&file, 2).unwrap();
        for text in ["1", "2", "3", "4"] {
            fs::write(&file, text).unwrap();
            put_aside(&file, 2).unwrap();
        }
        assert_eq!(names(dir.path()), ["a.trace.1", "a.trace.2"]);
        // None there: nothing is moved up, and nothing falls off the end.
        put_aside(&file, 2).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("a.trace.1"), read("a.trace.2")), ("4".into(), "3".into()));
        // Nothing is kept: it is written over.
        fs::write(&file, "5").unwrap();
        put_aside(&file, 0).unwrap();
        assert_eq!(read("a.trace"), "5");
        // A link is not moved: it may be /dev/stdout.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        put_aside(&link, 2).unwrap();
        assert!(link.is_symlink());
    }
}
