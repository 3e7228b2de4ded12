//! HTTP CONNECT, as RFC 9110 §9.3.6 describes it.

use super::ProxyError;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest reason that is told.
const REASON_CHARS_MAX: usize = 100;

pub(super) fn request(host: &str, port: u16, authorization: Option<&str>) -> Result<Vec<u8>, ProxyError> {
    // One odd character, and the request would say something else.
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)) {
        return Err(ProxyError::Unsayable("the host"));
    }
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(value) = authorization {
        if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(ProxyError::Unsayable("the user or password"));
        }
        request += &format!("Proxy-Authorization: {value}\r\n");
    }
    request += "\r\n";
    Ok(request.into_bytes())
}

/// What the answer says, if it is complete.
pub(super) fn answer(heard: &[u8]) -> Result<bool, ProxyError> {
    let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
    let line = heard.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let (status, reason) = status(line).ok_or(ProxyError::Garbage("no status line of HTTP/1"))?;
    match status {
        200..=299 if heard.len() > end + 4 => Err(ProxyError::Garbage("more than the answer")),
        200..=299 => Ok(true),
        407 => Err(ProxyError::Authentication),
        _ => Err(ProxyError::Http { status, reason: reason.into() }),
    }
}

/// Status and reason of a line `HTTP/1.x 200 reason`.
fn status(line: &[u8]) -> Option<(u16, String)> {
    let line = core::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.0 ").or_else(|| line.strip_prefix("HTTP/1.1 "))?;
    let (digits, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let printable = reason.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    Some((digits.parse().ok()?, printable.take(REASON_CHARS_MAX).collect()))
}
