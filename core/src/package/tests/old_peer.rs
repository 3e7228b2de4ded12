//! What a peer with KubeEdge's own protobuf makes of ours, and the bytes that must stay as they are.

use super::encode;
use crate::message::{Content, Draft, Message};
use crate::package::{Arrived, Control, HEADER_BYTES, Hello, Ping, answer, pong};
use bytes::Bytes;
use prost::Message as _;
use std::string::String;
use std::vec;

/// The fields that KubeEdge's protobuf has, and no other.
#[derive(PartialEq, prost::Message)]
struct OldWire {
    #[prost(message, required, tag = "1")]
    header: OldHeader,
    #[prost(message, required, tag = "2")]
    router: OldRouter,
    #[prost(bytes = "bytes", tag = "3")]
    content: Bytes,
}

#[derive(PartialEq, prost::Message)]
struct OldHeader {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    parent_id: String,
    #[prost(sint64, tag = "3")]
    timestamp: i64,
    #[prost(bool, tag = "4")]
    sync: bool,
    #[prost(string, tag = "5")]
    r#type: String,
}

#[derive(PartialEq, prost::Message)]
struct OldRouter {
    #[prost(string, tag = "1")]
    source: String,
    #[prost(string, tag = "2")]
    group: String,
    #[prost(string, tag = "3")]
    operation: String,
    #[prost(string, tag = "4")]
    resource: String,
}

#[test]
fn an_old_peer_reads_what_it_knows_and_skips_the_rest() {
    let frame = r#"{"header":{"msg_id":"1","parent_msg_id":"0","timestamp":-7,"resourceversion":"42","sync":true,"type":"channel","trace":"t"},"route":{"source":"edged","destination":"websocket","group":"meta","operation":"update","resource":"r","hop":2},"content":{"a": 1},"extra":[1]}"#;
    let package = encode(&Message::decode(frame).unwrap());
    let old = OldWire::decode(&package[HEADER_BYTES..]).unwrap();
    let header = OldHeader {
        id: "1".into(),
        parent_id: "0".into(),
        timestamp: -7,
        sync: true,
        r#type: "channel".into(),
    };
    let router = OldRouter {
        source: "edged".into(),
        group: "meta".into(),
        operation: "update".into(),
        resource: "r".into(),
    };
    assert_eq!(old, OldWire { header, router, content: Bytes::from_static(br#"{"a": 1}"#) });
}

/// A text travels as its bytes, as Go's own does.
#[test]
fn an_old_peer_gets_a_text_as_its_bytes() {
    let text = Draft { msg_id: "1", content: Content::Text("cloud_connected"), ..Draft::default() };
    let package = encode(&text.encode().unwrap());
    let old = OldWire::decode(&package[HEADER_BYTES..]).unwrap();
    assert_eq!(old.content, "cloud_connected");
}

/// Both ends of a lane may be of different versions of ours: what they say to each other first is pinned.
#[test]
fn the_control_lane_is_pinned() {
    let check = |message: Message, golden: &[u8]| assert_eq!(encode(&message), golden, "{message:?}");
    let hello = Hello { node: "edge-1".into(), project: "p".into() }.to_message().unwrap();
    check(hello.clone(), HELLO);
    check(answer(&hello, true).unwrap(), ACK);
    check(Ping { number: 7, written: vec![2, 300] }.to_message().unwrap(), PING);
    check(pong(7).unwrap(), PONG);
    assert!(matches!(Control::of(&hello), Ok(Control::Hello(_))));
    let mut arrived = Arrived::default();
    arrived.asked(Ping { number: 7, written: vec![] }).unwrap();
    assert_eq!(arrived.next_pong(), Some(7));
}

const HELLO: &[u8] = b"\x01\x01\x01\0\x01\0\0\0\0I\n\x08\n\x06header\x12\x10\x1a\x06header\"\x06header\x1a){\"Node_id\":[\"edge-1\"],\"Project_id\":[\"p\"]} \x01";
const ACK: &[u8] = b"\x01\x01\x01\0\x01\0\0\0\0-\n\x10\n\x06header\x12\x06header\x12\x12\x1a\x08response\"\x06header\x1a\x03ack \x02";
const PING: &[u8] =
    b"\x01\x01\x01\0\x01\0\0\0\0!\n\x03\n\x017\x12\x0f\x1a\x04ping\"\x07streams\x1a\x07[2,300] \x01";
const PONG: &[u8] =
    b"\x01\x01\x01\0\x01\0\0\0\0$\n\x06\n\x017\x12\x017\x12\x13\x1a\x08response\"\x07streams\x1a\x03ack \x02";
