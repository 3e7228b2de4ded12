//! A rule that does not hold: which, and what was seen instead.

use std::fmt;

/// Nothing wrong, or what is.
pub type Outcome = Result<(), Broken>;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The check's name.
    pub check: &'static str,
    /// The rule's name, unique in its check. It stays as it is: a scenario is shrunk to the same rule.
    pub rule: &'static str,
    /// What was seen instead.
    pub what: String,
}

/// What is wrong, by a check that need not say its own name.
pub(super) fn broken<T>(rule: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { check: "", rule, what })
}

impl Broken {
    pub(crate) fn new(check: &'static str, rule: &'static str, what: String) -> Broken {
        Broken { check, rule, what }
    }

    /// The same, by this check.
    pub(super) fn by(self, check: &'static str) -> Broken {
        Broken { check, ..self }
    }

    /// The same, with whom it is about.
    pub(crate) fn about(self, whom: &dyn fmt::Display) -> Broken {
        Broken { what: format!("{} ({whom})", self.what), ..self }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.check, self.rule, self.what)
    }
}

/// What cannot be done at all, such as writing a message that is none.
impl From<String> for Broken {
    fn from(what: String) -> Broken {
        Broken { check: "world", rule: "impossible", what }
    }
}

impl From<Broken> for String {
    fn from(broken: Broken) -> String {
        broken.to_string()
    }
}
