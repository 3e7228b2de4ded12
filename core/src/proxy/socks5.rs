//! SOCKS5, as RFC 1928 describes it, with user and password of RFC 1929.

use super::{Credentials, ProxyError, TEXT_BYTES_MAX};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What is waited for, with what will be said next.
pub(super) enum Stage {
    /// The way to authenticate.
    Method { login: Option<Vec<u8>>, request: Vec<u8> },
    /// Whether the password is right.
    Login { request: Vec<u8> },
    /// Whether there is a way.
    Answer,
}

/// The words for a refusal.
pub(super) fn reason(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused by the host",
        6 => "time to live over",
        7 => "command not supported",
        8 => "kind of address not supported",
        _ => "a code that nobody has given a meaning",
    }
}

fn text(bytes: &[u8], what: &'static str, out: &mut Vec<u8>) -> Result<(), ProxyError> {
    match u8::try_from(bytes.len()) {
        Ok(length) if length > 0 && bytes.len() <= TEXT_BYTES_MAX => {
            out.push(length);
            out.extend_from_slice(bytes);
            Ok(())
        }
        _ => Err(ProxyError::Unsayable(what)),
    }
}

impl Stage {
    /// The first stage, and what is said first.
    pub(super) fn begin(
        host: &str,
        port: u16,
        credentials: Option<&Credentials>,
    ) -> Result<(Stage, Vec<u8>), ProxyError> {
        let mut request = vec![VERSION, CONNECT, 0];
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(IPV4);
                request.extend(address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(IPV6);
                request.extend(address.octets());
            }
            Err(_) => {
                request.push(NAME);
                text(host.as_bytes(), "the host", &mut request)?;
            }
        }
        request.extend(port.to_be_bytes());
        let login = match credentials {
            Some(Credentials { user, password }) => {
                let mut login = vec![1];
                text(user.as_bytes(), "the user or password", &mut login)?;
                text(password.as_bytes(), "the user or password", &mut login)?;
                Some(login)
            }
            None => None,
        };
        let hello = match login {
            Some(_) => vec![VERSION, 2, NO_AUTHENTICATION, PASSWORD],
            None => vec![VERSION, 1, NO_AUTHENTICATION],
        };
        Ok((Stage::Method { login, request }, hello))
    }

    /// Takes the answer, if it is complete, and says the next thing.
    pub(super) fn received(
        &mut self,
        heard: &mut Vec<u8>,
        to_send: &mut Vec<u8>,
    ) -> Result<bool, ProxyError> {
        let expected = if matches!(self, Stage::Login { .. }) { 1 } else { VERSION };
        if heard.first().is_some_and(|version| *version != expected) {
            return Err(ProxyError::Garbage("another version than 5"));
        }
        let length = match self {
            Stage::Method { .. } | Stage::Login { .. } => Some(2),
            Stage::Answer => answer_length(heard)?,
        };
        let Some(length) = length.filter(|length| heard.len() >= *length) else { return Ok(false) };
        if heard.len() > length {
            return Err(ProxyError::Garbage("more than the answer"));
        }
        let code = heard.get(1).copied().unwrap_or(NO_ACCEPTABLE_METHOD);
        heard.clear();
        let next = match (core::mem::replace(self, Stage::Answer), code) {
            (Stage::Method { request, .. }, NO_AUTHENTICATION) => (Stage::Answer, request),
            (Stage::Method { login: Some(login), request }, PASSWORD) => (Stage::Login { request }, login),
            (Stage::Method { .. }, PASSWORD | NO_ACCEPTABLE_METHOD) => {
                return Err(ProxyError::Authentication);
            }
            (Stage::Method { .. }, _) => {
                return Err(ProxyError::Garbage("a way to authenticate that was not offered"));
            }
            (Stage::Login { request }, 0) => (Stage::Answer, request),
            (Stage::Login { .. }, _) => return Err(ProxyError::Authentication),
            (Stage::Answer, 0) => return Ok(true),
            (Stage::Answer, code) => return Err(ProxyError::Socks(code)),
        };
        (*self, *to_send) = next;
        Ok(false)
    }
}

/// The length of the last answer, once that is known. A refusal need not name an address.
fn answer_length(heard: &[u8]) -> Result<Option<usize>, ProxyError> {
    if let Some(code) = heard.get(1).filter(|code| **code != 0) {
        return Err(ProxyError::Socks(*code));
    }
    let (Some(kind), next) = (heard.get(3), heard.get(4)) else { return Ok(None) };
    let address = match *kind {
        IPV4 => Some(4),
        IPV6 => Some(16),
        NAME => next.map(|length| 1 + usize::from(*length)),
        _ => return Err(ProxyError::Garbage("an address of an unknown kind")),
    };
    Ok(address.map(|address| 4 + address + 2))
}
