//! The join token: `HASH.JWT`, where the hash is the hexadecimal SHA-256 of the authority's certificate in DER, and the JWT
//! is for the cloud alone.
//!
//! The hash is what makes the first contact safe: the authority's certificate comes over a connection that nobody can
//! verify yet, and only the one that the token names is taken.

use alloc::boxed::Box;
use core::fmt;

/// The longest token that is read, in bytes. One of KubeEdge has some 200.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Sha256> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| pair.get(at).and_then(|digit| (*digit as char).to_digit(16));
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Some(Sha256(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A join token. It is a secret: neither `Debug` nor an error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    ca: Sha256,
    jwt: Box<str>,
}

impl JoinToken {
    /// Reads a token. White space around it is ignored: tokens are copied from terminals.
    pub fn parse(text: &str) -> Result<JoinToken, TokenError> {
        let text = text.trim();
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong { bytes: text.len() });
        }
        let parts = text.split('.').count();
        let Some((hash, jwt)) = text.split_once('.').filter(|_| parts == 4) else {
            return Err(TokenError::Parts { parts });
        };
        let ca = Sha256::from_hex(hash).ok_or(TokenError::Hash)?;
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
        if !jwt.split('.').all(|part| !part.is_empty() && part.bytes().all(is_base64)) {
            return Err(TokenError::Jwt);
        }
        Ok(JoinToken { ca, jwt: jwt.into() })
    }

    /// The hash of the authority's certificate.
    pub fn ca(&self) -> Sha256 {
        self.ca
    }

    /// What is sent to the cloud.
    pub fn jwt(&self) -> &str {
        &self.jwt
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({}.…)", self.ca)
    }
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It has more than [`TOKEN_BYTES_MAX`] bytes.
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// It does not have four parts with dots between them.
    Parts {
        /// How many it has.
        parts: usize,
    },
    /// Its first part is not a SHA-256 in hexadecimal digits.
    Hash,
    /// The rest is not a JWT.
    Jwt,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::TooLong { bytes } => {
                write!(f, "the token has {bytes} bytes; one has at most {TOKEN_BYTES_MAX}")?
            }
            TokenError::Parts { parts } => write!(
                f,
                "the token has {parts} of the four parts HASH.HEADER.CLAIMS.SIGNATURE (with dots between them)"
            )?,
            TokenError::Hash => {
                f.write_str("the token's first part is not a SHA-256 (64 hexadecimal digits)")?
            }
            TokenError::Jwt => f.write_str("what follows the token's first part is not a JWT")?,
        }
        f.write_str("; copy the whole line that the cloud printed")
    }
}

impl core::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    const HASH: &str = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00aB";

    fn check(text: &str, expected: Result<&str, TokenError>) {
        assert_eq!(JoinToken::parse(text).map(|token| String::from(token.jwt())), expected.map(String::from));
    }

    #[test]
    fn a_token_has_four_parts() {
        check(&format!("{HASH}.a-b.c_d.e="), Ok("a-b.c_d.e="));
        check(&format!(" {HASH}.a.b.c\n"), Ok("a.b.c"));
        check("", Err(TokenError::Parts { parts: 1 }));
        check(&format!("{HASH}.a.b"), Err(TokenError::Parts { parts: 3 }));
        check(&format!("{HASH}.a.b.c.d"), Err(TokenError::Parts { parts: 5 }));
        check(&format!("{HASH}.a..c"), Err(TokenError::Jwt));
        check(&format!("{HASH}.a.b c.d"), Err(TokenError::Jwt));
        check("x.a.b.c", Err(TokenError::Hash));
        check(&format!("{}g.a.b.c", &HASH[1..]), Err(TokenError::Hash));
        check(&format!("{HASH}0.a.b.c"), Err(TokenError::Hash));
    }

    #[test]
    fn what_is_no_token_says_why_and_what_to_do() {
        let said = |text: &str| format!("{}", JoinToken::parse(text).unwrap_err());
        let cases = [
            ("a.b", "2 of the four parts"),
            ("x.a.b.c", "64 hexadecimal digits"),
            (&format!("{HASH}.a..c"), "not a JWT"),
            (&"x".repeat(TOKEN_BYTES_MAX + 1), "8193 bytes; one has at most 8192"),
        ];
        for (text, why) in cases {
            assert!(
                said(text).contains(why)
                    && said(text).ends_with("copy the whole line that the cloud printed")
            );
        }
    }

    #[test]
    fn a_token_has_a_longest_length() {
        let of = |bytes: usize| format!("{HASH}.a.b.{}", "c".repeat(bytes - HASH.len() - 5));
        assert!(JoinToken::parse(&of(TOKEN_BYTES_MAX)).is_ok());
        let bytes = TOKEN_BYTES_MAX + 1;
        assert_eq!(JoinToken::parse(&of(bytes)), Err(TokenError::TooLong { bytes }));
    }

    #[test]
    fn nothing_shows_the_secret() {
        let token = JoinToken::parse(&format!("{HASH}.secret.b.c")).unwrap();
        let shown = format!("{token:?}");
        assert!(shown.contains("00ff00ff") && !shown.contains("secret"), "{shown}");
    }
}
