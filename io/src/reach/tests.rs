//! Ways through tiny proxies on loopback, friendly and not.

mod by_name;

use super::*;
use edgehub_core::proxy::ANSWER_BYTES_MAX;
use smol::future::{or, zip};
use smol::net::TcpListener;
use std::net::Ipv4Addr;

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads until the other side has said so much.
async fn heard(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut heard = vec![0; bytes];
    stream.read_exact(&mut heard).await.unwrap();
    heard
}

/// Reads the head of an HTTP request.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(heard(stream, 1).await);
    }
    String::from_utf8(head).unwrap()
}

/// What comes of a proxy that does this with each connection, for a way to `cloud:10000`.
fn through(url: &str, proxy: impl AsyncFnOnce(TcpStream)) -> Result<TcpStream, ReachError> {
    smol::block_on(async {
        let (listener, port) = listen().await;
        let proxy_url = Proxy::parse(&url.replace("PORT", &port.to_string())).unwrap();
        let serving = async {
            let (stream, _) = listener.accept().await.unwrap();
            proxy(stream).await;
        };
        zip(connect("cloud", 10000, Some(&proxy_url)), serving).await.0
    })
}

/// What an operator is told of an HTTP proxy that answers so, and closes.
fn told(answer: &[u8]) -> String {
    let outcome = through("http://127.0.0.1:PORT", async |mut stream| {
        head(&mut stream).await;
        // It may hang up before everything is written.
        let _ = stream.write_all(answer).await;
    });
    outcome.unwrap_err().to_string()
}

#[test]
fn an_http_proxy_opens_the_way_to_whoever_says_who_asks() {
    let stream = through("http://u%40x:p@127.0.0.1:PORT", async |mut stream| {
        let asked = head(&mut stream).await;
        assert!(asked.starts_with("CONNECT cloud:10000 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nProxy-Authorization: Basic dUB4OnA=\r\n"), "{asked}");
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    });
    assert!(stream.is_ok(), "{stream:?}");
}

#[test]
fn a_tunnel_carries_bytes_of_both_sides() {
    smol::block_on(async {
        let (listener, port) = listen().await;
        let proxy = Proxy::parse(&format!("socks5://u:p@127.0.0.1:{port}")).unwrap();
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(heard(&mut stream, 4).await, [5, 2, 0, 2]);
            stream.write_all(&[5, 2]).await.unwrap();
            assert_eq!(heard(&mut stream, 5).await, *b"\x01\x01u\x01p");
            stream.write_all(&[1, 0]).await.unwrap();
            assert_eq!(heard(&mut stream, 12).await, *b"\x05\x01\x00\x03\x05cloud\x27\x10");
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            assert_eq!(heard(&mut stream, 2).await, b"up");
            stream.write_all(b"down").await.unwrap();
        };
        let using = async {
            let mut stream = connect("cloud", 10000, Some(&proxy)).await.unwrap();
            stream.write_all(b"up").await.unwrap();
            assert_eq!(heard(&mut stream, 4).await, b"down");
        };
        zip(using, serving).await;
    });
}

#[test]
fn each_refusal_of_an_http_proxy_is_told() {
    let refused = told(b"HTTP/1.1 403 Forbidden by policy\r\n\r\n");
    assert!(
        refused.contains("HTTP 403 Forbidden by policy") && refused.contains("http://127.0.0.1:"),
        "{refused}"
    );
    assert!(told(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").contains("user and password"));
    assert!(told(b"\x16\x03\x01 garbage\r\n\r\n").contains("does not speak its protocol"));
    assert!(told(b"").contains("closed the connection"));
    assert!(told(b"HTTP/1.1 200 OK\r\n").contains("closed the connection"));
    let huge = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &vec![b'x'; ANSWER_BYTES_MAX]].concat();
    assert!(told(&huge).contains("longer than"));
}

#[test]
fn each_refusal_of_a_socks_proxy_is_told() {
    let told = |answers: &'static [&'static [u8]]| {
        let outcome = through("socks5://127.0.0.1:PORT", async |mut stream| {
            for (answer, asked) in answers.iter().zip([3, 12]) {
                heard(&mut stream, asked).await;
                stream.write_all(answer).await.unwrap();
            }
        });
        outcome.unwrap_err().to_string()
    };
    assert!(told(&[&[5, 255]]).contains("user and password"));
    assert!(told(&[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]]).contains("connection refused by the host"));
    assert!(told(&[b"HTTP/1.1 400"]).contains("does not speak its protocol"));
}

/// Whether somebody has come to a listener by now.
async fn has_come(listener: &TcpListener) -> bool {
    let come = async {
        drop(listener.accept().await);
        true
    };
    or(come, async { false }).await
}

/// A proxy that says nothing is waited for by whoever limits the time, and is not passed by.
#[test]
fn a_proxy_that_stalls_is_not_passed_by() {
    smol::block_on(async {
        let (cloud, cloud_port) = listen().await;
        let (listener, port) = listen().await;
        let proxy = Proxy::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let stalling = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            assert!(!has_come(&cloud).await, "asked, and not answered");
        };
        let (outcome, ()) = zip(connect("127.0.0.1", cloud_port, Some(&proxy)), stalling).await;
        assert!(matches!(outcome, Err(ReachError::Proxy { .. })), "{outcome:?}");
        assert!(!has_come(&cloud).await, "gone without an answer");
    });
}

#[test]
fn a_proxy_that_is_not_there_is_not_passed_by() {
    smol::block_on(async {
        let (cloud, cloud_port) = listen().await;
        let (listener, port) = listen().await;
        drop(listener);
        let proxy = Proxy::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let failed = connect("127.0.0.1", cloud_port, Some(&proxy)).await.unwrap_err();
        assert!(matches!(&failed, ReachError::Proxy { .. }), "{failed}");
        assert!(!has_come(&cloud).await);
    });
}

#[test]
fn without_a_proxy_the_way_is_direct() {
    smol::block_on(async {
        let (cloud, port) = listen().await;
        let (stream, accepted) = zip(connect("127.0.0.1", port, None), cloud.accept()).await;
        assert!(stream.unwrap().nodelay().unwrap() && accepted.is_ok());
        drop(cloud);
        let refused = connect("127.0.0.1", port, None).await.unwrap_err();
        assert!(matches!(refused, ReachError::Refused { .. }), "{refused}");
        let unknown = connect("no.such.name.invalid", port, None).await.unwrap_err();
        assert!(matches!(unknown, ReachError::NameNotFound { .. }), "{unknown}");
    });
}
