//! A peer that knows the protocol as it is written down and nothing that came later: it offers the plain name, says nothing of packets,
//! writes on one stream, and does not know what a compressed package is.

use super::compressed::{batch, statuses};
use super::rogue::{RawCloud, RawNode};
use super::*;
use edgehub_core::package::{Control, Incoming, pong};

/// Says nothing of how large packets may be: this is what the standard takes for said then.
fn announces_nothing() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(65527).unwrap();
    config
}

/// What comes on all streams of a peer, read by somebody who takes plain packages only.
pub(super) fn read_plain(connection: &Connection) -> Receiver<Result<Message, Violation>> {
    let (found, messages) = async_channel::unbounded();
    let connection = connection.clone();
    let accept = async move {
        let mut number = 0;
        while let Ok((_, receive)) = connection.accept_bi().await {
            smol::spawn(read_stream(receive, number, found.clone())).detach();
            number += 1;
        }
    };
    smol::spawn(accept).detach();
    messages
}

async fn read_stream(mut receive: RecvStream, number: usize, found: Sender<Result<Message, Violation>>) {
    let mut stream = Incoming::new(number, false);
    while let Ok(Some(chunk)) = receive.read_chunk(usize::MAX, true).await {
        stream.push(&chunk.bytes);
        loop {
            let next = match stream.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(violation) => Err(violation),
            };
            let is_over = next.is_err();
            let _ = found.try_send(next);
            if is_over {
                return;
            }
        }
    }
}

/// The control lane, as such a peer hears it.
struct Lane {
    receive: RecvStream,
    lane: Incoming,
}

impl Lane {
    async fn next(&mut self) -> Control {
        Control::of(&reading::control_message(&mut self.receive, &mut self.lane).await.unwrap()).unwrap()
    }

    async fn hears_answer(&mut self, to: &str) {
        assert_eq!(self.next().await, Control::Answer { to: to.into(), accepted: true });
    }

    /// The number of the next ping, which counts so many messages.
    async fn hears_ping(&mut self, messages: usize) -> u64 {
        let Control::Ping(ping) = self.next().await else { panic!("not a ping") };
        assert_eq!(ping.written.iter().sum::<u64>(), messages as u64);
        ping.number
    }
}

fn ping(number: u64, written: u64) -> Bytes {
    writing::package(&Ping { number, written: vec![written] }.to_message().unwrap())
}

/// One stream with all that is written, in its only form.
fn one_stream(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let packages = numbers.map(|number| writing::package(&message(number, "")));
    MESSAGES.into_iter().chain(packages.flatten()).collect()
}

/// What a peer of today writes: much that could be compressed, a question, an answer.
fn all_kinds() -> Vec<Message> {
    let draft = Draft { group: "meta", ..Draft::default() };
    let question = Draft { msg_id: "question", operation: "query", ..draft }.encode().unwrap();
    let answer = Draft { msg_id: "answer", parent_msg_id: "1", ..draft }.encode().unwrap();
    statuses().into_iter().chain([question, answer]).collect()
}

/// All of these come, on whatever streams.
async fn arrive(arrives: &Receiver<Result<Message, Violation>>, messages: Vec<Message>) {
    let mut missing = messages;
    while !missing.is_empty() {
        let message = arrives.recv().await.unwrap().unwrap();
        let at = missing.iter().position(|other| *other == message).expect("one of them, once");
        missing.remove(at);
    }
}

/// These messages, in order, and a pong, whenever it comes.
async fn reads_with_pong(reads: &Receiver<Read>, numbers: std::ops::Range<u64>) {
    let (mut next, mut answered) = (numbers.start, false);
    while next < numbers.end || !answered {
        match reads.recv().await {
            Ok(Read::Message(read)) if read == message(next, "") => next += 1,
            Ok(Read::Pong(1)) if !answered => answered = true,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_older_node_is_served_in_its_way() {
    smol::block_on(async {
        let bench = Bench::with_compression(true);
        let raw = bench.raw_at(bench.address, ALPN, announces_nothing()).await.unwrap();
        let mut control = raw.stream(&hello()).await;
        let (reads, from_cloud) = (bench.next_session().await.unwrap(), bench.writers.recv().await.unwrap());
        let receive = raw.answers.lock().unwrap().remove(0);
        let mut lane = Lane { receive, lane: Incoming::control_lane() };
        lane.hears_answer("header").await;
        let arrives = read_plain(&raw.connection);

        let messages = all_kinds();
        from_cloud.try_send(batch(&messages)).unwrap();
        let asked = lane.hears_ping(messages.len()).await;
        arrive(&arrives, messages).await;
        control.write_all(&writing::package(&pong(asked).unwrap())).await.unwrap();

        let _stream = raw.stream(&one_stream(0..3)).await;
        reads_with_pong(&reads, 0..3).await;
        control.write_all(&ping(7, 3)).await.unwrap();
        lane.hears_answer("7").await;
        // What it says on the control lane beside that has its answer, and means nothing.
        let other = Draft { msg_id: "c", operation: "config", ..Draft::default() }.encode().unwrap();
        control.write_all(&writing::package(&other)).await.unwrap();
        lane.hears_answer("c").await;
        assert!(raw.connection.close_reason().is_none() && reads.is_empty());
    });
}

#[test]
fn an_older_cloud_is_spoken_to_in_its_way() {
    smol::block_on(async {
        let cloud = RawCloud::with(announces_nothing(), false);
        let (writes, to_write) = async_channel::unbounded();
        let (told, heard) = async_channel::unbounded();
        let node = async {
            let client = Client::new(&Config::default(), true);
            let session = client.open(cloud.target(), HANDSHAKE, cloud.tls()).await.unwrap();
            session.run(to_write, Reads(told)).await;
        };
        let hears = async {
            let mut node = cloud.accept().await;
            node.welcome().await;
            let RawNode { connection, mut control, hears, lane, .. } = node;
            let mut lane = Lane { receive: hears, lane };
            let arrives = read_plain(&connection);

            let messages = all_kinds();
            writes.try_send(batch(&messages)).unwrap();
            let asked = lane.hears_ping(messages.len()).await;
            arrive(&arrives, messages).await;
            control.write_all(&writing::package(&pong(asked).unwrap())).await.unwrap();

            let (mut stream, _unused) = connection.open_bi().await.unwrap();
            stream.write_all(&one_stream(0..3)).await.unwrap();
            reads_with_pong(&heard, 0..3).await;
            control.write_all(&ping(7, 3)).await.unwrap();
            lane.hears_answer("7").await;
            assert!(connection.close_reason().is_none() && heard.is_empty());
            drop(writes);
        };
        zip(node, hears).await;
    });
}
