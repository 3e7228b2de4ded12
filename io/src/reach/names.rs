//! The addresses of a name, looked up anew for every attempt: what it meant for the last one, it may mean no more.

use std::io;
use std::net::SocketAddr;

/// Looks up a host.
pub(crate) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    #[cfg(test)]
    if let Some(addresses) = table::addresses(host) {
        return Ok(addresses);
    }
    smol::net::resolve((host, port)).await
}

/// Names that a test gives, each its own.
#[cfg(test)]
pub(crate) mod table {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::sync::Mutex;

    static NAMES: Mutex<BTreeMap<String, Vec<SocketAddr>>> = Mutex::new(BTreeMap::new());

    /// From now on the name has these addresses.
    pub(crate) fn set(name: &str, addresses: &[SocketAddr]) {
        NAMES.lock().unwrap().insert(name.to_owned(), addresses.to_vec());
    }

    pub(super) fn addresses(name: &str) -> Option<Vec<SocketAddr>> {
        NAMES.lock().unwrap().get(name).cloned()
    }
}
