//! What can go wrong, one family per file. A family is data: the verbs that a scenario may use, their parameters, and
//! what each does to the world. A new family is a file here and a line in the catalogue.

pub(crate) mod clock;
pub(crate) mod closing;
pub(crate) mod cloud;
pub(crate) mod control;
pub(crate) mod delay;
pub(crate) mod disk;
pub(crate) mod driver;
pub(crate) mod edge;
pub(crate) mod endpoints;
pub(crate) mod epochs;
pub(crate) mod framing;
pub(crate) mod hostile;
pub(crate) mod modules;
pub(crate) mod opening;
pub(crate) mod pressure;
pub(crate) mod renewal;
pub(crate) mod silence;
pub(crate) mod udp;

use crate::scenario::Parameter;
use crate::scenario::verb::word;

/// `both`, `up` or `down`.
const WAYS: Parameter = word("way", &["both", "up", "down"]);

/// `up` or `down`.
const WAY: Parameter = word("way", &["up", "down"]);

/// Where a module stands among the node's.
const MODULE: Parameter = word("module", &crate::world::MODULES);
