//! What is compressed, where both ends have agreed on it, and what bad chunks get.

use super::rogue::RawCloud;
use super::*;
use edgehub_core::package::{Incoming, STREAMS};

/// What arrives at the cloud of these messages, and how many bytes the node's machine sent for it.
fn sent(messages: &[Message], offered: bool, accepted: bool) -> (Vec<Message>, u64) {
    smol::block_on(async {
        let bench = Bench::with_compression(accepted);
        let client = Client::new(&Config::default(), offered);
        let session = client.open(&bench.target(), HANDSHAKE, bench.tls(NODE)).await.unwrap();
        let connection = session.connection();
        let reads = bench.next_session().await.unwrap();
        let before = connection.stats().udp_tx.bytes;
        let (writes, to_write) = async_channel::unbounded();
        let batch = messages.iter().cloned().map(|message| Write::Message(Box::new(message)));
        writes.try_send(batch.chain([Write::Ping(1)]).collect()).unwrap();
        let (told, heard) = async_channel::unbounded();
        let talk = async {
            let mut found = Vec::new();
            while found.len() < messages.len() {
                let Ok(Read::Message(message)) = reads.recv().await else { panic!("no message") };
                found.push(message);
            }
            assert!(matches!(heard.recv().await, Ok(Read::Pong(1))));
            let bytes = connection.stats().udp_tx.bytes - before;
            drop(writes);
            (found, bytes)
        };
        zip(session.run(to_write, Reads(told)), talk).await.1
    })
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
    let (plain, most) = sent(&messages, false, true);
    let (refused, as_many) = sent(&messages, true, false);
    let (compressed, few) = sent(&messages, true, true);
    assert!(plain == messages && refused == messages && compressed == messages);
    assert!(few * 4 < most && few * 4 < as_many, "{few} of {most} and {as_many}");
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
    assert_eq!(sent(&messages, true, true).0, messages, "in order, too");
    smol::block_on(async {
        let cloud = RawCloud::with(EndpointConfig::default(), true);
        let (writes, to_write) = async_channel::unbounded();
        let node = async {
            let client = Client::new(&Config::default(), true);
            let session = client.open(cloud.target(), HANDSHAKE, cloud.tls()).await.unwrap();
            session.run(to_write, Reads(async_channel::unbounded().0)).await;
        };
        let cloud = async {
            let mut node = cloud.accept().await;
            node.welcome().await;
            let batch = messages.iter().cloned().map(|message| Write::Message(Box::new(message)));
            writes.try_send(batch.collect()).unwrap();
            // All of them are about one thing, and so on one stream.
            let travelled = a_stream_with(&node.connection, messages.len()).await;
            let has = |message: &Message| {
                let package = writing::package(message);
                travelled.windows(package.len()).any(|bytes| bytes == package)
            };
            assert!(has(&noise) && !messages.iter().filter(|message| **message != noise).any(has));
            drop(writes);
        };
        zip(node, cloud).await;
    });
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
