//! Whom an upgrade request is from, and whether it may pass: a decision over headers and path, without any socket.

use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request};
use async_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::url;

/// What a request says about its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) node: String,
    pub(super) project: String,
    pub(super) connection_use: Option<String>,
}

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: String,
}

/// Judges a request, given the node that the client's certificate names.
pub(super) fn judge(request: &Request, certificate_node: Option<&str>) -> Result<Claim, Refusal> {
    let headers = request.headers();
    if let Some(origin) = foreign_origin(headers) {
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            reason: format!("origin {origin} is not allowed"),
        });
    }
    let claim = claim(headers, request.uri())?;
    match certificate_node {
        Some(node) if node != claim.node => Err(Refusal {
            status: StatusCode::FORBIDDEN,
            reason: format!("the certificate is of node {node} and the request of node {}", claim.node),
        }),
        _ => Ok(claim),
    }
}

impl Refusal {
    /// The HTTP answer, with the reason as its body.
    pub(super) fn response(self) -> ErrorResponse {
        let mut response = ErrorResponse::new(None);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.reason.len()));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        *response.body_mut() = Some(self.reason);
        response
    }
}

fn claim(headers: &HeaderMap, uri: &Uri) -> Result<Claim, Refusal> {
    let path = url::project_and_node(uri.path());
    let node = text(headers, "node_id").or(path.map(|(_, node)| node));
    let project = text(headers, "project_id").or(path.map(|(project, _)| project));
    let Some(node) = node else {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            reason: "no node: send the header node_id, or the path /{project}/{node}/events".into(),
        });
    };
    Ok(Claim {
        node: node.to_owned(),
        project: project.unwrap_or_default().to_owned(),
        connection_use: text(headers, "ConnectionUse").map(str::to_owned),
    })
}

/// A header's value; an empty or unprintable one counts as absent.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

/// The `Origin`, if it is there and is not this host: only a browser on somebody else's page sends such a one.
fn foreign_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?;
    let host = text(headers, "host");
    let own = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok())
        .and_then(|origin| Some(origin.authority()?.as_str().eq_ignore_ascii_case(host?)));
    (own != Some(true)).then(|| String::from_utf8_lossy(origin.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [(&str, &str); 3] = [("node_id", "edge-1"), ("Project_ID", "p"), ("ConnectionUse", "msg")];

    fn check(
        path: &str,
        headers: &[(&'static str, &str)],
        certificate: Option<&str>,
        expected: Result<(&str, &str, Option<&str>), (u16, &str)>,
    ) {
        let mut request = Request::new(());
        *request.uri_mut() = path.parse().unwrap();
        request.headers_mut().insert("host", HeaderValue::from_static("cloud:10000"));
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            request.headers_mut().insert(
                header::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        match (judge(&request, certificate), expected) {
            (Ok(claim), Ok(expected)) => assert_eq!(
                (claim.node.as_str(), claim.project.as_str(), claim.connection_use.as_deref()),
                expected
            ),
            (Err(refusal), Err((status, words))) => {
                assert_eq!(refusal.status.as_u16(), status);
                assert!(refusal.reason.contains(words), "{} should say `{words}`", refusal.reason);
                let length = refusal.reason.len();
                let response = refusal.response();
                assert_eq!(response.headers()["content-length"], length.to_string());
            }
            (outcome, expected) => panic!("{path}: {outcome:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn headers_name_the_node_and_the_path_stands_in() {
        check("/", &BOTH, Some("edge-1"), Ok(("edge-1", "p", Some("msg"))));
        check("/q/edge-2/events", &BOTH, None, Ok(("edge-1", "p", Some("msg"))));
        check("/q/edge-2/events", &[], Some("edge-2"), Ok(("edge-2", "q", None)));
        check("/q/edge-2/events", &[("node_id", " ")], None, Ok(("edge-2", "q", None)));
        check("/x", &[("node_id", "edge-1")], None, Ok(("edge-1", "", None)));
    }

    #[test]
    fn a_request_without_a_node_is_bad() {
        check("/", &[], Some("edge-1"), Err((400, "node_id")));
        check("/q/edge-2", &[("project_id", "p")], None, Err((400, "/{project}/{node}/events")));
    }

    #[test]
    fn a_node_must_come_with_its_own_certificate() {
        check("/", &BOTH, Some("edge-2"), Err((403, "edge-2")));
        check("/q/edge-2/events", &[], Some("edge-1"), Err((403, "edge-1")));
    }

    #[test]
    fn a_foreign_origin_is_refused() {
        let with = |origin| [("origin", origin), ("node_id", "edge-1")];
        check("/", &with("https://evil.example"), None, Err((403, "evil.example")));
        check("/", &with("null"), None, Err((403, "null")));
        check("/", &with("https://cloud"), None, Err((403, "cloud")));
        check("/", &with("https://Cloud:10000"), None, Ok(("edge-1", "", None)));
    }
}
