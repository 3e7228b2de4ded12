//! A link as a hub would open it, on whatever lane, for one question: is there a session for this node?

use crate::clock::Clock;
use crate::lane::{Dialer, Owner, Read, Way, Write};
use crate::websocket::Target;
use async_channel::Sender;
use edgehub_core::hub::{keepalive_message, session_question};
use edgehub_core::rng::Rng;
use edgehub_core::{Config, UnixMillis};
use rustls::ClientConfig;
use smol::Timer;
use smol::future::or;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialError {
    /// The link could not be opened.
    Open {
        /// The step of [`Target::steps`] at which the way ended.
        step: &'static str,
        /// Why, in one line.
        why: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The link ended, in words.
    Ended(String),
    /// The cloud did not answer.
    Unanswered {
        /// What it was asked for.
        resource: String,
        /// The time it had.
        limit: Duration,
    },
}

impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrialError::Open { why, .. } => f.write_str(why),
            TrialError::Ended(why) => write!(
                f,
                "the cloud closed the link at once ({why}): another hub of this node runs, or CloudHub turns it away"
            ),
            TrialError::Unanswered { resource, limit } => write!(
                f,
                "the cloud does not answer for {resource} within {} s: it has no session for this node",
                limit.as_secs_f64()
            ),
        }
    }
}

impl std::error::Error for TrialError {}

/// Opens a link, says that the node lives, and asks for `resource`, which CloudHub answers by itself; closes the link again.
/// Returns the time at which the cloud answered, by its clock.
pub async fn try_session(
    target: &Target,
    tls: Arc<ClientConfig>,
    resource: &str,
    limit: Duration,
) -> Result<UnixMillis, TrialError> {
    let way = Way::to(target);
    let opened = Dialer::new(&Config::default(), &[], true).open(&way, tls).await;
    let opened = opened.map_err(|error| TrialError::Open {
        step: error.step(),
        why: error.to_string().replace('\n', " "),
        remedy: error.remedy(),
    })?;
    let mut rng = Rng::new(fastrand::u64(..));
    let (first, second) = (rng.uuid(), rng.uuid());
    let now = Clock::start().now().wall;
    let drafts = [keepalive_message(first.as_str(), now), session_question(second.as_str(), now, resource)];
    let form = way.form();
    let batch: Vec<Write> =
        drafts.iter().filter_map(|draft| draft.encode().ok()).map(|message| form.write(message)).collect();
    let (writes, batches) = async_channel::unbounded();
    let _ = writes.try_send(batch);
    let (found, answers) = async_channel::bounded(1);
    let link = async {
        opened.run(batches, Listener { question: second.as_str().into(), found }).await;
        answers.try_recv().unwrap_or_else(|_| Err(TrialError::Ended("without a word".into())))
    };
    let answer = async {
        match answers.recv().await {
            Ok(answer) => answer,
            // The link's own end says it.
            Err(_) => smol::future::pending().await,
        }
    };
    let late = async {
        Timer::after(limit).await;
        Err(TrialError::Unanswered { resource: resource.into(), limit })
    };
    or(answer, or(link, late)).await
}

/// Waits for the answer.
struct Listener {
    question: Box<str>,
    found: Sender<Result<UnixMillis, TrialError>>,
}

impl Owner for Listener {
    async fn read(&self, batch: Vec<Read>) -> bool {
        for read in batch {
            let found = match read {
                Read::Message(message) if message.parent_msg_id() == &*self.question => {
                    Ok(message.timestamp())
                }
                Read::Ended(why) => Err(TrialError::Ended(why)),
                _ => continue,
            };
            let _ = self.found.try_send(found);
            return false;
        }
        true
    }

    fn flushed(&self, _: usize, _: usize) {}
}
