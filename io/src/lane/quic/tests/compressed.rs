//! What is compressed, where both ends have agreed on it, and what bad chunks get.

use super::rogue::RawCloud;
use super::*;
use edgehub_core::package::{Incoming, STREAMS};

/// What arrives at the cloud of these messages.
fn sent(messages: &[Message], offered: bool, accepted: bool) -> Vec<Message> {
    smol::block_on(async {
        let bench = Bench::with_compression(accepted);
        let client = Client::new(&Config::default(), offered);
        let session = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        let reads = bench.next_session().await.unwrap();
        let (writes, to_write) = async_channel::unbounded();
        writes.try_send(batch(messages)).unwrap();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            let mut found = Vec::new();
            while found.len() < messages.len() {
                let Ok(Read::Message(message)) = reads.recv().await else { panic!("no message") };
                found.push(message);
            }
            assert!(matches!(heard.recv().await, Ok(Read::Pong(1))));
            drop(writes);
            found
        };
        zip(session.run(to_write, Reads(told)), talk).await.1
    })
}

/// Messages, and a question for them.
pub(super) fn batch(messages: &[Message]) -> Vec<Write> {
    messages.iter().map(|message| Write::Message(Box::new(message.clone()))).chain([Write::Ping(1)]).collect()
}

/// The bytes on the stream on which a node sends these messages: they are all about one thing.
fn travelled(messages: &[Message], offered: bool, accepted: bool) -> Vec<u8> {
    smol::block_on(async {
        let cloud = RawCloud::with(EndpointConfig::default(), accepted);
        let (writes, to_write) = async_channel::unbounded();
        let node = async {
            let client = Client::new(&Config::default(), offered);
            let session = client.open(cloud.target(), HANDSHAKE, cloud.tls()).await.unwrap();
            session.run(to_write, Reads(async_channel::unbounded().0)).await;
        };
        let cloud = async {
            let mut node = cloud.accept().await;
            node.welcome().await;
            writes.try_send(batch(messages)).unwrap();
            let bytes = a_stream_with(&node.connection, messages.len()).await;
            drop(writes);
            bytes
        };
        zip(node, cloud).await.1
    })
}

/// The bytes of the stream of a peer on which so many messages come.
async fn a_stream_with(connection: &Connection, messages: usize) -> Vec<u8> {
    let mut streams = FuturesUnordered::new();
    for number in 0..STREAMS {
        let (_, mut receive) = connection.accept_bi().await.unwrap();
        streams.push(async move {
            let (mut stream, mut bytes, mut found) = (Incoming::new(number, true), Vec::new(), 0);
            while found < messages {
                let chunk = receive.read_chunk(usize::MAX, true).await.unwrap().expect("more");
                bytes.extend_from_slice(&chunk.bytes);
                stream.push(&chunk.bytes);
                while stream.next_message().unwrap().is_some() {
                    found += 1;
                }
            }
            bytes
        });
    }
    streams.next().await.unwrap()
}

pub(super) fn statuses() -> Vec<Message> {
    let status = |number: u64| {
        let text =
            format!("{{\"phase\":\"Running\",\"restartCount\":{number},\"hostIP\":\"192.0.2.{number}\"}}")
                .repeat(9);
        let id = number.to_string();
        Draft { msg_id: &id, group: "meta", content: Content::Text(&text), ..Draft::default() }
            .encode()
            .unwrap()
    };
    (0..100).map(status).collect()
}

#[test]
fn compression_needs_both_ends_and_changes_no_message() {
    let messages = statuses();
    for (offered, accepted) in [(false, true), (true, false), (true, true)] {
        assert_eq!(sent(&messages, offered, accepted), messages);
    }
    let plain = travelled(&messages, false, true);
    assert_eq!(travelled(&messages, true, false), plain);
    let compressed = travelled(&messages, true, true).len();
    assert!(compressed * 4 < plain.len(), "{compressed} of {}", plain.len());
}

/// A content that looks compressed already.
fn noise() -> Message {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
    Draft { msg_id: "noise", group: "meta", content: Content::Text(&noise), ..Draft::default() }
        .encode()
        .unwrap()
}

#[test]
fn what_is_compressed_already_travels_as_it_is() {
    let noise = noise();
    let messages: Vec<Message> =
        statuses().into_iter().take(3).chain([noise.clone()]).chain(statuses()).collect();
    assert_eq!(sent(&messages, true, true), messages, "in order, too");
    let travelled = travelled(&messages, true, true);
    let has = |message: &Message| {
        let package = writing::package(message);
        travelled.windows(package.len()).any(|bytes| bytes == package)
    };
    assert!(has(&noise) && !messages.iter().filter(|message| **message != noise).any(has));
}

#[test]
fn a_bomb_ends_the_connection_by_its_name() {
    let claim = edgehub_core::limits::CHUNK_BYTES_MAX + 1;
    let violation = Violation::PackageTooLarge { bytes: claim, limit: edgehub_core::limits::CHUNK_BYTES_MAX };
    let chunk = |claim: u32, deflate: &[u8]| {
        let length = deflate.len() as u32 + 4;
        let header = Header { compressed: true, length }.to_bytes();
        [&MESSAGES[..], &header, &claim.to_be_bytes(), deflate].concat()
    };
    for (violation, bytes) in
        [(violation, chunk(claim as u32, &[0; 9])), (Violation::NotDeflate, chunk(9, &[0xff; 9]))]
    {
        check_as(ALPN_COMPRESSED, violation, async move |raw: &Raw, _: &mut SendStream| {
            Some(raw.stream(&bytes).await)
        });
    }
}
