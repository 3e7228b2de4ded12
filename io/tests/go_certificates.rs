//! Links with certificates and keys as a CloudHub in Go makes them: an authority without name constraints and for a hundred
//! years, a node's certificate without any alternative name, keys in SEC1; over either version of TLS.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use data_encoding::BASE64;
use edgehub::core::Config;
use edgehub::server::{CloudServer, ServerOptions};
use edgehub::tls::{self, ClientFiles};
use edgehub::websocket::Target;
use edgehub::{EdgeHub, Options};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose as Usage, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

/// A certificate for a subject, as `x509.CreateCertificate` makes it of KubeEdge's templates.
fn params(subject: &[(DnType, &str)], usages: &[Usage], names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = usages.to_vec();
    (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2126, 7, 22));
    params.use_authority_key_identifier_extension = true;
    params
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> =
        BASE64.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A key as `x509.MarshalECPrivateKey` writes it: with the name of its curve.
fn sec1(key: &KeyPair) -> Vec<u8> {
    const OF_P256: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let pkcs8 = key.serialize_der();
    let at = pkcs8.windows(5).position(|bytes| bytes == [0x02, 0x01, 0x01, 0x04, 0x20]).unwrap();
    let (begin, public) = (&pkcs8[at..at + 5 + 32], key.der_bytes());
    [&[0x30, 0x77], begin, &OF_P256, &[0xa1, 0x44, 0x03, 0x42, 0x00], public].concat()
}

/// The files of the node and of the cloud, in two directories.
fn files(dir: &Path) -> [ClientFiles; 2] {
    let key = KeyPair::generate().unwrap();
    let mut authority =
        params(&[(DnType::CommonName, "KubeEdge")], &[Usage::ServerAuth, Usage::ClientAuth], &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages.push(KeyUsagePurpose::KeyCertSign);
    authority.serial_number = Some(SerialNumber::from(1024));
    let ca = authority.self_signed(&key).unwrap();
    let issuer = Issuer::new(authority, key);
    let node = [(DnType::OrganizationName, "system:nodes"), (DnType::CommonName, "system:node:edge-1")];
    let cloud = [(DnType::OrganizationName, "KubeEdge"), (DnType::CommonName, "KubeEdge")];
    [
        ("node", params(&node, &[Usage::ClientAuth], &[])),
        ("cloud", params(&cloud, &[Usage::ServerAuth], &["localhost", "127.0.0.1"])),
    ]
    .map(|(who, params)| {
        let path = |name: &str| dir.join(format!("{who}-{name}"));
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &issuer).unwrap();
        let files = ClientFiles { ca: path("ca.crt"), certificate: path("own.crt"), key: path("own.key") };
        fs::write(&files.ca, pem("CERTIFICATE", ca.der())).unwrap();
        fs::write(&files.certificate, pem("CERTIFICATE", own.der())).unwrap();
        fs::write(&files.key, pem("EC PRIVATE KEY", &sec1(&key))).unwrap();
        files
    })
}

/// A cloud that speaks one version of TLS.
fn speaks(files: &ClientFiles, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.ca).unwrap()).unwrap();
    let nodes = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let own = vec![CertificateDer::from_pem_file(&files.certificate).unwrap()];
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(nodes.build().unwrap())
        .with_single_cert(own, PrivateKeyDer::from_pem_file(&files.key).unwrap())
        .unwrap();
    Arc::new(config)
}

/// A message comes to a cloud with this configuration.
fn serves(node: &ClientFiles, cloud: Arc<ServerConfig>) {
    smol::block_on(async {
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let (server, driver) = CloudServer::bind(any_port, ServerOptions::new(cloud)).await.unwrap();
        smol::spawn(driver.run()).detach();
        let target = Target::new(format!("wss://{}", server.address()), "project", "edge-1");
        let options = Options::new(Config::default(), vec![target], tls::client_config(node).unwrap());
        let (hub, driver) = EdgeHub::new(options);
        let driver = smol::spawn(driver.run());
        let module = hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        let (name, message) = server.receive().await.unwrap();
        assert_eq!((name.as_str(), message.resource()), ("edge-1", "x"));
        hub.shutdown().await.unwrap();
        driver.await;
    });
}

#[test]
fn a_link_works_over_either_version_of_tls() {
    let dir = tempfile::tempdir().unwrap();
    let [node, cloud] = files(dir.path());
    let pair = tls::pair_on_disk(&node).unwrap();
    assert!(pair.is_matching);
    assert!(pair.root_validities()[0].not_after > 4_900_000_000, "in the next century");
    for version in [&version::TLS12, &version::TLS13] {
        serves(&node, speaks(&cloud, version));
    }
    // And with our own cloud.
    serves(&node, tls::server_config(&cloud).unwrap());
}
