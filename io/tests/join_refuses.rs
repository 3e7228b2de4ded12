//! `edgehub join` as a process against clouds that answer badly: each has its own line and code 2, and nothing is written.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod process;

use data_encoding::HEXLOWER;
use edgehub::pki::Authority;
use edgehub::pki::token::TokenKey;
use edgehub::server::{CertificateOptions, CertificateServer};
use edgehub::tls::{self, Pems};
use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use process::edgehub;
use rcgen::CertificateSigningRequestParams;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Joins a node with this token. Returns the one line that is said.
fn refused(service: &str, token: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("node");
    let output = edgehub(&["join", "--cloud", service, "--node", "edge-1", "--token", token, "--dir"])
        .arg(&into)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.code() == Some(2) && said.lines().count() == 1, "{said}");
    assert!(!into.exists(), "{said}");
    said
}

/// What a rogue does with a request for the authority, or with one for a certificate.
enum Rogue {
    /// This answer.
    Answers(Vec<u8>),
    /// A body that never ends.
    GoesOn,
    /// A certificate for this node.
    SignsFor(&'static str),
}

impl Rogue {
    async fn answer(&self, stream: &mut TlsStream<TcpStream>, body: &[u8], authority: &Authority) {
        const OK: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
        // Whoever has heard enough hangs up.
        let _ = match self {
            Rogue::Answers(answer) => stream.write_all(answer).await,
            Rogue::GoesOn => {
                let mut written = stream.write_all(OK).await;
                while written.is_ok() {
                    written = stream.write_all(&[b'x'; 1 << 16]).await;
                }
                written
            }
            Rogue::SignsFor(node) => {
                let asked = CertificateSigningRequestParams::from_der(&body.into()).unwrap();
                let der = authority.sign(node, &asked.public_key, Duration::from_secs(3600)).unwrap();
                stream.write_all(&[OK, &der].concat()).await
            }
        };
        let _ = stream.close().await;
    }
}

/// Reads one request: its path and its body.
async fn request(stream: &mut TlsStream<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok((head.split(' ').nth(1).unwrap().to_owned(), body))
}

/// Joins by a service that does this with requests for this path, and what is right with the others.
fn joins_by(path: &'static str, rogue: Rogue, words: &str) {
    let authority = Arc::new(Authority::generate().unwrap());
    let own = authority.server(&["127.0.0.1".into()]).unwrap();
    let pems = Pems { ca: authority.certificate_pem(), certificate: &own.certificate_pem, key: &own.key_pem };
    let tls = TlsAcceptor::from(tls::server_config_for_anybody(pems).unwrap());
    let listener = smol::block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let service = listener.local_addr().unwrap().to_string();
    let token = TokenKey::generate().unwrap().token(&authority, Duration::from_secs(60));
    let serving = smol::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = tls.accept(stream).await.unwrap();
            let (asked, body) = request(&mut stream).await.unwrap();
            if asked == path {
                rogue.answer(&mut stream, &body, &authority).await;
            } else {
                let der = authority.certificate_der();
                stream.write_all(&[b"HTTP/1.1 200 OK\r\n\r\n", der].concat()).await.unwrap();
                stream.close().await.unwrap();
            }
        }
    });
    let said = refused(&service, &token);
    assert!(said.contains(words), "{said} should say {words}");
    smol::block_on(serving.cancel());
}

#[test]
fn every_bad_answer_has_its_own_line() {
    let large = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 2 << 20]].concat();
    for path in ["/ca.crt", "/edge.crt"] {
        let answers = |answer: &[u8], words: &str| joins_by(path, Rogue::Answers(answer.to_vec()), words);
        answers(&large, "more than 1048576 bytes");
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n", "more than 1048576 bytes");
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "a web page");
        answers(b"HTTP/1.1 302 Found\r\nLocation: https://x/\r\n\r\n", "points to https://x/");
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "instead of a certificate in DER");
        joins_by(path, Rogue::GoesOn, "more than 1048576 bytes");
    }
    joins_by("/edge.crt", Rogue::SignsFor("edge-2"), "for the node edge-2");
}

/// Both hashes are shown for a token of another cloud.
#[test]
fn every_bad_token_has_its_own_line() {
    let (authority, tokens) = (Arc::new(Authority::generate().unwrap()), TokenKey::generate().unwrap());
    let options = CertificateOptions::new(Arc::clone(&authority), tokens.clone());
    let server = smol::block_on(CertificateServer::bind((Ipv4Addr::LOCALHOST, 0).into(), options)).unwrap();
    let service = server.address().to_string();
    let serving = smol::spawn(async move { server.run().await });
    let other = Authority::generate().unwrap();
    let said = refused(&service, &tokens.token(&other, Duration::from_secs(60)));
    for authority in [&*authority, &other] {
        let hash = ring::digest::digest(&ring::digest::SHA256, authority.certificate_der());
        assert!(said.contains(&HEXLOWER.encode(hash.as_ref())), "{said}");
    }
    let said = refused(&service, &tokens.token_until(&authority, SystemTime::now()));
    assert!(said.contains("the token has expired"), "{said}");
    let said = refused(&service, &TokenKey::generate().unwrap().token(&authority, Duration::from_secs(60)));
    assert!(said.contains("not one of this cloud"), "{said}");
    smol::block_on(serving.cancel());
}
