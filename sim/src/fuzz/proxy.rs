//! Any bytes as the answers of a proxy: every outcome is one of the few, nothing is kept beyond the bound, and how the bytes
//! are cut into pieces changes nothing.

use edgehub_core::proxy::{Credentials, ProxyError, Tunnel};

/// The body of the target `proxy`. The first byte says which proxy is asked, and in how large pieces it answers.
pub fn proxy(data: &[u8]) {
    let Some((&how, answers)) = data.split_first() else { return };
    let outcome = |size: usize| {
        let credentials = (how & 2 > 0).then(|| Credentials { user: "u".into(), password: "p".into() });
        let tunnel = match how & 1 {
            0 => Tunnel::http("cloud", 10000, credentials.as_ref().map(|_| "Basic dTpw")),
            _ => Tunnel::socks5("cloud", 10000, credentials.as_ref()),
        };
        let Ok(mut tunnel) = tunnel else { unreachable!("the words are plain") };
        assert!(!tunnel.to_send().is_empty(), "it begins with a question");
        let mut turns = 0;
        for piece in answers.chunks(size) {
            match tunnel.received(piece) {
                Ok(false) => {}
                outcome => return (outcome, turns),
            }
            turns += usize::from(!tunnel.to_send().is_empty());
        }
        (Ok(false), turns)
    };
    let one_by_one = outcome(1);
    assert!(one_by_one.1 <= 2, "a proxy is told two more things at most");
    let in_pieces = outcome(usize::from(how >> 2) + 1);
    // A piece that goes beyond an answer is refused where byte by byte the rest would not have been looked at.
    let beyond = |(outcome, _): &(Result<bool, ProxyError>, usize)| {
        matches!(outcome, Err(ProxyError::Garbage("more than the answer") | ProxyError::TooLong))
    };
    if !beyond(&in_pieces) {
        assert_eq!(one_by_one, in_pieces, "pieces change nothing");
    }
}
