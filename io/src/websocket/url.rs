//! Where a link leads: `wss://HOST:PORT/{project}/{node}/events`, taken apart from it and put together.

use async_tungstenite::tungstenite::http::Uri;
use rustls_pki_types::ServerName;

use super::ConnectError;

/// The port of `wss` when the address names none.
const DEFAULT_PORT: u16 = 443;

/// An address, checked and completed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Host name, or IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What the peer's certificate must be valid for.
    pub(super) server_name: ServerName<'static>,
    /// The complete URL, path included.
    pub(super) url: String,
}

/// Takes the configured address apart.
///
/// A path that ends in `/events` is used as it is; to any other path the project, the node and `events` are appended.
pub(super) fn parse(url: &str, project: &str, node: &str) -> Result<Address, ConnectError> {
    let bad = |problem: String| ConnectError::BadUrl { url: url.to_owned(), problem };
    let uri: Uri = url.trim().parse().map_err(|error| bad(format!("it is no URL ({error})")))?;
    match uri.scheme_str() {
        Some("wss") => {}
        Some(other) => return Err(bad(format!("the scheme must be `wss` and is `{other}`"))),
        None => return Err(bad("it must start with `wss://`".into())),
    }
    let authority = uri.authority().ok_or_else(|| bad("it names no host".into()))?;
    if authority.as_str().contains('@') {
        return Err(bad("it must not contain a user name".into()));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let server_name = ServerName::try_from(host.to_owned())
        .map_err(|_| bad(format!("`{host}` is neither a host name nor an IP address")))?;
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None if authority.as_str().ends_with(authority.host()) => DEFAULT_PORT,
        None => return Err(bad("the port must be a number from 1 to 65535".into())),
    };
    if port == 0 {
        return Err(bad("the port must be a number from 1 to 65535".into()));
    }
    let path = uri.path().trim_end_matches('/');
    let path = if path.ends_with("/events") {
        path.to_owned()
    } else {
        for (what, value) in [("project id", project), ("node name", node)] {
            if !is_plain_name(value) {
                return Err(bad(format!("the {what} `{value}` cannot be part of a URL")));
            }
        }
        format!("{path}/{project}/{node}/events")
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok(Address { host: host.to_owned(), port, server_name, url: format!("wss://{authority}{path}{query}") })
}

/// Completes a configured address without connecting to it, to check a configuration: the URL that
/// [`connect`](super::connect) would use.
pub fn complete_url(url: &str, project_id: &str, node: &str) -> Result<String, ConnectError> {
    parse(url, project_id, node).map(|address| address.url)
}

/// Host and port of a configured address; `None` if it is none.
pub fn host_and_port(url: &str) -> Option<(String, u16)> {
    let address = parse(url, "project", "node").ok()?;
    Some((address.host, address.port))
}

/// The project and the node that a URL's path `/{project}/{node}/events` names, when it has that form.
pub fn names_in_url(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.trim().parse().ok()?;
    let (project, node) = project_and_node(uri.path().trim_end_matches('/'))?;
    Some((project.to_owned(), node.to_owned()))
}

/// Project and node from a request's path `/{project}/{node}/events`, when it has that form.
pub(super) fn project_and_node(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let (project, node) = (parts.next()?, parts.next()?);
    (parts.next() == Some("events") && parts.next().is_none() && !project.is_empty() && !node.is_empty())
        .then_some((project, node))
}

/// Whether the text stands for itself in a path and in a header: Kubernetes names always do.
pub(crate) fn is_plain_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<(&str, u16, &str), &str>) {
        match (parse(url, "project", "edge-1"), expected) {
            (Ok(address), Ok(expected)) => {
                assert_eq!((address.host.as_str(), address.port, address.url.as_str()), expected);
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}: no `{words}`"),
            (outcome, expected) => panic!("{url}: {outcome:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn addresses_are_completed() {
        let events = "wss://127.0.0.1:10000/project/edge-1/events";
        check("wss://127.0.0.1:10000", Ok(("127.0.0.1", 10000, events)));
        check("wss://127.0.0.1:10000/", Ok(("127.0.0.1", 10000, events)));
        check(" wss://127.0.0.1:10000\n", Ok(("127.0.0.1", 10000, events)));
        check("wss://h:1/p/n/events", Ok(("h", 1, "wss://h:1/p/n/events")));
        check("wss://h:1/p/n/events/", Ok(("h", 1, "wss://h:1/p/n/events")));
        check("wss://h:1/gateway", Ok(("h", 1, "wss://h:1/gateway/project/edge-1/events")));
        check("wss://h:1/p/n/events?a=b", Ok(("h", 1, "wss://h:1/p/n/events?a=b")));
        check("wss://cloud.example", Ok(("cloud.example", 443, "wss://cloud.example/project/edge-1/events")));
        check("wss://[::1]:10000", Ok(("::1", 10000, "wss://[::1]:10000/project/edge-1/events")));
        check("wss://[::1]", Ok(("::1", 443, "wss://[::1]/project/edge-1/events")));
    }

    #[test]
    fn urls_are_checked_without_connecting() {
        assert_eq!(complete_url("wss://h:1", "p", "n").unwrap(), "wss://h:1/p/n/events");
        assert!(complete_url("h:1", "p", "n").is_err());
        assert_eq!(names_in_url("wss://h:1/p/n/events/"), Some(("p".to_owned(), "n".to_owned())));
        assert_eq!(names_in_url("wss://h:1/events"), None);
        assert_eq!(names_in_url("\0"), None);
    }

    #[test]
    fn addresses_that_lead_nowhere_are_refused() {
        check("", Err("no URL"));
        check("127.0.0.1:10000", Err("wss://"));
        check("ws://127.0.0.1:10000", Err("`ws`"));
        check("wss://", Err("no URL"));
        check("wss://a b:1", Err("no URL"));
        check("wss://user@h:1", Err("user name"));
        check("wss://h:99999", Err("port"));
        check("wss://h:0", Err("port"));
        check("wss://-:1", Err("neither a host name"));
    }

    #[test]
    fn names_that_would_change_the_path_are_refused() {
        for name in ["", "a/b", "a?b", "a b", "ä"] {
            let error = parse("wss://h:1", "project", name).unwrap_err();
            assert!(error.to_string().contains("node name"), "{error}");
            parse("wss://h:1/p/n/events", "project", name).expect("the path is given");
        }
    }

    #[test]
    fn paths_name_project_and_node() {
        assert_eq!(project_and_node("/p/n/events"), Some(("p", "n")));
        for path in ["", "/", "/p/n", "/p/n/event", "/p/n/events/", "//n/events", "/p//events", "p/n/events"]
        {
            assert_eq!(project_and_node(path), None, "{path}");
        }
    }
}
