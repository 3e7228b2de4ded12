//! A proxy, as a URL names it.

use std::fmt;

use async_tungstenite::tungstenite::http::Uri;
use edgehub_core::proxy::{Credentials, TEXT_BYTES_MAX};

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP CONNECT.
    Http,
    /// SOCKS5; names are resolved by the proxy.
    Socks5,
}

/// A proxy. Its password is a secret, and neither `Debug` nor `Display` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who asks, if it wants to know.
    pub credentials: Option<Credentials>,
}

impl Proxy {
    /// Reads `http://[USER[:PASSWORD]@]HOST[:PORT]`, or the same with `socks5` or `socks5h`. Without a scheme it is `http`. The
    /// message of an error never contains the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Proxy, String> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (ProxyKind::Http, 80),
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            "https" => {
                return Err(
                    "a proxy that is reached by TLS is not supported; use http:// or socks5://".into()
                );
            }
            _ => return Err("expected a proxy's URL with http:// or socks5://".into()),
        };
        let rest = rest.trim_end_matches('/');
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, rest),
        };
        let uri: Uri =
            format!("http://{address}/").parse().map_err(|_| "expected HOST:PORT in the proxy's URL")?;
        let authority =
            uri.authority().filter(|_| uri.path() == "/").ok_or("expected HOST:PORT in the proxy's URL")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == authority.host() => default_port,
            None => 0,
        };
        if host.is_empty() || port == 0 {
            return Err("expected a host and a port from 1 to 65535 in the proxy's URL".into());
        }
        let credentials = login.map(credentials).transpose()?;
        Ok(Proxy { kind, host, port, credentials })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        let Proxy { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

fn credentials(login: &str) -> Result<Credentials, String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let plain = |text: &str| {
        decoded(text).ok_or("the user or password in the proxy's URL is not percent-encoded text")
    };
    let credentials = Credentials { user: plain(user)?, password: plain(password)? };
    let longest = credentials.user.len().max(credentials.password.len());
    if credentials.user.is_empty() || credentials.user.contains(':') || longest > TEXT_BYTES_MAX {
        return Err(format!(
            "expected a user without a colon, and at most {TEXT_BYTES_MAX} bytes each, in the proxy's URL"
        ));
    }
    Ok(credentials)
}

/// Undoes percent-encoding; `None` if it is none, or no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, kind: ProxyKind, shown: &str, login: Option<(&str, &str)>) {
        let proxy = Proxy::parse(url).unwrap();
        let credentials =
            login.map(|(user, password)| Credentials { user: user.into(), password: password.into() });
        assert_eq!(
            (proxy.kind, proxy.to_string().as_str(), &proxy.credentials),
            (kind, shown, &credentials),
            "{url}"
        );
    }

    #[test]
    fn urls_are_taken_apart() {
        use ProxyKind::{Http, Socks5};
        check("http://proxy:3128", Http, "http://proxy:3128", None);
        check("proxy:3128", Http, "http://proxy:3128", None);
        check("HTTP://proxy/", Http, "http://proxy:80", None);
        check("socks5://[::1]", Socks5, "socks5://[::1]:1080", None);
        check("socks5h://u:p@10.0.0.1:9", Socks5, "socks5://10.0.0.1:9", Some(("u", "p")));
        check("http://u%40x:p%3a%20@proxy:1", Http, "http://proxy:1", Some(("u@x", "p: ")));
        check("http://u@proxy:1", Http, "http://proxy:1", Some(("u", "")));
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_password() {
        let bad = [
            "",
            "https://u:secret@p:1",
            "ftp://u:secret@p:1",
            "http://u:secret@p:0",
            "http://u:secret@p:99999",
            "http://u:secret@p:1/path",
            "http://u:secret%zz@p:1",
            "http://:secret@p:1",
            "http://a%3ab:secret@p:1",
            "http://u:secret@",
        ];
        for url in bad {
            let told = Proxy::parse(url).unwrap_err();
            assert!(!told.is_empty() && !told.contains("secret"), "{url}: {told}");
        }
        let long = format!("http://u:{}@p:1", "x".repeat(TEXT_BYTES_MAX + 1));
        assert!(Proxy::parse(&long).is_err());
        assert!(!format!("{:?}", Proxy::parse("http://u:secret@p:1").unwrap()).contains("secret"));
    }
}
