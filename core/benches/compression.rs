//! What compression saves on the QUIC lane, and what it costs: `cargo bench -p edgehub-core --bench compression [-- FRAMES]`, where
//! FRAMES is a file with one frame a line. Without one, statuses and twins as KubeEdge's modules write them.

// A bench may fail.
#![allow(clippy::expect_used)]

use bytes::BytesMut;
use edgehub_core::Message;
use edgehub_core::limits::PACKAGE_BYTES_MAX;
use edgehub_core::package::{Compressor, Decoder, encode};
use std::time::Instant;

const ROUNDS: usize = 20;

fn main() {
    let frames = match std::env::args().nth(1).filter(|argument| !argument.starts_with('-')) {
        Some(file) => {
            std::fs::read_to_string(file).expect("a file of frames").lines().map(String::from).collect()
        }
        None => (0..500).flat_map(|number| [node_status(number), pod_status(number), twin(number)]).collect(),
    };
    let frames: Vec<String> = frames;
    let messages: Vec<Message> =
        frames.into_iter().map(|frame| Message::decode(frame).expect("a frame")).collect();
    println!(
        "| what | batch | packages, bytes a message | compressed | of that | µs a message, there | back |"
    );
    println!("|---|---|---|---|---|---|---|");
    for anew in [true, false] {
        for batch in [1, 8, 64] {
            measure(&messages, batch, anew);
        }
    }
}

fn measure(messages: &[Message], batch: usize, anew: bool) {
    let (mut plain, mut compressed) = (0, 0);
    let (mut there, mut back) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let mut compressor = Compressor::default();
        let mut decoder = Decoder::with_compression(PACKAGE_BYTES_MAX);
        (plain, compressed) = (0, 0);
        for some in messages.chunks(batch) {
            let mut packages = BytesMut::new();
            some.iter().for_each(|message| encode(message, &mut packages));
            plain += packages.len();
            let mut out = BytesMut::new();
            let begin = Instant::now();
            if anew {
                compressor.begin_anew();
            }
            compressor.compress(&packages, &mut out);
            there += begin.elapsed().as_secs_f64();
            compressed += out.len();
            let begin = Instant::now();
            decoder.push(&out);
            let found = std::iter::from_fn(|| decoder.next_payload().expect("what was written")).count();
            back += begin.elapsed().as_secs_f64();
            assert_eq!(found, some.len());
        }
    }
    let (count, rounds) = (messages.len(), (messages.len() * ROUNDS) as f64);
    println!(
        "| {} | {batch} | {} | {} | {:.0} % | {:.1} | {:.1} |",
        if anew { "each chunk anew" } else { "one after another" },
        plain / count,
        compressed / count,
        100.0 * compressed as f64 / plain as f64,
        there * 1e6 / rounds,
        back * 1e6 / rounds,
    );
}

/// The status of a node, as edged reports it every ten seconds.
fn node_status(number: u64) -> String {
    let conditions: Vec<String> = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]
        .iter()
        .map(|kind| {
            format!(
                r#"{{"type":"{kind}","status":"False","lastHeartbeatTime":"2026-08-11T07:{:02}:{:02}Z","lastTransitionTime":"2026-08-11T03:11:09Z","reason":"Kubelet{kind}","message":"kubelet reports no {kind}"}}"#,
                number / 6 % 60, number % 6 * 10
            )
        })
        .collect();
    let images: Vec<String> = ["pause", "edge-proxy", "metrics-agent", "sensor-reader", "camera-gateway"]
        .iter()
        .map(|image| format!(r#"{{"names":["registry.local/{image}@sha256:{:032x}{:032x}","registry.local/{image}:1.{number}"],"sizeBytes":{}}}"#, 0x9e37_79b9_7f4a_7c15_u64 as u128 * image.len() as u128, 77_u128 << 90, 1_000_000 + number))
        .collect();
    let content = format!(
        r#"{{"UID":"38796d14-1df3-11e8-8e5a-286ed488f209","Status":{{"capacity":{{"cpu":"4","memory":"8005332Ki","pods":"110"}},"allocatable":{{"cpu":"4","memory":"{}Ki","pods":"110"}},"conditions":[{}],"addresses":[{{"type":"InternalIP","address":"192.0.2.{}"}},{{"type":"Hostname","address":"edge-1"}}],"daemonEndpoints":{{"kubeletEndpoint":{{"Port":10350}}}},"nodeInfo":{{"machineID":"b5a1","systemUUID":"b5a1","bootID":"77aa","kernelVersion":"6.1.0-13-arm64","osImage":"Debian GNU/Linux 12","containerRuntimeVersion":"containerd://1.7.2","kubeletVersion":"v1.29.5-kubeedge-v1.18.0","kubeProxyVersion":"v0.0.0","operatingSystem":"linux","architecture":"arm64"}},"images":[{}]}}}}"#,
        7_900_000 - number * 3,
        conditions.join(","),
        number % 250,
        images.join(",")
    );
    frame(number, 0, "edged", "default/nodestatus/edge-1", "meta", &content)
}

fn pod_status(number: u64) -> String {
    let name = ["web-7d4b9c", "sensor-reader-x2x9p", "camera-gateway-b7kqs"][number as usize % 3];
    let content = format!(
        r#"[{{"UID":"{:08x}-77aa-4bb2-9a3d-0242ac120002","Name":"{name}","Status":{{"phase":"Running","conditions":[{{"type":"Initialized","status":"True","lastTransitionTime":"2026-08-11T03:11:09Z"}},{{"type":"Ready","status":"{}","lastTransitionTime":"2026-08-11T07:{:02}:09Z"}},{{"type":"ContainersReady","status":"True"}},{{"type":"PodScheduled","status":"True"}}],"hostIP":"192.0.2.7","podIP":"10.244.0.{}","startTime":"2026-08-11T03:11:02Z","containerStatuses":[{{"name":"main","state":{{"running":{{"startedAt":"2026-08-11T03:11:08Z"}}}},"ready":true,"restartCount":{},"image":"registry.local/{name}:1.4","imageID":"sha256:9a7b","containerID":"containerd://{:016x}"}}],"qosClass":"BestEffort"}}}}]"#,
        number.wrapping_mul(2_654_435_761) as u32,
        if number.is_multiple_of(5) { "False" } else { "True" },
        number % 60,
        number % 200,
        number / 40,
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    );
    frame(number, 1, "edged", "default/podstatus", "meta", &content)
}

fn twin(number: u64) -> String {
    let content = format!(
        r#"{{"event_id":"","timestamp":{},"twin":{{"temperature":{{"actual":{{"value":"{}.{}","metadata":{{"timestamp":{}}}}},"metadata":{{"type":"string"}}}}}}}}"#,
        1_786_000_000_000 + number * 777,
        20 + number % 9,
        number % 10,
        1_786_000_000_000 + number * 777
    );
    frame(number, 2, "twin", &format!("device/thermometer-{}/twin/update", number % 12), "twin", &content)
}

fn frame(number: u64, kind: u64, source: &str, resource: &str, group: &str, content: &str) -> String {
    let id = (number * 3 + kind).wrapping_mul(0x2545_f491_4f6c_dd1d);
    format!(
        r#"{{"header":{{"msg_id":"{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}","timestamp":{}}},"route":{{"source":"{source}","group":"{group}","operation":"update","resource":"{resource}"}},"content":{content}}}"#,
        id >> 32,
        id >> 16 & 0xffff,
        id & 0xfff,
        id >> 20 & 0xfff,
        id.rotate_left(21) & 0xffff_ffff_ffff,
        1_786_000_000_000 + number * 777
    )
}
