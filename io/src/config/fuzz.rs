//! Any bytes as a configuration file. The body of the fuzz target lives here and not with the others, because the
//! simulator, where those are, does not know this crate.

use super::{Lane, NodeConfig, Token};
use crate::websocket::complete_url;
use edgehub_core::limits::CLASSES_MAX;
use std::time::Duration;

/// Files of both dialects, to be changed line by line.
const SAMPLES: [&str; 2] = [
    "apiVersion: edgecore.config.kubeedge.io/v1alpha2
kind: EdgeCore
modules:
  edgeHub:
    enable: true
    heartbeat: 15
    httpServer: https://192.0.2.1:10002
    messageBurst: 60
    messageQPS: 30
    projectID: e632aba927ea4ac2b575ec1603d56f10
    quic:
      enable: false
      handshakeTimeout: 30
      readDeadline: 15
      server: 192.0.2.1:10001
      writeDeadline: 15
    rotateCertificates: true
    tlsCaFile: /etc/kubeedge/ca/rootCA.crt
    tlsCertFile: /etc/kubeedge/certs/server.crt
    tlsPrivateKeyFile: /etc/kubeedge/certs/server.key
    token: secret.sauce
    websocket:
      enable: true
      handshakeTimeout: 30
      readDeadline: 15
      server: 192.0.2.1:10000
      writeDeadline: 15
  edged:
    hostnameOverride: edge-1
edgehub:
  pingInterval: 5
  pingMisses: 3
  backoff: {base: 1, max: 60}
  outbox: {messages: 10000, bytes: 67108864}
  syncTimeout: 30
  journal: {dir: /var/lib/edgehub/journal, classes: [state]}
  deadLetters: {bytes: 1048576}
  drain: {rate: 20, above: 100, spread: 10}
  confirm: {messages: 256, time: 0.05, limit: 120}
  stallLimit: 30
  compression: false
  probe: {enable: true, after: 60, limit: 30, resource: k8s/ca.crt}
  cloudKeepalive: 30
  proxy: http://user:pass@192.0.2.9:3128
  noProxy: [192.0.2.0/24, example.org]
  endpoints: {choice: weighted, weights: [2, 1], returnAfter: 600}
  classes:
    telemetry: {delivery: at-most-once}
    alarms:
      priority: 0
      delivery: at-least-once
      timeToLive: 60
      messages: 100
      bytes: 100000
      overflow: reject
      coalesce: true
      persistent: true
      deadLetters: true
      messageBytes: 1000
      rateLimited: false
  rules:
    - kind: request
      group: user
      source: alarm-app
      operation: upload
      resource: alarms/*
      class: alarms
  otherwise: state
",
    "edgehub:
  websocket:
    url: wss://192.0.2.1:10000/e632aba927ea4ac2b575ec1603d56f10/edge-1/events
    certfile: /etc/kubeedge/certs/edge.crt
    keyfile: /etc/kubeedge/certs/edge.key
    handshake-timeout: 40
    write-deadline: 15
    read-deadline: 15
    ssl-cipher: any
  quic:
    url: 192.0.2.1:10001
    cafile: /quic/ca.crt
    handshake-timeout: 31
  controller:
    protocol: websocket
    placement: false
    heartbeat: 20
    refresh-interval: 10
    project-id: e632aba927ea4ac2b575ec1603d56f10
    node-id: edge-1
  pingInterval: 5
  syncTimeout: 30
",
];

/// Reads the bytes as a file, or as changes to one, and that as a configuration. What is accepted must be usable; what
/// is refused must be refused in so many lines; no word about either shows the token.
pub fn fuzz(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else { return };
    let text = match SAMPLES.get(usize::from(*form)) {
        Some(sample) => changed(sample, rest),
        None => String::from_utf8_lossy(data).into_owned(),
    };
    let outcome = NodeConfig::from_yaml(&text);
    assert_eq!(outcome, NodeConfig::from_yaml(&text), "read twice, it is not the same: {text}");
    let told = match &outcome {
        Ok((config, warnings)) => {
            usable(config);
            let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            lines.iter().for_each(|line| assert_one_line(line));
            format!("{config:?} {lines:?}")
        }
        Err(errors) => {
            assert!(!errors.problems.is_empty(), "refused for nothing: {text}");
            errors.problems.iter().for_each(|problem| assert_one_line(&problem.to_string()));
            errors.to_string()
        }
    };
    // A token that is a token to the reader, too, and that nothing else in the file repeats.
    let token = outcome.ok().and_then(|(config, _)| config.token).filter(|token| is_telling(token, &text));
    if let Some(token) = token {
        assert!(!told.contains(token.reveal()), "the token shows in {told}");
    }
}

/// Replaces the values of some lines: the line's number, a length, and so many bytes of text.
fn changed(sample: &str, mut changes: &[u8]) -> String {
    let mut lines: Vec<String> = sample.lines().map(str::to_owned).collect();
    while let [line, length, rest @ ..] = changes {
        let (text, others) = rest.split_at(usize::from(*length).min(rest.len()));
        changes = others;
        let at = usize::from(*line) % lines.len();
        let line = &mut lines[at];
        let key = line.find(':').map_or(0, |colon| colon + 1);
        line.truncate(key);
        line.push(' ');
        line.push_str(&String::from_utf8_lossy(text));
    }
    lines.join("\n")
}

fn usable(config: &NodeConfig) {
    assert!(!config.node_name.is_empty() && !config.project_id.is_empty(), "nameless: {config:?}");
    let lane = config.active_lane();
    assert!(!lane.addresses.is_empty(), "no address: {config:?}");
    if config.lane == Lane::WebSocket {
        for address in &lane.addresses {
            let complete = complete_url(address, &config.project_id, &config.node_name);
            assert!(complete.is_ok(), "{complete:?}: {config:?}");
        }
        assert_eq!(config.websocket_targets().len(), lane.addresses.len());
    }
    for time in [config.heartbeat, config.hub.ping_interval, config.hub.sync_timeout, lane.handshake_timeout]
    {
        assert!(time > Duration::ZERO, "no time at all: {config:?}");
    }
    assert!(config.hub.backoff_base <= config.hub.backoff_max, "upside down: {config:?}");
    assert!(config.hub.drain.is_none_or(|drain| drain.per_second > 0), "never drained: {config:?}");
    let classes = &config.hub.classes;
    assert!(classes.otherwise < classes.classes.len() && classes.classes.len() <= CLASSES_MAX);
    assert!(classes.rules.iter().all(|rule| rule.class < classes.classes.len()), "{classes:?}");
    assert!(config.hub.letters.is_some() || classes.classes.iter().all(|class| !class.dead_letters));
    assert!(config.hub.journal.is_some() || classes.classes.iter().all(|class| !class.persistent));
    assert!(config.hub.outbox_messages > 0 && config.hub.outbox_bytes > 0, "no room: {config:?}");
}

fn assert_one_line(line: &str) {
    assert!(!line.contains(['\n', '\r']), "more than one line: {line:?}");
}

fn is_telling(token: &Token, text: &str) -> bool {
    token.reveal().len() >= 8 && text.matches(token.reveal()).count() == 1
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::path::Path;

    #[test]
    fn the_corpus_of_configuration_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/configuration");
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 12, "{} has only {} files", folder.display(), files.len());
        for file in files {
            let data = std::fs::read(&file).unwrap();
            if let Err(why) = panic::catch_unwind(|| super::fuzz(&data)) {
                let name = file.file_name().unwrap_or_default().display();
                println!("reproduce: cargo fuzz run -s none configuration fuzz/corpus/configuration/{name}");
                panic::resume_unwind(why);
            }
        }
    }

    #[test]
    fn the_samples_are_good() {
        for form in 0..super::SAMPLES.len() {
            let (config, warnings) =
                super::NodeConfig::from_yaml(&super::changed(super::SAMPLES[form], &[])).unwrap();
            assert_eq!((config.node_name.as_str(), warnings), ("edge-1", Vec::new()));
        }
    }
}
