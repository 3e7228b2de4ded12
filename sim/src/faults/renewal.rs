//! The node gets another certificate, in any phase of its link: the link is left for it, or a dial begins anew.

use crate::catalogue::Family;
use crate::scenario::{Subject, Verb};
use edgehub_core::Input;

pub(crate) const FAMILY: Family = Family { name: "renewal", verbs: &[RENEW] };

const RENEW: Verb = Verb {
    name: "renew",
    subject: Subject::Node,
    parameters: &[],
    act: |world, call| world.edge_handle(call.node, Input::Renewed),
};
