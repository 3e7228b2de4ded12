//! A scenario: everything that happens in a run, written out, so that it can be read, edited and made smaller.
//!
//! A scenario has a head (how many nodes, for how long, which settings) and a list of [`Action`]s, each at its time:
//! what modules and the cloud send, and what goes wrong. Nothing else is decided by chance: what an action leaves open
//! (the latency of a frame, the seed of a hub) follows from the salt and from whom it is about, never from what happened
//! before, so that an action that is taken out disturbs no other one.
//!
//! | file | its one job |
//! |---|---|
//! | `verb` | what an action can be, as data: its name, its parameters, what it does |
//! | `settings` | what a head can set, as data |
//! | `text`, `parse` | the readable form, both ways |

pub(crate) mod parse;
pub(crate) mod settings;
mod text;
pub(crate) mod verb;

pub use parse::ParseError;
pub use verb::{Action, Kind, PARAMETERS_MAX, Parameter, Subject, Verb};

use edgehub_core::Config;
use edgehub_core::cloud::CloudConfig;
use std::time::Duration;

/// What every file begins with.
const VERSION_LINE: &str = "edgehub-scenario 1";

const LATENCY_KEY: &str = "latency";

const STREAMS_KEY: &str = "streams-apart";

const CLOUDS_KEY: &str = "clouds";

/// Nodes of one scenario.
pub const NODES_MAX: usize = 256;

/// CloudHubs of one scenario.
pub const CLOUDS_MAX: usize = 4;

/// The trouble of a scenario lasts at most this long. What follows has bounds of its own.
pub const DURATION_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Everything that happens in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it shows, in a word or two.
    pub name: String,
    /// Decides what the actions leave open.
    pub salt: u64,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many CloudHubs there are. A node's endpoints lead to one after another.
    pub clouds: usize,
    /// How long the trouble lasts, before everything is healed.
    pub duration: Duration,
    /// It ends with a shutdown in the middle of the trouble, not after it.
    pub ends_unhealed: bool,
    /// The longest time that a frame takes to the other side, when nothing is wrong.
    pub latency: Duration,
    /// How far one stream of a link may be behind the other, if links have several; zero for links of one.
    pub streams_apart: Duration,
    /// Settings of every hub.
    pub edge: Config,
    /// Settings of CloudHub.
    pub cloud: CloudConfig,
    /// What happens, in order of time.
    pub actions: Vec<Action>,
}

impl Scenario {
    /// Nothing happens for so long.
    pub fn quiet(name: &str, duration: Duration) -> Scenario {
        Scenario {
            name: name.to_string(),
            salt: 0,
            nodes: 1,
            clouds: 1,
            duration,
            ends_unhealed: false,
            latency: settings::LATENCY,
            streams_apart: Duration::ZERO,
            edge: Config::default(),
            cloud: CloudConfig::default(),
            actions: Vec::new(),
        }
    }

    /// Puts the actions in order of time; those of one moment keep theirs.
    pub fn sort(&mut self) {
        self.actions.sort_by_key(|action| action.at);
    }
}
