//! The node that a client certificate speaks for.

use x509_parser::prelude::{FromDer, X509Certificate};

/// The node's name from a certificate's subject `O=system:nodes, CN=system:node:NAME`.
///
/// `None` for anything else, a second organization or common name included: a certificate that can be read in two ways
/// names nobody.
pub fn node_name(certificate_der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate_der).ok()?;
    let subject = certificate.subject();
    let mut organizations = subject.iter_organization();
    let mut names = subject.iter_common_name();
    let (organization, name) = (organizations.next()?.as_str().ok()?, names.next()?.as_str().ok()?);
    if organization != "system:nodes" || organizations.next().is_some() || names.next().is_some() {
        return None;
    }
    name.strip_prefix("system:node:").filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn check(subject: &[(DnType, &str)], expected: Option<&str>) {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(node_name(certificate.der()).as_deref(), expected, "{subject:?}");
    }

    #[test]
    fn only_a_node_certificate_names_a_node() {
        use DnType::{CommonName, CountryName, OrganizationName};
        check(&[(OrganizationName, "system:nodes"), (CommonName, "system:node:edge-1")], Some("edge-1"));
        check(
            &[
                (CountryName, "CN"),
                (CommonName, "system:node:node.with:colon"),
                (OrganizationName, "system:nodes"),
            ],
            Some("node.with:colon"),
        );
        check(&[(OrganizationName, "system:nodes"), (CommonName, "system:node:")], None);
        check(&[(OrganizationName, "system:nodes"), (CommonName, "edge-1")], None);
        check(&[(OrganizationName, "system:masters"), (CommonName, "system:node:edge-1")], None);
        check(&[(CommonName, "system:node:edge-1")], None);
        check(&[(OrganizationName, "system:nodes")], None);
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        assert_eq!(node_name(b""), None);
        assert_eq!(node_name(b"0\x82nonsense"), None);
    }
}
