//! Bytes that must stay as they are: of fields that are ours alone, and of compressed packages. Made by hand from the numbers, and by zlib.

use super::{bytes, compressed, decode, decompressed, encode};
use crate::limits::PACKAGE_BYTES_MAX;
use crate::message::{Content, Draft, Message};
use crate::package::{Decoder, HEADER_BYTES};
use crate::violation::Violation;
use std::format;
use std::vec::Vec;

/// Everything that KubeEdge's protobuf does not have: version, destination, form, and members that nobody knows.
const OURS: &str = "0101010001000000005f0a1a0a0469642d31180d320234323a0c2c227472616365223a2274\
2212290a05656467656412046d6574611a067570646174652201722a05636c6f756432082c22686f70223a321a066120746578\
7420022a0c2c226578747261223a5b315d";

/// Two messages, each in a chunk; the second chunk refers to the first.
const CHUNKS: &str = "0101010001800000004f8000004a6264646460640002072e362e96cc145d4321792196dcd4924429b6d28294c4925425\
fe94d4b4c4d29c12fd82fc14fdf2d42429e16aa5828cc4e254252ba5a0d2bcbcccbc74a55a05460000010101000180000000\
0d0000004a624437c9885c930000";

#[test]
fn what_is_ours_alone_is_read_and_written() {
    let frame = r#"{"header":{"msg_id":"id-1","timestamp":-7,"resourceversion":"42","trace":"t"},"route":{"source":"edged","destination":"cloud","group":"meta","operation":"update","resource":"r","hop":2},"content":"a text","extra":[1]}"#;
    let message = Message::decode(frame).unwrap();
    assert_eq!(encode(&message), bytes(OURS));
    assert_eq!(decode(&bytes(OURS)).unwrap(), message);
}

/// What is in [`CHUNKS`].
fn chunked() -> Vec<Message> {
    let content =
        serde_json::value::to_raw_value(&std::collections::BTreeMap::from([("phase", "Running")])).unwrap();
    let route = Draft { group: "meta", operation: "update", resource: "default/pod/web", ..Draft::default() };
    let message = |number: u32| {
        let id = format!("id-{number}");
        Draft { msg_id: &id, content: Content::Json(&content), ..route }.encode().unwrap()
    };
    [1, 2].map(message).to_vec()
}

#[test]
fn chunks_of_another_library_are_read() {
    for piece in [1, CHUNKS.len()] {
        assert_eq!(decompressed(&bytes(CHUNKS), piece).unwrap(), chunked());
    }
}

/// What deflate finds is a library's business; what stands around it is pinned, but for the length of what it has found.
#[test]
fn chunks_are_written_with_their_claims() {
    let golden = bytes(CHUNKS);
    let (ours, second) = (compressed(&chunked(), 1, false), HEADER_BYTES + 0x4f);
    let next = HEADER_BYTES + usize::from(ours[HEADER_BYTES - 1]);
    for (ours, golden) in [(&ours[..], &golden[..]), (&ours[next..], &golden[second..])] {
        assert_eq!(ours[..HEADER_BYTES - 1], golden[..HEADER_BYTES - 1], "header");
        assert_eq!(ours[HEADER_BYTES..HEADER_BYTES + 4], golden[HEADER_BYTES..HEADER_BYTES + 4], "claim");
    }
}

/// Where compression was not agreed on the header alone is enough: nothing that it announces is waited for.
#[test]
fn a_compressed_package_that_nobody_agreed_on_is_refused_by_its_header() {
    let mut plain = Decoder::new(PACKAGE_BYTES_MAX);
    plain.push(&bytes(CHUNKS)[..HEADER_BYTES]);
    assert_eq!(plain.next_payload(), Err(Violation::PackageFlags { flags: 0x80 }));
}
