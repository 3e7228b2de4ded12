//! Certificates and requests as KubeEdge makes them, in Go: those of the recordings, all of them.

use super::facts;
use super::tests::{posted, with_service};
use bytes::Bytes;
use data_encoding::BASE64;
use edgehub_core::identity::JoinToken;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const YEAR: i64 = 365 * 86_400;
/// In the middle of the recordings, in seconds of the Unix era.
const RECORDED: u64 = 1_795_418_000;

/// What was recorded.
#[derive(Default)]
struct Recorded {
    /// The authority's certificate, as `/ca.crt` gave it.
    authorities: BTreeSet<Vec<u8>>,
    /// What `/edge.crt` gave, and what was shown in handshakes.
    leaves: BTreeSet<Vec<u8>>,
    requests: BTreeSet<Vec<u8>>,
}

fn recorded() -> Recorded {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/recordings");
    let mut found = Recorded::default();
    for name in ["01-session", "02-keepalive-timeout", "03-cert-rotation"] {
        let text = std::fs::read_to_string(folder.join(name).with_extension("jsonl")).unwrap();
        // Which request an answer belongs to: the latest of its connection.
        let mut asked = std::collections::BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let event: Value = serde_json::from_str(line).unwrap();
            let connection = event["conn"].as_u64();
            let der = |value: &Value| BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap();
            for shown in event["peer_certs"].as_array().into_iter().flatten() {
                found.leaves.insert(der(&shown["der_b64"]));
            }
            match event["type"].as_str() {
                Some("http_request") => {
                    asked.insert(connection, event["head"].as_str().unwrap().to_owned());
                    if event["body_len"] != 0 {
                        found.requests.insert(der(&event["body_b64"]));
                    }
                }
                Some("http_response") if event["head"].as_str().unwrap().contains(" 200 ") => {
                    let is_authority = asked[&connection].starts_with("GET /ca.crt");
                    let kind = if is_authority { &mut found.authorities } else { &mut found.leaves };
                    kind.insert(der(&event["body_b64"]));
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn every_recorded_certificate_is_understood_and_of_its_authority() {
    let recorded = recorded();
    let roots: Vec<Bytes> = recorded.authorities.iter().map(|der| Bytes::copy_from_slice(der)).collect();
    assert_eq!(roots.len(), 1);
    let authority = facts::of(&roots[0], None, &roots).unwrap();
    assert!(authority.is_authority && authority.node.is_none(), "{authority:?}");
    // A hundred years less some days: as long as Go writes it, with a year of four digits in another form.
    let life = authority.validity.not_after - authority.validity.not_before;
    assert!(life > 99 * YEAR, "{life}");
    for per_mille in [700, 900] {
        let at = authority.validity.point(per_mille) / 1000 - authority.validity.not_before;
        assert_eq!(at, (life + 1) * per_mille as i64 / 1000);
    }
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from(&roots[0][..])).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap();
    let (mut nodes, mut servers) = (0, 0);
    for der in &recorded.leaves {
        let facts = facts::of(der, None, &roots).unwrap();
        assert!(!facts.is_authority, "{facts:?}");
        if facts.node.is_some() {
            let signed_by = facts.signed_by.map(|signer| signer.digest);
            assert_eq!((facts.node.as_deref(), signed_by), (Some("edge-1"), Some(authority.digest)));
            nodes += 1;
            continue;
        }
        let at = UnixTime::since_unix_epoch(Duration::from_secs(RECORDED));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        verifier.verify_server_cert(&CertificateDer::from(&der[..]), &[], &name, &[], at).unwrap();
        servers += 1;
    }
    assert!(nodes >= 2 && servers >= 1, "{nodes} {servers}");
}

#[test]
fn every_recorded_request_is_answered_by_our_service() {
    let requests = recorded().requests;
    assert!(requests.len() >= 2, "one to join, and one to renew");
    with_service(async |authority, tokens, service| {
        let token = JoinToken::parse(&tokens.token(authority, Duration::from_secs(60))).unwrap();
        for request in requests {
            let request = Bytes::from(request);
            let answer = posted(&service, authority, token.jwt(), request).await.unwrap();
            let node = answer.certificate.and_then(|certificate| certificate.node);
            assert_eq!((answer.status, node.as_deref()), (200, Some("edge-1")));
        }
    });
}
