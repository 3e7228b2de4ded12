//! A cloud that breaks the rules: the frame is refused by name, and the link lives on where its framing allows it.

use super::bench_of::{Edge, NODE, any_port, config};
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use async_tungstenite::tungstenite::{Error, Message as Frame};
use edgehub::loopback::Loopback;
use edgehub::tls::{self, Pems};
use edgehub::websocket::{self, ServerStream};
use edgehub_core::hub::{LinkEnd, Suspicion};
use edgehub_core::limits::FRAME_BYTES_MAX;
use edgehub_core::{Config, Note, Probe, Violation};
use futures_util::{Stream, StreamExt};
use rustls::ServerConfig;
use smol::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// A server that does what the test says, and nothing else.
struct Rogue {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
}

impl Rogue {
    async fn with_edge() -> (Rogue, Edge) {
        // It answers no ping: a link is lost for what the test does to it, and not because the machine was busy.
        Rogue::with(Config { ping_interval: Duration::from_secs(60), ..config() }).await
    }

    async fn with(config: Config) -> (Rogue, Edge) {
        let loopback = Loopback::new().unwrap();
        let identity = loopback.authority.server(&["127.0.0.1".into()]).unwrap();
        let tls = tls::server_config_from_pem(Pems {
            ca: loopback.authority.certificate_pem(),
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        })
        .unwrap();
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let edge = Edge::start(&loopback.ticket(listener.local_addr().unwrap(), NODE).unwrap(), config);
        (Rogue { listener, tls }, edge)
    }

    async fn accept(&self) -> ServerStream {
        let (stream, _) = self.listener.accept().await.unwrap();
        let limit = 4 * FRAME_BYTES_MAX;
        websocket::accept(stream, self.tls.clone(), Duration::from_secs(30), limit).await.unwrap().stream
    }
}

async fn violation(edge: &Edge) -> Violation {
    edge.note(|note| match note {
        Note::Violation { violation, .. } => Some(*violation),
        _ => None,
    })
    .await
}

/// The code that a peer's close frame says, if one comes before the end.
async fn close_code(stream: &mut (impl Stream<Item = Result<Frame, Error>> + Unpin)) -> Option<CloseCode> {
    while let Some(Ok(frame)) = stream.next().await {
        if let Frame::Close(frame) = frame {
            return frame.map(|frame| frame.code);
        }
    }
    None
}

async fn suspicion(edge: &Edge) -> Suspicion {
    edge.note(|note| match note {
        Note::Suspected { cause, .. } => Some(*cause),
        _ => None,
    })
    .await
}

/// A zombie: whatever comes is read, and pings are answered, but nobody serves the node.
#[test]
fn a_link_without_a_session_is_found_out_and_left() {
    smol::block_on(async {
        let soon = Duration::from_millis(50);
        let probe = Some(Probe { after: soon, limit: soon, ..Probe::default() });
        let (rogue, edge) = Rogue::with(Config { probe, ..config() }).await;
        let zombie = async {
            loop {
                let mut socket = rogue.accept().await;
                while let Some(Ok(_)) = socket.next().await {}
            }
        };
        let found = async {
            for _ in 0..2 {
                assert_eq!(suspicion(&edge).await, Suspicion::NoSession);
                assert_eq!(edge.link_down().await, LinkEnd::NoSession);
                assert_eq!(edge.hub.health().await.unwrap().suspicion, Some(Suspicion::NoSession));
            }
        };
        smol::future::or(found, zombie).await;
    });
}

#[test]
fn malformed_frames_are_refused_by_name_and_the_link_lives_on() {
    smol::block_on(async {
        let (rogue, edge) = Rogue::with_edge().await;
        let mut socket = rogue.accept().await;
        let module = edge.hub.join("metamanager", &["meta"]).await.unwrap();
        for (frame, wanted) in [
            (Frame::text("{nonsense"), Violation::NotJson { at: 1 }),
            (Frame::text(""), Violation::Empty),
            (Frame::text("[1]"), Violation::NotAnObject),
            (Frame::binary(vec![0xff, 0xfe]), Violation::NotUtf8),
        ] {
            socket.send(frame).await.unwrap();
            assert_eq!(violation(&edge).await, wanted);
        }
        let good =
            r#"{"header":{"msg_id":"1"},"route":{"group":"resource","resource":"good"},"content":null}"#;
        socket.send(Frame::binary(good)).await.unwrap();
        while module.receive().await.unwrap().resource() != "good" {}
        let account = edge.hub.account().await.unwrap();
        assert_eq!((account.malformed, account.links), (4, 1), "all counted, one link");
    });
}

#[test]
fn an_oversize_frame_ends_the_link_and_the_next_one_serves() {
    smol::block_on(async {
        let (rogue, edge) = Rogue::with_edge().await;
        let (mut sink, mut stream) = rogue.accept().await.split();
        let oversize = "x".repeat(FRAME_BYTES_MAX + 1);
        let send = async {
            // The hub hangs up in the middle of it.
            let _ = sink.send(Frame::text(oversize)).await;
        };
        let hub = async { (violation(&edge).await, edge.link_down().await) };
        let told = smol::future::zip(hub, close_code(&mut stream));
        let ((found, code), ()) = smol::future::zip(told, send).await;
        let refused = Violation::FrameTooLarge { bytes: FRAME_BYTES_MAX + 1 };
        assert_eq!((found, code), ((refused, LinkEnd::Violation), Some(CloseCode::Size)));
        let mut socket = rogue.accept().await;
        edge.link_up().await;
        let first = socket.next().await.unwrap().unwrap();
        assert!(first.into_text().unwrap().contains("keepalive"));
    });
}

#[test]
fn a_peer_that_breaks_the_framing_is_told_so() {
    smol::block_on(async {
        let (rogue, edge) = Rogue::with_edge().await;
        for (opcode, wanted, end, code) in [
            (Data::Reserved(3), Violation::Framing, LinkEnd::Violation, CloseCode::Protocol),
            // By itself no end: what another form of frame may hold, a text may not.
            (Data::Text, Violation::NotUtf8, LinkEnd::Closed, CloseCode::Invalid),
        ] {
            let mut socket = rogue.accept().await;
            let frame = RawFrame::message(vec![0xff], OpCode::Data(opcode), true);
            socket.send(Frame::Frame(frame)).await.unwrap();
            assert_eq!(violation(&edge).await, wanted);
            assert_eq!(edge.link_down().await, end);
            assert_eq!(close_code(&mut socket).await, Some(code));
        }
    });
}

#[test]
fn a_peers_close_is_answered() {
    smol::block_on(async {
        let (rogue, edge) = Rogue::with_edge().await;
        let mut socket = rogue.accept().await;
        let reason = CloseFrame { code: CloseCode::Away, reason: "going away".into() };
        socket.send(Frame::Close(Some(reason))).await.unwrap();
        assert_eq!(close_code(&mut socket).await, Some(CloseCode::Away), "as it was said");
        assert!(!matches!(socket.next().await, Some(Ok(_))), "and nothing after that");
        assert_eq!(edge.link_down().await, LinkEnd::Closed);
    });
}

#[test]
fn link_control_is_answered_and_goes_no_further() {
    smol::block_on(async {
        let (rogue, _edge) = Rogue::with_edge().await;
        let mut socket = rogue.accept().await;
        for operation in ["ping", "pong", "config"] {
            let asked = format!(
                r#"{{"header":{{"msg_id":"{operation}-1"}},"route":{{"source":"s","group":"g","operation":"{operation}","resource":"r"}},"content":"c"}}"#
            );
            socket.send(Frame::text(asked)).await.unwrap();
            let answer = loop {
                let Frame::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
                let message = edgehub_core::Message::decode(text.to_string()).unwrap();
                if message.is_response() {
                    break message;
                }
            };
            assert_eq!(answer.parent_msg_id(), format!("{operation}-1"));
            assert_eq!((answer.operation(), answer.content()), ("response", "\"ack\""));
            assert_eq!((answer.source(), answer.group(), answer.resource()), ("s", "g", "r"));
        }
    });
}
