//! How an identity is, told to whoever asks.

use super::problem::{Problem, Skew};
use super::{IdentityState, Validity};
use alloc::boxed::Box;
use core::fmt;

/// How an identity is, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHealth {
    /// The state.
    pub state: IdentityState,
    /// What went wrong last, unless it is well again.
    pub problem: Option<Problem>,
    /// How far the own clock is ahead of the cloud's, in milliseconds, if that matters; negative for behind.
    pub clock_ahead_ms: Option<i64>,
    /// The validity of the certificate in use.
    pub validity: Option<Validity>,
    /// What a person has to run, while only a person can help.
    pub command: Option<Box<str>>,
}

impl fmt::Display for IdentityHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.problem, self.state.is_usable()) {
            (None, true) => f.write_str("the node has a certificate")?,
            (Some(problem), true) => {
                write!(f, "the node has a certificate, and its renewal fails: {problem}")?
            }
            (None, false) => f.write_str("the node is getting a certificate")?,
            (Some(problem), false) => write!(f, "the node has no certificate that can be used: {problem}")?,
        }
        if let Some(command) = &self.command {
            write!(f, "; run: {command}")?;
        }
        match (&self.problem, self.clock_ahead_ms) {
            (Some(Problem::ClockSkew { .. }), _) | (_, None) => Ok(()),
            (_, Some(ahead_ms)) => write!(f, "\n{}", Skew(ahead_ms)),
        }
    }
}
