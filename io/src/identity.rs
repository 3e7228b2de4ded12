//! A node's certificate: the core's certificate machine on real files, keys and HTTPS.
//!
//! | file | its one job |
//! |---|---|
//! | `driver` | runs the machine |
//! | `service` | one request to a certificate service, over a connection that is there already |
//! | `http` | HTTP/1.1, as little as is needed, bounded |
//! | `facts` | what the machine wants to know of a certificate |
//! | `key` | keys and requests for certificates |
//! | `store`, `store/*` | the files: a pair is replaced as a whole, or not at all |

mod driver;
pub(crate) mod facts;
pub(crate) mod http;
mod key;
mod service;
mod store;

pub use driver::{IdentityDriver, IdentityWatch, TokenSource, Told};
pub use service::Service;
pub(crate) use store::layer;
pub use store::layer::{Disk, Layer};
pub use store::{Look, NewFiles, Seen, Store};

#[cfg(test)]
mod go_made;
#[cfg(test)]
mod tests;
