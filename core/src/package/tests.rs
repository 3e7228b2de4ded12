use super::*;
use crate::limits::{CONTROL_PACKAGE_BYTES_MAX, FIELD_BYTES_MAX, LARGE_PACKAGE_BYTES, PACKAGE_BYTES_MAX};
use crate::message::{Content, Draft, Field, Message};
use crate::time::UnixMillis;
use crate::violation::Violation;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use prost::Message as _;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

mod golden;
mod old_peer;

/// A message with every field that KubeEdge's own protobuf has, made by hand from its numbers.
const GOLDEN: &str = "0101010001000000005d0a1e0a0469642d31120469642d301880a0abfef96220012a076368616e6e656c12260a056564\
67656412046d6574611a06757064617465220f64656661756c742f706f642f7765621a137b227068617365223a2252756e6e696e67227d";

/// A payload of a newer peer: fields that nobody knows yet, of every wire type, beside our own.
const NEWER: &str = "0a140a0137180332023432980605c23e056c61746572121e2201722a09776562736f636b6574ed0461626364f1046162636465\
6667681a0568656c6c6f2002c20c0178";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().collect();
    digits.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// A message as a package, in the very octets that the other library for protobuf writes.
fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    super::encode(message, &mut out);
    let package = out.freeze();
    let payload = package.slice(HEADER_BYTES..);
    let wire = wire::Wire::decode(payload.clone()).expect("protobuf");
    assert_eq!(wire.encode_to_vec(), payload);
    assert!(package.len() <= encoded_bytes_max(message));
    package
}

fn decode(package: &[u8]) -> Result<Message, Violation> {
    let mut decoder = Decoder::new(PACKAGE_BYTES_MAX);
    decoder.push(package);
    let payload = decoder.next_payload()?.expect("a whole package");
    assert_eq!(decoder.waiting_bytes(), 0);
    Reader::default().message(payload)
}

#[test]
fn the_golden_package_is_read_and_written() {
    let frame = r#"{"header":{"msg_id":"id-1","parent_msg_id":"id-0","timestamp":1700000000000,"sync":true,"type":"channel"},"route":{"source":"edged","group":"meta","operation":"update","resource":"default/pod/web"},"content":{"phase":"Running"}}"#;
    let message = decode(&bytes(GOLDEN)).unwrap();
    assert_eq!(&**message.frame(), frame);
    // Ours says which form the content has: field 4, a varint, is 1.
    let mut ours = bytes(GOLDEN);
    ours[9] += 2;
    ours.extend([0x20, 0x01]);
    assert_eq!(encode(&Message::decode(frame).unwrap()), ours);
}

#[test]
fn fields_of_newer_peers_are_skipped() {
    let message = Reader::default().message(bytes(NEWER).into()).unwrap();
    assert_eq!(
        &**message.frame(),
        r#"{"header":{"msg_id":"7","timestamp":-2,"resourceversion":"42"},"route":{"destination":"websocket","resource":"r"},"content":"hello"}"#
    );
}

#[test]
fn contents_without_a_form_are_taken_for_what_they_look_like() {
    let check = |content: &[u8], json: &str| {
        let length = u8::try_from(content.len()).unwrap();
        let payload = [&[0x1a, length], content].concat();
        assert_eq!(Reader::default().message(payload.into()).unwrap().content(), json);
    };
    check(b"", "null");
    check(b"{\"a\": 1}", "{\"a\": 1}");
    check(b"12", "12");
    check(b"hello \"you\"", "\"hello \\\"you\\\"\"");
    check(b"\xff\x00", "\"/wA=\"");
    assert_eq!(Reader::default().message(Bytes::new()).unwrap().content(), "null");
}

#[test]
fn bad_payloads_have_their_names() {
    let check = |payload: &[u8], violation| {
        assert_eq!(Reader::default().message(payload.to_vec().into()), Err(violation), "{payload:?}");
    };
    check(&[0x0a, 0x05, 0x0a], Violation::NotProtobuf);
    check(&[0x18, 0x01], Violation::NotProtobuf);
    check(&[0x1a, 0x02, b'{', b'}', 0x20, 0x02, 0x07], Violation::NotProtobuf);
    check(&[0x1a, 0x01, b'{', 0x20, 0x01], Violation::Truncated);
    check(&[0x1a, 0x03, b'1', b' ', b'2', 0x20, 0x01], Violation::NotJson { at: 2 });
    check(&[0x1a, 0x01, 0xff, 0x20, 0x01], Violation::NotUtf8);
    check(&[0x1a, 0x01, 0xff, 0x20, 0x02], Violation::NotUtf8);
    let deep = [&[0x1a, 0x80, 0x01][..], &[b'['; 64], &[b']'; 64], &[0x20, 0x01]].concat();
    assert!(Reader::default().message(deep.into()).is_ok());
    let deep = [&[0x1a, 0x80, 0x02][..], &[b'['; 128], &[b']'; 128], &[0x20, 0x01]].concat();
    check(&deep, Violation::NestingTooDeep { at: 127 });
    let id = |bytes: usize| {
        let id =
            [&[0x0a, (bytes & 0x7f) as u8 | 0x80, (bytes >> 7) as u8][..], &std::vec![b'x'; bytes]].concat();
        [&[0x0a, (id.len() & 0x7f) as u8 | 0x80, (id.len() >> 7) as u8][..], &id].concat()
    };
    assert_eq!(
        Reader::default().message(id(FIELD_BYTES_MAX).into()).unwrap().msg_id().len(),
        FIELD_BYTES_MAX
    );
    let bytes = FIELD_BYTES_MAX + 1;
    check(&id(bytes), Violation::FieldTooLong { field: Field::MsgId, bytes });
}

#[test]
fn bad_headers_have_their_names_and_end_the_stream() {
    let header = Header { compressed: false, length: 0 }.to_bytes();
    let check = |at: usize, octet: u8, violation| {
        let mut decoder = Decoder::new(8);
        let mut broken = header;
        broken[at] = octet;
        decoder.push(&broken);
        for _ in 0..2 {
            assert_eq!(decoder.next_payload(), Err(violation));
            decoder.push(&header);
        }
        assert_eq!((decoder.finish(), decoder.waiting_bytes()), (Err(violation), 0));
    };
    check(2, 2, Violation::PackageVersion { version: 0x0101_0200 });
    check(4, 4, Violation::PackageType { code: 4 });
    check(4, 0, Violation::PackageType { code: 0 });
    check(5, 0x40, Violation::PackageFlags { flags: 0x40 });
    check(5, 0x80, Violation::PackageFlags { flags: 0x80 });
    check(9, 9, Violation::PackageTooLarge { bytes: 9, limit: 8 });
    let mut decoder = Decoder::new(8);
    decoder.push(&[&Header { compressed: false, length: 8 }.to_bytes()[..], b"12345678"].concat());
    assert_eq!(decoder.next_payload().unwrap().unwrap(), "12345678");
    assert_eq!(decoder.finish(), Ok(()));
}

#[test]
fn a_claimed_length_reserves_nothing() {
    let mut decoder = Decoder::new(PACKAGE_BYTES_MAX);
    let length = u32::try_from(PACKAGE_BYTES_MAX).unwrap();
    decoder.push(&Header { compressed: false, length }.to_bytes());
    assert_eq!(decoder.next_payload(), Ok(None));
    assert_eq!(decoder.waiting_bytes(), HEADER_BYTES);
    assert!(decoder.buffer_capacity() < 1024);
    assert_eq!(decoder.finish(), Err(Violation::PackageTruncated));
}

#[test]
fn members_that_nobody_knows_travel_along() {
    let frame = r#"{"header":{"msg_id":"1","timestamp":7,"new":[2]},"route":{"group":"g","x":"y"},"content":{"a" : 1},"z":1}"#;
    let message = Message::decode(frame).unwrap();
    assert_eq!(decode(&encode(&message)).unwrap(), message);
    // A peer's members are read like a frame's.
    let payload = [&[0x2a, 0x02][..], b",x"].concat();
    assert_eq!(Reader::default().message(payload.into()), Err(Violation::NotJson { at: 64 }));
}

#[test]
fn the_largest_frame_has_room_in_a_package() {
    for (content, quote) in [("x", "\""), ("\\n", "\""), ("\\/", "\""), ("1", "")] {
        let around = "{\"content\":}".len() + 2 * quote.len();
        let text = content.repeat((PACKAGE_BYTES_MAX - around) / content.len());
        let message = Message::decode(format!("{{\"content\":{quote}{text}{quote}}}")).unwrap();
        let mut decoder = Decoder::new(PACKAGE_BYTES_MAX);
        decoder.push(&encode(&message));
        assert!(decoder.next_payload().unwrap().is_some());
    }
}

#[test]
fn what_is_said_on_the_control_lane_is_understood() {
    let check = |message: &Message, control: Control| {
        let package = encode(message);
        assert!(package.len() <= CONTROL_PACKAGE_BYTES_MAX);
        assert_eq!(Control::of(&decode(&package).unwrap()), Ok(control));
    };
    let hello = Hello { node: "edge-1".into(), project: "p".into() };
    let first = hello.to_message().unwrap();
    assert_eq!(first.content(), r#"{"Node_id":["edge-1"],"Project_id":["p"]}"#);
    check(&first, Control::Hello(hello));
    check(&answer(&first, true).unwrap(), Control::Answer { to: "header".into(), accepted: true });
    check(&answer(&first, false).unwrap(), Control::Answer { to: "header".into(), accepted: false });
    let ping = Ping { number: 7, written: std::vec![3, u64::MAX] };
    check(&ping.to_message().unwrap(), Control::Ping(ping));
    check(&pong(7).unwrap(), Control::Answer { to: "7".into(), accepted: true });
    check(&Draft { operation: "config", ..Draft::default() }.encode().unwrap(), Control::Other);
}

#[test]
fn what_does_not_belong_on_the_control_lane_is_refused() {
    let check = |draft: Draft<'_>| {
        assert_eq!(Control::of(&draft.encode().unwrap()), Err(Violation::ControlLane), "{draft:?}");
    };
    let draft = Draft::default();
    check(Draft { parent_msg_id: "1", content: Content::Text("perhaps"), ..draft });
    check(Draft { operation: "header", resource: "header", content: Content::Text("edge-1"), ..draft });
    let nobody = serde_json::value::to_raw_value(&[("Node_id", ["x"])]).unwrap();
    check(Draft { operation: "header", resource: "header", content: Content::Json(&nobody), ..draft });
    check(Draft { operation: "ping", resource: "streams", content: Content::Text("1"), ..draft });
    check(Draft { operation: "ping", resource: "streams", msg_id: "1", ..draft });
}

proptest! {
    /// Whatever a WebSocket carries comes out of a package as it went in; only white space and order around known members
    /// become ours, and a second time nothing changes any more.
    #[test]
    fn a_frame_survives(
        ids in prop::array::uniform4(".{0,12}"), route in prop::array::uniform5("[a-z/\"é]{0,9}"),
        timestamp in any::<i64>(), sync in any::<bool>(), text in ".{0,40}",
        raw in prop::option::of(r#"\{"a" ?: ?(1|"\\u003c"|"\\/")\}|"\\u003c"|"(\\n|[<>&])*"|null|-1[.]50e3"#),
    ) {
        let raw = raw.map(|raw| serde_json::from_str::<std::boxed::Box<serde_json::value::RawValue>>(&raw).unwrap());
        let content = raw.as_deref().map_or(Content::Text(&text), Content::Json);
        let draft = Draft {
            msg_id: &ids[0], parent_msg_id: &ids[1], resource_version: &ids[2], message_type: &ids[3],
            timestamp: UnixMillis(timestamp), sync, source: &route[0], destination: &route[1], group: &route[2],
            operation: &route[3], resource: &route[4], content,
        };
        let message = draft.encode().unwrap();
        let there = decode(&encode(&message)).unwrap();
        prop_assert_eq!(there.frame(), message.frame());
    }

    #[test]
    fn any_frame_has_the_same_meaning_on_the_other_side(
        frame in r#" ?\{"(content|x)" ?: ?(1|"a\\u003c"|\{\}), ?"header": ?\{"(timestamp|y)": ?[1-9][0-9]{0,8}(, "msg_id":"[a-z]")?\}(,"Route":\{"group":"g","z":null\})?\}"#,
    ) {
        let message = Message::decode(frame).unwrap();
        let there = decode(&encode(&message)).unwrap();
        prop_assert_eq!(there.content(), message.content());
        prop_assert_eq!(there.msg_id(), message.msg_id());
        prop_assert_eq!(there.group(), message.group());
        prop_assert_eq!(there.timestamp(), message.timestamp());
        prop_assert_eq!(there.unknown_members(), message.unknown_members());
        prop_assert_eq!(decode(&encode(&there)).unwrap(), there);
    }

    #[test]
    fn packages_are_found_however_the_stream_is_split(
        sizes in prop::collection::vec(0_usize..40, 0..6), cuts in prop::collection::vec(1_usize..30, 1..20),
    ) {
        let mut stream = Vec::new();
        let mut sent = Vec::new();
        for (number, size) in sizes.into_iter().enumerate() {
            let payload = number.to_string().repeat(size);
            let length = u32::try_from(payload.len()).unwrap();
            stream.extend(Header { compressed: false, length }.to_bytes());
            stream.extend(payload.as_bytes());
            sent.push(payload);
        }
        let mut decoder = Decoder::new(64);
        let mut found: Vec<String> = Vec::new();
        let mut cuts = cuts.into_iter().cycle();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            decoder.push(piece);
            rest = after;
            while let Some(payload) = decoder.next_payload().unwrap() {
                found.push(String::from_utf8(payload.to_vec()).unwrap());
            }
        }
        prop_assert_eq!(found, sent);
        prop_assert_eq!(decoder.finish(), Ok(()));
    }
}

/// A stream of these messages, `batch` of them in a chunk.
fn compressed(messages: &[Message], batch: usize, anew: bool) -> BytesMut {
    let (mut compressor, mut out) = (Compressor::default(), BytesMut::new());
    for some in messages.chunks(batch) {
        let packages: Vec<u8> = some.iter().flat_map(|message| encode(message).to_vec()).collect();
        if anew {
            compressor.begin_anew();
        }
        compressor.compress(&packages, &mut out);
    }
    out
}

/// Every message of a compressed stream that arrives in pieces of this length.
fn decompressed(stream: &[u8], piece: usize) -> Result<Vec<Message>, Violation> {
    let mut decoder = Decoder::with_compression(PACKAGE_BYTES_MAX);
    let mut found = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.push(piece);
        while let Some(payload) = decoder.next_payload()? {
            found.push(Reader::default().message(payload)?);
        }
    }
    decoder.finish().map(|()| found)
}

fn status(number: usize, length: usize) -> Message {
    let text: String = (0..length).map(|at| char::from(b'a' + ((at * at + number) % 23) as u8)).collect();
    let id = number.to_string();
    let draft = Draft {
        msg_id: &id,
        content: Content::Text(&text),
        resource: "default/podstatus",
        ..Draft::default()
    };
    draft.encode().unwrap()
}

#[test]
fn what_was_compressed_comes_back() {
    let lengths =
        [0, 1, 30, 300, 5_000, crate::limits::CHUNK_BYTES_MAX, 3 * crate::limits::CHUNK_BYTES_MAX + 7, 9];
    let messages: Vec<Message> =
        lengths.iter().enumerate().map(|(number, length)| status(number, *length)).collect();
    for anew in [false, true] {
        for batch in [1, 3, 8] {
            let stream = compressed(&messages, batch, anew);
            for piece in [1, 1000, stream.len()] {
                assert_eq!(decompressed(&stream, piece).unwrap(), messages, "{anew} {batch} {piece}");
            }
        }
    }
}

#[test]
fn messages_that_resemble_each_other_become_small() {
    let messages: Vec<Message> = (0..100).map(|number| status(number, 300)).collect();
    let plain: usize = messages.iter().map(|message| encode(message).len()).sum();
    assert!(compressed(&messages, 1, false).len() * 3 < plain);
    assert!(compressed(&messages, 1, true).len() < plain, "each for itself, too, but less so");
}

#[test]
fn what_is_compressed_already_is_left_alone() {
    let mut random = crate::rng::Rng::new(1);
    let noise: Vec<u8> = (0..3000).map(|_| random.below(256) as u8).collect();
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64: Vec<u8> = (0..3000).map(|_| ALPHABET[random.below(64) as usize]).collect();
    assert!(!pays(&noise) && !pays(&base64));
    assert!(pays(&noise[..400]), "nothing can be said of a few octets");
    let json = br#"{"phase":"Running","conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}],"hostIP":"192.0.2.7"}"#;
    assert!(pays(&json.repeat(20)));
}

/// A message that deflate makes a hundred times shorter, in one piece: nothing of it is there before it is let in but what tells that it is large.
#[test]
fn a_large_message_waits_until_it_is_let_in() {
    let check = |payload: usize, waits: bool| {
        let text = "x".repeat(payload - encode(&status(1, 0)).len());
        let message = Draft { content: Content::Text(&text), ..Draft::default() }.encode().unwrap();
        let stream = compressed(&[message.clone(), status(2, 10)], 2, true);
        let mut decoder = Decoder::with_compression(PACKAGE_BYTES_MAX);
        decoder.push(&stream);
        if waits {
            assert_eq!(decoder.next_payload(), Ok(None));
            assert!(decoder.is_large() && !decoder.is_let_in());
            assert!(decoder.waiting_bytes() < crate::limits::CHUNK_BYTES_MAX + stream.len());
            decoder.let_in();
            assert!(!decoder.is_large() && decoder.is_let_in());
        }
        let read = decoder.next_payload().unwrap().expect("the message");
        assert_eq!(Reader::default().message(read).unwrap(), message);
        assert!(
            !decoder.is_let_in() && decoder.next_payload().unwrap().is_some(),
            "the next one is not large"
        );
    };
    check(LARGE_PACKAGE_BYTES, false);
    check(2 * LARGE_PACKAGE_BYTES, true);
    let plain = |length: usize| {
        let mut decoder = Decoder::new(PACKAGE_BYTES_MAX);
        decoder.push(&Header { compressed: false, length: length as u32 }.to_bytes());
        decoder.is_large()
    };
    assert!(!plain(LARGE_PACKAGE_BYTES) && plain(LARGE_PACKAGE_BYTES + 1));
}

/// A compressed package with this claim and this payload behind it.
fn chunk(claim: u32, deflate: &[u8]) -> Vec<u8> {
    let length = u32::try_from(4 + deflate.len()).unwrap();
    let header = Header { compressed: true, length }.to_bytes();
    [&header[..], &claim.to_be_bytes(), deflate].concat()
}

#[test]
fn bombs_and_other_bad_chunks_have_their_names() {
    use crate::limits::{CHUNK_BYTES_MAX, COMPRESSED_BYTES_MAX};
    let check = |stream: &[u8], violation| {
        let mut decoder = Decoder::with_compression(PACKAGE_BYTES_MAX);
        decoder.push(stream);
        for _ in 0..2 {
            assert_eq!(decoder.next_payload(), Err(violation));
        }
        assert_eq!(decoder.waiting_bytes(), 0);
    };
    let good = compressed(&[status(1, 400)], 1, true);
    let deflate = &good[HEADER_BYTES + 4..];
    let length = u32::from_be_bytes(good[HEADER_BYTES..HEADER_BYTES + 4].try_into().unwrap());
    // A claim beyond the limit is refused before anything is decompressed.
    let claim = CHUNK_BYTES_MAX as u32 + 1;
    check(
        &chunk(claim, deflate),
        Violation::PackageTooLarge { bytes: CHUNK_BYTES_MAX + 1, limit: CHUNK_BYTES_MAX },
    );
    // So is a payload that is longer than any that deflate makes.
    let header = Header { compressed: true, length: COMPRESSED_BYTES_MAX as u32 + 1 };
    let large = Violation::PackageTooLarge { bytes: COMPRESSED_BYTES_MAX + 1, limit: COMPRESSED_BYTES_MAX };
    check(&header.to_bytes(), large);
    // What becomes longer, or less, than it says, is no deflate, ends inside, or has something behind it.
    for claim in [length - 1, length + 1, 0] {
        check(&chunk(claim, deflate), Violation::NotDeflate);
    }
    check(&chunk(length, &deflate[..deflate.len() / 2]), Violation::NotDeflate);
    check(&chunk(length, &[deflate, b"\0"].concat()), Violation::NotDeflate);
    check(&chunk(length, &[0xff; 40]), Violation::NotDeflate);
    check(&chunk(5, &[1, 5, 0, 0xfa, 0xff, 1, 2, 3, 4, 5]), Violation::NotDeflate);
    check(
        &Header { compressed: true, length: 3 }.to_bytes().into_iter().chain([0; 3]).collect::<Vec<u8>>(),
        Violation::NotDeflate,
    );
    // A megabyte of zeros in a chunk that says so little.
    let zeros = compressed(&[status(1, 0)], 1, true);
    check(
        &chunk(zeros.len() as u32, &miniz_oxide::deflate::compress_to_vec(&std::vec![0; 1 << 20], 9)),
        Violation::NotDeflate,
    );
    // They are compressed once, and where it was agreed on.
    let (mut twice, mut compressor) = (BytesMut::new(), Compressor::default());
    compressor.compress(&good, &mut twice);
    check(&twice, Violation::PackageFlags { flags: 0x80 });
    let mut plain = Decoder::new(PACKAGE_BYTES_MAX);
    plain.push(&good);
    assert_eq!(plain.next_payload(), Err(Violation::PackageFlags { flags: 0x80 }));
    // Nothing plain between two pieces of one package.
    let (mut half, mut compressor) = (BytesMut::new(), Compressor::default());
    let package = encode(&status(1, 400));
    compressor.compress(&package[..200], &mut half);
    half.extend_from_slice(&package);
    check(&half, Violation::PackageTruncated);
}
