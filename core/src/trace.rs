//! The flight recorder: a file that holds exactly what a hub was told, and from which everything it did follows again.
//!
//! A [`Recorder`] listens to a driver: it writes down every [`Input`](crate::Input) with its time, and a digest of the
//! outputs. A [`Trace`] reads such a file; a [`Replay`] feeds its inputs to the real [`Hub`](crate::Hub) and compares.
//! Outputs and notes are not in the file: the replay makes them again, and the analyses ([`explain`], [`stats`],
//! [`state`], [`export`], [`mod@diff`], [`cut`]) watch it.
//!
//! # What is not in the file
//!
//! Unless the operator opts in ([`Contents::Kept`]), a content is its length and a hash, and so is no secret; header and
//! route fields are in the file as they were. Of a secret or a service account token no content is kept in any case, only its
//! length. The hash has a random key that is never written: equal contents of one
//! trace can be told from different ones, and guessing contents leads nowhere. It is not a cryptographic hash: whoever
//! can choose contents of the recorded node might learn the key. The replay runs with filler of the same length, which
//! makes no difference to a core that never looks into a content. Members that this version does not know lose their
//! values in the same way; their names stay.
//!
//! # The format
//!
//! Every number has a fixed width, little end first, or is a varint (seven bits a byte, low ones first; signed ones in
//! zigzag). Hashes of the file are XXH3-64; those of contents, ids and outputs are cheaper ones.
//!
//! | part | layout |
//! |---|---|
//! | head | `EHTRACE\n`, format version (2 bytes), length of the header (4), header: JSON ([`Header`]), hash of all before (8) |
//! | block | `EHBK`, kind (1), packing (1), length of the filter (2), unpacked and packed length (4, 4), number of its first record (8), records (4), monotonic time of the first (8), wall time of the first (8), monotonic time of the last (8), messages that were dropped meanwhile (4), longest that one was on its way (8), hash of the head up to here, filter and payload (8); then filter and payload |
//!
//! Blocks are of two kinds. *Records* begin with empty dictionaries, so that each can be read alone, and carry a Bloom
//! filter of the message ids in them; their heads say whether something was dropped or late ([`Summary`]), so that whoever looks
//! for that need not replay all of them. A *checkpoint* is the whole state of the hub between two records: from there a
//! replay can begin, after what a ring has dropped, after a damaged block, or near the moment that is asked for.
//! Payloads are LZ4 blocks, or plain where that is not much longer.
//!
//! | file | its one job |
//! |---|---|
//! | `recorder`, `ring` | writing, and keeping the newest part in memory |
//! | `reader`, `replay` | reading, and running again |
//! | `source`, `header`, `block`, `filter`, `summary` | where the bytes are, the parts of the file |
//! | `format` | the versions of the format |
//! | `record`, `template`, `wire` | one record, one message in it, one number |
//! | `digest`, `hash` | what the outputs were, in 64 bits; how they get there |
//! | `snapshot` | the state of a hub as bytes |
//! | `secret` | what is not kept even where contents are |
//! | `explain`, `stats`, `state`, `export`, `diff`, `cut`, `window`, `describe` | what can be asked |

mod block;
mod codebook;
pub mod cut;
pub mod describe;
pub mod diff;
mod digest;
pub mod explain;
pub mod export;
mod filter;
mod format;
mod hash;
mod header;
mod problem;
mod reader;
mod record;
mod recorder;
mod replay;
#[doc(hidden)]
pub mod reseal;
mod ring;
mod secret;
mod snapshot;
mod source;
pub mod state;
pub mod stats;
mod summary;
mod template;
#[cfg(test)]
mod tests;
pub mod what_if;
mod window;
mod wire;

pub use block::{Block, BlockKind, Packer};
pub use digest::Digest;
pub use format::{FORMAT_VERSION, OLDEST_FORMAT_VERSION};
pub use header::{Contents, Header, Start, Versions};
pub use problem::{Damage, Refusal};
pub use reader::{BlockPlace, Trace};
pub use record::Record;
pub use recorder::Recorder;
pub use replay::{Divergence, FalseSummary, Moment, Replay, ReplayError, Replayed, replay};
pub use ring::Ring;
pub use source::{ReadAt, Source};
pub use summary::{Summary, Untrue};
pub use window::window;
