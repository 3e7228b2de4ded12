//! Opening a link fails: refused, name not found, TLS failure, nothing, success after the hub has given up, the end in
//! the middle of it, the end right after it, or a session that is none.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{DialPlan, World};

pub(crate) const FAMILY: Family = Family { name: "opening", verbs: &[DIAL] };

pub(crate) const DIAL: Verb = Verb {
    name: "dial",
    subject: Subject::Node,
    parameters: &[word("ends", &DialPlan::OUTCOMES), count("times", 1, 10), time("after", 0, 10_000)],
    act: dial,
};

/// The next dials end like this.
fn dial(world: &mut World, call: &Call) -> Effect {
    let [outcome, times, ..] = call.values;
    let plan = DialPlan { outcome, after: call.time(2) };
    world.edges[call.node].dials.extend((0..times).map(|_| plan));
    // Each strikes when its turn comes.
    Ok(false)
}
