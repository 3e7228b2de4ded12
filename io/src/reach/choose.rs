//! Which proxy leads to which host: what the configuration says, else what the environment says. Nothing is excepted that
//! nobody has excepted, and a setting that cannot be understood is an error, not the way around the proxy.

use std::net::IpAddr;

use super::Proxy;

/// What the configuration says of proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// What the environment says.
    #[default]
    Environment,
    /// None.
    Direct,
    /// This one, but for the hosts of this list, which is read as `NO_PROXY` is.
    Proxy(Proxy, String),
}

/// What the environment says of proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `HTTPS_PROXY`, else `ALL_PROXY`.
    pub proxy: Option<String>,
    /// `NO_PROXY`.
    pub except: String,
}

impl Environment {
    /// Reads it; names in small letters count, too, and first.
    pub fn read() -> Environment {
        Environment::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Environment {
        let either = |name: &str| {
            let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
            set(&name.to_ascii_lowercase()).or_else(|| set(name))
        };
        let proxy = either("HTTPS_PROXY").or_else(|| either("ALL_PROXY"));
        Environment { proxy, except: either("NO_PROXY").unwrap_or_default() }
    }
}

impl ProxyChoice {
    /// The proxy for a host, if one is to be used. An error names what cannot be understood.
    pub fn for_host(
        &self,
        host: &str,
        port: u16,
        environment: &Environment,
    ) -> Result<Option<Proxy>, String> {
        match self {
            ProxyChoice::Direct => Ok(None),
            ProxyChoice::Proxy(proxy, except) => {
                Ok((!is_excepted(except, host, port)).then(|| proxy.clone()))
            }
            ProxyChoice::Environment => match &environment.proxy {
                Some(_) if is_excepted(&environment.except, host, port) => Ok(None),
                Some(url) => Proxy::parse(url)
                    .map(Some)
                    .map_err(|problem| format!("the environment's HTTPS_PROXY or ALL_PROXY: {problem}")),
                None => Ok(None),
            },
        }
    }
}

/// Whether a list like that of `NO_PROXY` has an entry for a host: `*`, a name that is the host's or a domain above it, an
/// address, a network, each with or without a port.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| fits(entry, &host, port))
}

fn fits(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let (entry, wanted_port) = with_port(entry);
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return match entry.split_once('/') {
            Some((network, bits)) => is_inside(address, network, bits),
            None => entry.parse() == Ok(address),
        };
    }
    let domain =
        entry.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
    let above = host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !domain.is_empty() && above
}

/// An entry and its port: `name:443`, `[::1]:443`; an IPv6 address alone has none.
fn with_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn is_inside(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let same = |a: u128, b: u128, width: u32| {
        bits <= width && (bits == 0 || a >> (width - bits) == b >> (width - bits))
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_those_that_are_named() {
        let check = |list: &str, host: &str, excepted: bool| {
            assert_eq!(is_excepted(list, host, 10000), excepted, "{list} {host}");
        };
        check("", "cloud", false);
        check("", "localhost", false);
        check("*", "cloud", true);
        check("other, cloud", "CLOUD", true);
        check("example.org", "cloud.example.org", true);
        check(".example.org", "cloud.example.org.", true);
        check("*.example.org", "cloud.example.org", true);
        check("example.org", "notexample.org", false);
        check("cloud:10000", "cloud", true);
        check("cloud:10001", "cloud", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.0/24", "192.0.2.7", true);
        check("192.0.2.0/30", "192.0.2.7", false);
        check("0.0.0.0/0", "192.0.2.7", true);
        check("192.0.2.0/33", "192.0.2.7", false);
        check("::1", "::1", true);
        check("[::1]:10000", "::1", true);
        check("[::1]:1", "::1", false);
        check("fd00::/8", "fd12::1", true);
        check("2.7", "192.0.2.7", false);
        check(".", "cloud", false);
    }

    #[test]
    fn the_environment_is_read_in_its_order() {
        let read = |variables: &[(&str, &str)]| {
            let value = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
            };
            Environment::from_variables(value)
        };
        let proxy = |variables: &[(&str, &str)]| read(variables).proxy;
        assert_eq!(proxy(&[("HTTPS_PROXY", "a"), ("ALL_PROXY", "b")]).as_deref(), Some("a"));
        assert_eq!(proxy(&[("https_proxy", "c"), ("HTTPS_PROXY", "a")]).as_deref(), Some("c"));
        assert_eq!(proxy(&[("HTTPS_PROXY", " "), ("all_proxy", "b")]).as_deref(), Some("b"));
        assert_eq!(proxy(&[("HTTP_PROXY", "d")]), None);
        assert_eq!(read(&[("no_proxy", "x")]).except, "x");
    }

    #[test]
    fn a_proxy_is_never_silently_passed_by() {
        let environment = Environment { proxy: Some("gopher://p".into()), except: "cloud".into() };
        let told = ProxyChoice::Environment.for_host("other", 1, &environment).unwrap_err();
        assert!(told.contains("HTTPS_PROXY"), "{told}");
        assert_eq!(ProxyChoice::Environment.for_host("cloud", 1, &environment), Ok(None));
        assert_eq!(ProxyChoice::Direct.for_host("other", 1, &environment), Ok(None));
        let own = ProxyChoice::Proxy(Proxy::parse("http://own:1").unwrap(), "cloud".into());
        assert_eq!(own.for_host("cloud", 1, &environment), Ok(None));
        let shown = own.for_host("other", 1, &environment).unwrap().unwrap().to_string();
        assert_eq!(shown, "http://own:1", "the environment does not count");
    }
}
