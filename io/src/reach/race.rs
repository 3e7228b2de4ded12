//! IPv4 and IPv6 at once (RFC 8305): whichever answers first is taken, and one that swallows packets keeps nobody waiting.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use smol::Timer;
use smol::future::or;

/// How long one attempt is left alone before the next begins beside it.
const STAGGER: Duration = Duration::from_millis(250);

/// Tries every address, each a little later than the one before or when that one has failed. Returns the first success, or the
/// last failure; `None` without an address.
pub(crate) async fn race<T, E, F: Future<Output = Result<T, E>>>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Option<Result<T, E>> {
    let mut waiting = interleaved(addresses).into_iter().peekable();
    let mut running = FuturesUnordered::new();
    let mut failure = None;
    loop {
        match waiting.next() {
            Some(address) => running.push(attempt(address)),
            None if running.is_empty() => return failure,
            None => {}
        }
        let more = waiting.peek().is_some();
        let next_begins = async {
            if more {
                Timer::after(STAGGER).await;
            } else {
                pending::<()>().await;
            }
            None
        };
        match or(running.next(), next_begins).await {
            Some(Ok(won)) => return Some(Ok(won)),
            Some(Err(error)) => failure = Some(Err(error)),
            None => {}
        }
    }
}

/// The families in turn, beginning with the resolver's favourite.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let longest = first.len().max(second.len());
    let at = |list: &[SocketAddr], place: usize| list.get(place).copied();
    (0..longest).flat_map(|place| [at(&first, place), at(&second, place)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(interleaved(found), addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(interleaved(addresses(&["1.1.1.1:1", "[::1]:1"])), addresses(&["1.1.1.1:1", "[::1]:1"]));
    }

    /// What each address does, and which of them were tried.
    fn check(texts: &[&str], expected: Option<Result<u8, &str>>, expected_tried: usize) {
        let tried = RefCell::new(0);
        // Port 1 swallows packets, port 2 refuses, and others answer.
        let attempt = |address: SocketAddr| {
            *tried.borrow_mut() += 1;
            async move {
                match address.port() {
                    1 => pending().await,
                    2 => Err("refused"),
                    port => Ok(port as u8),
                }
            }
        };
        assert_eq!(smol::block_on(race(addresses(texts), attempt)), expected);
        assert_eq!(tried.into_inner(), expected_tried);
    }

    #[test]
    fn the_first_that_answers_is_taken() {
        check(&[], None, 0);
        check(&["1.1.1.1:7"], Some(Ok(7)), 1);
        check(&["1.1.1.1:7", "[::1]:8"], Some(Ok(7)), 1);
        check(&["1.1.1.1:2", "1.1.1.1:2", "[::1]:8"], Some(Ok(8)), 2);
        check(&["1.1.1.1:2", "[::1]:2"], Some(Err("refused")), 2);
    }

    #[test]
    fn one_that_swallows_packets_keeps_nobody_waiting() {
        check(&["[::1]:1", "1.1.1.1:7"], Some(Ok(7)), 2);
    }
}
