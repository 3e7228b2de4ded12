//! Join tokens: `HASH.JWT`, where the hash is that of the authority's certificate, and the JWT is signed with a key that only
//! the cloud has (HS256).

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use edgehub_core::cloud::TokenWorth;
use ring::hmac;
use serde::Deserialize;

use super::{Authority, PkiError, files};
use crate::identity::facts;

/// File name of the key inside the authority's directory.
pub const TOKEN_KEY_FILE: &str = "token.key";

/// How long a token is good for, unless told otherwise: as in KubeEdge.
pub const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What signs tokens and knows them again.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

#[derive(Deserialize)]
struct Header<'a> {
    alg: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

impl TokenKey {
    /// A key that nobody knows, in memory only.
    pub fn generate() -> Result<TokenKey, PkiError> {
        Ok(TokenKey::of(&random()?))
    }

    /// Reads `token.key` from `dir`, or makes it.
    pub fn load_or_create(dir: &Path) -> Result<TokenKey, PkiError> {
        let path = dir.join(TOKEN_KEY_FILE);
        let unusable = || PkiError::UnusableTokenKey { path: path.clone() };
        if let Some(text) = files::read_if_present(&path)? {
            let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| unusable())?;
            return if bytes.len() < 32 { Err(unusable()) } else { Ok(TokenKey::of(&bytes)) };
        }
        let bytes = random()?;
        files::write_atomically(&path, HEXLOWER_PERMISSIVE.encode(&bytes).as_bytes(), files::PRIVATE)?;
        Ok(TokenKey::of(&bytes))
    }

    fn of(bytes: &[u8]) -> TokenKey {
        TokenKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A token for the cloud of this authority that is good for so long.
    pub fn token(&self, authority: &Authority, life: Duration) -> String {
        self.token_until(authority, SystemTime::now() + life)
    }

    /// A token that is good until then, the past included.
    pub fn token_until(&self, authority: &Authority, until: SystemTime) -> String {
        let exp = until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = BASE64URL_NOPAD.encode(format!("{{\"exp\":{exp}}}").as_bytes());
        let signed = format!("{header}.{claims}");
        let signature = BASE64URL_NOPAD.encode(hmac::sign(&self.0, signed.as_bytes()).as_ref());
        format!("{}.{signed}.{signature}", facts::digest(authority.certificate_der()))
    }

    /// What the JWT of a token is worth now. A real node sends the three parts of the JWT; the hash before them does not
    /// matter here.
    pub fn worth(&self, jwt: &str) -> TokenWorth {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.expiry(jwt) {
            None => TokenWorth::Forged,
            Some(exp) if exp <= now => TokenWorth::Expired,
            Some(_) => TokenWorth::Good,
        }
    }

    /// When a JWT of ours expires; `None` for any other.
    fn expiry(&self, jwt: &str) -> Option<u64> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let header = decode(header)?;
        let header: Header<'_> = serde_json::from_slice(&header).ok()?;
        if header.alg != "HS256" {
            return None;
        }
        hmac::verify(&self.0, signed.as_bytes(), &decode(signature)?).ok()?;
        let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
        Some(claims.exp)
    }
}

fn random() -> Result<[u8; 32], PkiError> {
    let bytes = ring::rand::generate::<[u8; 32]>(&ring::rand::SystemRandom::new());
    bytes.map(ring::rand::Random::expose).map_err(|_| PkiError::NoRandomness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_core::identity::JoinToken;

    #[test]
    fn tokens_are_known_again() {
        let (authority, key) = (Authority::generate().unwrap(), TokenKey::generate().unwrap());
        let jwt = |text: &str| JoinToken::parse(text).unwrap().jwt().to_owned();
        let token = key.token(&authority, Duration::from_secs(60));
        assert_eq!(JoinToken::parse(&token).unwrap().ca(), facts::digest(authority.certificate_der()));
        let good = jwt(&token);
        assert_eq!(key.worth(&good), TokenWorth::Good);
        let expired = key.token_until(&authority, SystemTime::now());
        assert_eq!(key.worth(&jwt(&expired)), TokenWorth::Expired);
        assert_eq!(TokenKey::generate().unwrap().worth(&good), TokenWorth::Forged);
        let parts: Vec<&str> = good.split('.').collect();
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        for forged in [
            String::new(),
            format!("{none}.{}.", parts[1]),
            format!("{}.{}.{}", parts[0], BASE64URL_NOPAD.encode(b"{\"exp\":99999999999}"), parts[2]),
            format!("{}.{}", parts[0], parts[1]),
        ] {
            assert_eq!(key.worth(&forged), TokenWorth::Forged, "{forged}");
        }
    }

    #[test]
    fn the_key_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::generate().unwrap();
        let key = TokenKey::load_or_create(dir.path()).unwrap();
        let token = key.token(&authority, Duration::from_secs(60));
        let again = TokenKey::load_or_create(dir.path()).unwrap();
        assert_eq!(again.worth(JoinToken::parse(&token).unwrap().jwt()), TokenWorth::Good);
        std::fs::write(dir.path().join(TOKEN_KEY_FILE), "short").unwrap();
        let error = TokenKey::load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.contains(TOKEN_KEY_FILE), "{error}");
    }
}
