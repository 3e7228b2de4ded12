//! `edgehub cloud token`: a token to join the embedded CloudHub with.

use super::{Failure, say};
use clap::Args;
use edgehub::pki::Authority;
use edgehub::pki::token::TokenKey;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Where the authority lives, as for `cloud`
    #[arg(long, value_name = "DIR", default_value = "edgehub-cloud")]
    dir: PathBuf,
    /// How many hours it is good for
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=24 * 365))]
    hours: u64,
}

impl Token {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let (authority, _) = Authority::load_or_create(&self.dir)?;
        let key = TokenKey::load_or_create(&self.dir)?;
        say(key.token(&authority, Duration::from_secs(self.hours * 60 * 60)))?;
        Ok(ExitCode::SUCCESS)
    }
}
