//! What the certificate machine wants to know of a certificate.

use crate::tls;
use bytes::Bytes;
use edgehub_core::identity::{Authority, Certificate, Sha256, Validity};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The facts, if these bytes are one certificate in DER and nothing else.
///
/// `key` is the public key (a SubjectPublicKeyInfo in DER) that it should carry, `roots` who should have signed it.
pub(crate) fn of(der: &[u8], key: Option<&[u8]>, roots: &[Bytes]) -> Option<Certificate> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let validity = certificate.validity();
    let not_before = validity.not_before.timestamp();
    Some(Certificate {
        digest: digest(der),
        validity: Validity { not_before, not_after: validity.not_after.timestamp() },
        node: tls::node_name(der).map(Into::into),
        is_authority: certificate.is_ca(),
        is_of_key: key.is_some_and(|key| certificate.public_key().raw == key),
        signed_by: roots
            .iter()
            .find(|root| is_of_root(der, not_before, root))
            .map(|root| Authority { digest: digest(root), der: root.clone() }),
    })
}

/// Whether a node's certificate is signed by this one, at the moment at which it begins: whether it is valid now is the
/// machine's to say.
fn is_of_root(der: &[u8], not_before: i64, root: &[u8]) -> bool {
    let mut store = RootCertStore::empty();
    if store.add(CertificateDer::from(root)).is_err() {
        return false;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).build() else {
        return false;
    };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(not_before).unwrap_or(0)));
    verifier.verify_client_cert(&CertificateDer::from(der), &[], at).is_ok()
}

/// The SHA-256 of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut sum = [0; 32];
    sum.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Sha256(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;
    use edgehub_core::identity::Authority as Signer;
    use rustls_pki_types::pem::PemObject;

    fn der(pem: &str) -> Bytes {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec().into()
    }

    #[test]
    fn a_certificate_is_told_from_others() {
        let (authority, stranger) = (Authority::generate().unwrap(), Authority::generate().unwrap());
        let roots = [der(stranger.certificate_pem()), der(authority.certificate_pem())];
        let identity = authority.node("edge-1").unwrap();
        let node = der(&identity.certificate_pem);
        let facts = of(&node, None, &roots).unwrap();
        assert_eq!(facts.node.as_deref(), Some("edge-1"));
        assert_eq!(facts.digest, digest(&node));
        assert_eq!(facts.signed_by, Some(Signer { digest: digest(&roots[1]), der: roots[1].clone() }));
        assert!(!facts.is_authority && !facts.is_of_key);
        assert_eq!(of(&node, None, &roots[..1]).unwrap().signed_by, None);
        assert_eq!(of(&node, None, &[]).unwrap().signed_by, None);
        let key = rcgen::KeyPair::from_pem(&identity.key_pem).unwrap();
        let key = rcgen::PublicKeyData::subject_public_key_info(&key);
        assert!(of(&node, Some(&key), &roots).unwrap().is_of_key);
        assert!(of(&roots[0], None, &[]).unwrap().is_authority);
        assert_eq!(of(&[&node[..], b"x"].concat(), None, &roots), None);
        assert_eq!(of(b"<html>", None, &roots), None);
    }

    /// Whose certificate has run out is still whose it was.
    #[test]
    fn an_expired_certificate_is_still_of_its_authority() {
        let authority = Authority::generate().unwrap();
        let expired = der(&authority.node_expired("edge-1").unwrap().certificate_pem);
        // It began before its authority did, by the days that make it expired.
        let facts = of(&expired, None, &[der(authority.certificate_pem())]).unwrap();
        assert!(facts.signed_by.is_some(), "{facts:?}");
    }
}
