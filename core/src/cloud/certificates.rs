//! What a certificate service answers: who gets a certificate, and who is told why not.
//!
//! Behaviour: KubeEdge `cloud/pkg/cloudhub/servers/httpserver`, less two holes of it: that one signs whatever subject a request
//! names, an administrator's included, and renews for another node than the one whose certificate is shown. Here both are
//! refused, so that a token or a certificate is worth one node and no more.

use alloc::borrow::Cow;
use alloc::format;

/// What came, as far as the answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateQuestion<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The token, if the header `Authorization: Bearer` is there.
    pub token: TokenWorth,
    /// The header `NodeName`.
    pub node_name: Option<&'a str>,
    /// The certificate that the client showed in the handshake, if it did: the node that it speaks for, if for one.
    pub shown: Option<Option<&'a str>>,
    /// Whether the header `ExtKeyUsages`, if there is one, can be read. What it asks for is not looked at: a node's certificate is
    /// for a client.
    pub usages_are_read: bool,
    /// The body.
    pub request: SigningRequest<'a>,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenWorth {
    /// There is none.
    Absent,
    /// It is none of ours.
    Forged,
    /// It was good once.
    Expired,
    /// It is good.
    Good,
}

/// What a body is as a request for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningRequest<'a> {
    /// There is no body.
    Empty,
    /// It is longer than is read.
    TooLong,
    /// It is no PKCS#10 in DER, or its signature is wrong.
    Unreadable,
    /// It asks for a subject that is not `O=system:nodes, CN=system:node:NAME`.
    OfNobody,
    /// It asks for a node's certificate.
    Of(&'a str),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateDecision<'a> {
    /// The authority's own certificate.
    Authority,
    /// A certificate for this node and the key of the request.
    Sign {
        /// The node.
        node: &'a str,
    },
    /// An HTTP error.
    Refuse {
        /// The status.
        status: u16,
        /// Why, as plain text.
        why: Cow<'static, str>,
    },
}

/// Decides.
pub fn decide<'a>(question: &CertificateQuestion<'a>) -> CertificateDecision<'a> {
    match (question.path, question.method) {
        ("/ca.crt", "GET") => CertificateDecision::Authority,
        ("/edge.crt", "GET") => certificate(question),
        ("/ca.crt" | "/edge.crt", _) => refuse(405, "only GET is answered here"),
        _ => refuse(404, "there are /ca.crt and /edge.crt"),
    }
}

fn certificate<'a>(question: &CertificateQuestion<'a>) -> CertificateDecision<'a> {
    // Who shows a certificate renews; a token is not looked at then.
    let shown = match (question.shown, question.token) {
        (Some(None), _) => return refuse(401, "the certificate shown is not one of a node"),
        (Some(Some(node)), _) => Some(node),
        (None, TokenWorth::Good) => None,
        (None, TokenWorth::Absent) => return refuse(401, "a token is needed: Authorization: Bearer TOKEN"),
        (None, TokenWorth::Forged) => return refuse(401, "the token is not one of this cloud"),
        (None, TokenWorth::Expired) => return refuse(401, "the token has expired"),
    };
    if !question.usages_are_read {
        return refuse(500, "the header ExtKeyUsages must be a list of numbers");
    }
    let node = match question.request {
        SigningRequest::Empty => {
            return refuse(500, "the body must be a certificate request (PKCS#10 in DER)");
        }
        SigningRequest::TooLong => return refuse(500, "the certificate request is too long"),
        SigningRequest::Unreadable => {
            return refuse(500, "the certificate request cannot be read; it must be PKCS#10 in DER, not PEM");
        }
        SigningRequest::OfNobody => {
            return refuse(403, "the subject must be O=system:nodes, CN=system:node:NAME");
        }
        SigningRequest::Of(node) => node,
    };
    if let Some(named) = question.node_name.filter(|named| *named != node) {
        return refuse(403, format!("the header NodeName says {named}, the request {node}"));
    }
    if let Some(shown) = shown.filter(|shown| *shown != node) {
        return refuse(403, format!("the certificate of {shown} cannot renew that of {node}"));
    }
    CertificateDecision::Sign { node }
}

fn refuse(status: u16, why: impl Into<Cow<'static, str>>) -> CertificateDecision<'static> {
    CertificateDecision::Refuse { status, why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOIN: CertificateQuestion<'_> = CertificateQuestion {
        method: "GET",
        path: "/edge.crt",
        token: TokenWorth::Good,
        node_name: Some("edge-1"),
        shown: None,
        usages_are_read: true,
        request: SigningRequest::Of("edge-1"),
    };
    const RENEW: CertificateQuestion<'_> =
        CertificateQuestion { token: TokenWorth::Absent, shown: Some(Some("edge-1")), ..JOIN };

    /// The status of the answer; 200 for what is not refused.
    fn check(question: CertificateQuestion<'_>, status: u16) {
        let decision = decide(&question);
        match &decision {
            CertificateDecision::Refuse { status: refused, why } => {
                assert_eq!(*refused, status, "{question:?}");
                assert!(!why.is_empty());
            }
            CertificateDecision::Sign { node } => {
                assert_eq!((status, *node), (200, "edge-1"), "{question:?}")
            }
            CertificateDecision::Authority => assert_eq!((status, question.path), (200, "/ca.crt")),
        }
    }

    #[test]
    fn everybody_gets_the_authority() {
        let ask = CertificateQuestion { path: "/ca.crt", token: TokenWorth::Forged, ..JOIN };
        check(ask, 200);
        check(CertificateQuestion { method: "POST", ..ask }, 405);
        check(CertificateQuestion { path: "/", ..ask }, 404);
    }

    #[test]
    fn a_token_is_good_for_a_node() {
        check(JOIN, 200);
        check(CertificateQuestion { node_name: None, ..JOIN }, 200);
        check(CertificateQuestion { method: "POST", ..JOIN }, 405);
        for token in [TokenWorth::Absent, TokenWorth::Forged, TokenWorth::Expired] {
            check(CertificateQuestion { token, ..JOIN }, 401);
        }
        check(CertificateQuestion { node_name: Some("edge-2"), ..JOIN }, 403);
    }

    #[test]
    fn a_certificate_is_good_for_its_own_node() {
        check(RENEW, 200);
        check(
            CertificateQuestion { request: SigningRequest::Of("edge-2"), node_name: Some("edge-2"), ..RENEW },
            403,
        );
        check(CertificateQuestion { node_name: Some("edge-2"), ..RENEW }, 403);
        check(CertificateQuestion { shown: Some(None), ..RENEW }, 401);
        // A good token does not help whoever shows the wrong certificate.
        check(CertificateQuestion { shown: Some(Some("edge-2")), ..JOIN }, 403);
        check(CertificateQuestion { token: TokenWorth::Expired, ..RENEW }, 200);
    }

    #[test]
    fn an_unreadable_or_foreign_request_is_refused() {
        for question in [JOIN, RENEW] {
            check(CertificateQuestion { usages_are_read: false, ..question }, 500);
            for (request, status) in [
                (SigningRequest::Empty, 500),
                (SigningRequest::TooLong, 500),
                (SigningRequest::Unreadable, 500),
                (SigningRequest::OfNobody, 403),
            ] {
                check(CertificateQuestion { request, ..question }, status);
            }
        }
        // Nobody without a token learns what is wrong with a request.
        check(CertificateQuestion { token: TokenWorth::Absent, request: SigningRequest::Empty, ..JOIN }, 401);
    }
}
