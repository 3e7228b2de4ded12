//! What reading a configuration has to say: problems that make it unusable, and warnings that do not.

use std::fmt;
use std::path::PathBuf;

/// One thing that makes a configuration unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file, keys joined by dots; empty for the file as a whole.
    pub path: String,
    /// What is wrong there, and what would be right.
    pub message: String,
}

/// One thing that is probably not meant, in a configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where in the file, keys joined by dots; empty for the file as a whole.
    pub path: String,
    /// What is odd there.
    pub message: String,
}

/// All problems of one configuration. Displays one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file, when the configuration came from one.
    pub file: Option<PathBuf>,
    /// The problems, in the order of the file's sections. Never empty.
    pub problems: Vec<Problem>,
}

impl ConfigErrors {
    /// A problem of the file as a whole.
    pub(super) fn of_file(message: String) -> Self {
        let message = message.replace(['\n', '\r'], " ");
        Self { file: None, problems: vec![Problem { path: String::new(), message }] }
    }
}

fn line(f: &mut fmt::Formatter<'_>, path: &str, message: &str) -> fmt::Result {
    if path.is_empty() { f.write_str(message) } else { write!(f, "{path}: {message}") }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, &self.path, &self.message)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, &self.path, &self.message)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(file) = &self.file {
                write!(f, "{}: ", file.display())?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_a_line_of_its_own() {
        let mut errors = ConfigErrors::of_file("two\nlines".into());
        errors.problems.push(Problem { path: "a.b".into(), message: "wrong".into() });
        assert_eq!(errors.to_string(), "two lines\na.b: wrong");
        errors.file = Some("x.yaml".into());
        assert_eq!(errors.to_string(), "x.yaml: two lines\nx.yaml: a.b: wrong");
    }
}
