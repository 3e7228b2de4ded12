//! A link over either version of TLS that a CloudHub may speak, with a certificate that has no name but its subject's.

use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use edgehub::Options;
use edgehub::loopback::{Loopback, PROJECT};
use edgehub::websocket::Target;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use std::sync::Arc;

fn a_link_works_over(version: &'static SupportedProtocolVersion) {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let ticket = loopback.ticket(server.address(), NODE).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ticket.ca.as_bytes()).unwrap()).unwrap();
        let own = CertificateDer::from_pem_slice(ticket.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(ticket.key.as_bytes()).unwrap();
        let tls = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![own], key)
            .unwrap();
        let target = Target::new(format!("wss://{}", ticket.address), PROJECT, NODE);
        let edge = Edge::with(Options::new(config(), vec![target], Arc::new(tls)));
        edge.link_up().await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        assert_eq!(server.receive().await.unwrap().1.resource(), "x");
        edge.stop().await;
    });
}

#[test]
fn a_link_works_over_tls_1_2() {
    a_link_works_over(&version::TLS12);
}

#[test]
fn a_link_works_over_tls_1_3() {
    a_link_works_over(&version::TLS13);
}
