//! Keys, made on the node and never sent, and requests for certificates.

use bytes::Bytes;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};

/// A fresh key pair and the request that asks for a certificate of it.
pub(super) struct NewKey {
    /// The private key, PKCS#8 in PEM.
    pub(super) pem: String,
    /// The public key, as a SubjectPublicKeyInfo in DER.
    pub(super) public: Vec<u8>,
    /// PKCS#10 in DER.
    pub(super) request: Bytes,
}

/// Makes an ECDSA P-256 key for a node, with the subject that a CloudHub of KubeEdge expects.
pub(super) fn make(node: &str) -> Result<NewKey, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "CN"),
        (DnType::OrganizationName, "system:nodes"),
        (DnType::LocalityName, "Hangzhou"),
        (DnType::StateOrProvinceName, "Zhejiang"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params.distinguished_name.push(DnType::CommonName, format!("system:node:{node}"));
    let request = params.serialize_request(&key)?;
    Ok(NewKey {
        pem: key.serialize_pem(),
        public: key.subject_public_key_info(),
        request: Bytes::copy_from_slice(request.der()),
    })
}
