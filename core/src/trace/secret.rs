//! What no trace keeps, even where contents are kept: the contents of secrets.

use crate::message::Message;

/// Types of resources whose content is a secret, as KubeEdge names them in `namespace/type/name`.
const SECRET_TYPES: [&str; 2] = ["secret", "serviceaccounttoken"];

/// Whether a message is about a secret: by its resource, for a content decides nothing here.
pub(super) fn is_secret(message: &Message) -> bool {
    let mut segments = message.resource().split('/');
    segments.any(|segment| SECRET_TYPES.iter().any(|secret| segment.eq_ignore_ascii_case(secret)))
}
