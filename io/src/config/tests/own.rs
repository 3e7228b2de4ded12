//! Our own settings in either dialect.

use super::*;
use edgehub_core::class::Classes;

/// The page for operators shows every default: what it shows is what a file that says nothing comes to.
#[test]
fn the_documented_defaults_are_the_defaults() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    let shown = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(shown.starts_with("edgehub:\n  pingInterval: "), "{shown}");
    let (config, warnings) = good(&format!("{EDGECORE}{shown}"));
    assert_eq!((config.hub, warnings), (good(EDGECORE).0.hub, good(EDGECORE).1));
}

#[test]
fn our_own_settings_sit_in_the_same_file() {
    let own = "
edgehub:
  pingInterval: 0.5
  pingMisses: 4
  backoff: {base: 2, max: 3}
  outbox: {messages: 5, bytes: 6}
  syncTimeout: 7
  confirm: {messages: 9, time: 0.25, limit: 100}
  stallLimit: 11
  recorder: {path: /srv/edgehub, memory: 8, contents: true, files: 4, fileBytes: 70000}
  acknowledge: {resource: hub, twin: module}
  duplicateWindow: {messages: 0, time: 8}
  journal: {dir: /var/lib/x, bytes: 50000000, classes: [telemetry], memory: 4096}
";
    let mut classes = Classes::default();
    classes.classes[3].persistent = true;
    let expected = HubConfig {
        classes,
        ping_interval: Duration::from_millis(500),
        ping_misses: 4,
        backoff_base: seconds(2),
        backoff_max: seconds(3),
        outbox_messages: 5,
        outbox_bytes: 6,
        sync_timeout: seconds(7),
        confirm: ConfirmConfig { messages: 9, time: Duration::from_millis(250), limit: seconds(100) },
        stall_limit: seconds(11),
        recorder: Some(RecorderConfig {
            path: "/srv/edgehub".into(),
            memory: 8,
            contents: true,
            files: 4,
            file_bytes: 70_000,
        }),
        acknowledged_by_hub: vec!["resource"],
        journal: Some(JournalConfig {
            dir: "/var/lib/x".into(),
            bytes: 50_000_000,
            classes: vec!["telemetry".into()],
            memory: 4096,
            set_aside: false,
        }),
        duplicate_messages: 0,
        duplicate_time: seconds(8),
        ..HubConfig::default()
    };
    let (config, warnings) = good(&format!("{EDGECORE}{own}"));
    assert_eq!((config.hub, warnings), (expected.clone(), vec![]));
    assert_eq!(config.profile, Profile::Current);
    let in_classic = own.replace("edgehub:\n", "");
    let (config, warnings) = good(&format!("{CLASSIC}{in_classic}"));
    assert_eq!((config.hub, warnings), (expected, vec![]));
    assert_eq!(config.profile, Profile::Classic);
}

#[test]
fn dead_letters_lie_beside_the_journal() {
    let letters = |section: &str| good(&format!("{EDGECORE}edgehub:\n{section}")).0.hub.letters;
    let class = "  classes: {state: {deadLetters: true}}\n";
    let with = |rest: &str| letters(&format!("{class}{rest}"));
    let expected = |dir: &str, bytes| Some(LettersConfig { dir: dir.into(), bytes, set_aside: false });
    assert_eq!(with("  journal: {dir: /j}\n"), expected("/j/dead-letters", 16 << 20));
    assert_eq!(with("  deadLetters: {dir: /l, bytes: 50000}\n"), expected("/l", 50_000));
    assert_eq!(letters("  journal: {dir: /j}\n"), None, "no class asks for them");
}

#[test]
fn a_backlog_has_its_pace() {
    use edgehub_core::config::Drain;
    let drain = |section: &str| good(&format!("{EDGECORE}edgehub:\n  drain: {section}\n")).0.hub.drain;
    let set = Drain { per_second: 5, above: 7, spread: Duration::from_millis(500) };
    assert_eq!(drain("{rate: 5, above: 7, spread: 0.5}"), Some(set));
    assert_eq!(drain("{}"), HubConfig::default().drain);
    assert_eq!(drain("{rate: 0}"), None);
    check_bad(
        &format!("{EDGECORE}edgehub:\n  drain: {{rate: fast, above: -1, spread: 0}}\n"),
        &[
            "edgehub.drain.rate: expected a whole number from 0 to 4294967295, found \"fast\"",
            "edgehub.drain.above: expected a whole number from 0 to 10000000, found -1",
            "edgehub.drain.spread: expected a positive number of seconds, found 0",
        ],
    );
}

#[test]
fn a_session_is_asked_for_unless_told_otherwise() {
    use edgehub_core::Probe;
    let reach = |section: &str| good(&format!("{EDGECORE}edgehub:\n  {section}\n")).0.hub.reach;
    let seconds = Duration::from_secs;
    let set = Probe { after: seconds(5), limit: seconds(2), resource: "default/configmap/c".into() };
    assert_eq!(reach("probe: {after: 5, limit: 2, resource: default/configmap/c}").probe, Some(set));
    assert_eq!(reach("probe: {}").probe, Some(Probe::default()));
    assert_eq!(reach("probe: {enable: false}").probe, None);
    assert_eq!(reach("cloudKeepalive: 60").cloud_keepalive, seconds(60));
    check_bad(
        &format!("{EDGECORE}edgehub:\n  probe: {{after: 0, limit: soon}}\n"),
        &[
            "edgehub.probe.after: expected a positive number of seconds, found 0",
            "edgehub.probe.limit: expected a positive number of seconds, found \"soon\"",
        ],
    );
}

#[test]
fn several_servers_have_an_order() {
    use edgehub_core::config::{Choice, Endpoints};
    let endpoints =
        |section: &str| good(&format!("{EDGECORE}edgehub:\n  endpoints: {section}\n")).0.hub.reach.endpoints;
    let return_after = Duration::from_secs(60);
    let set = Endpoints { weights: vec![2, 1], choice: Choice::Weighted, return_after };
    assert_eq!(endpoints("{choice: weighted, weights: [2, 1], returnAfter: 60}"), set);
    assert_eq!(endpoints("{}"), Endpoints::default());
    check_bad(
        &format!("{EDGECORE}edgehub:\n  endpoints: {{choice: nearest, weights: [1, 0]}}\n"),
        &[
            "edgehub.endpoints.weights: expected up to 64 whole numbers from 1 on, one for each server, found [\"1\", \"0\"]",
            "edgehub.endpoints.choice: expected one of ordered, random, weighted, found \"nearest\"",
        ],
    );
}

#[test]
fn a_proxy_is_what_the_file_or_the_environment_says() {
    use crate::reach::{Proxy, ProxyChoice};
    let proxy = |section: &str| good(&format!("{EDGECORE}edgehub:\n  {section}\n")).0.hub.reach.proxy;
    let set = |except: &str| ProxyChoice::Proxy(Proxy::parse("http://u:p@proxy:1").unwrap(), except.into());
    assert_eq!(proxy("proxy: 'http://u:p@proxy:1'"), set(""));
    assert_eq!(proxy("{proxy: 'http://u:p@proxy:1', noProxy: [a, b]}"), set("a,b"));
    assert_eq!(proxy("proxy: none"), ProxyChoice::Direct);
    assert_eq!(proxy("pingMisses: 3"), ProxyChoice::Environment);
    check_bad(
        &format!("{EDGECORE}edgehub:\n  proxy: 'ftp://u:secret@p:1'\n"),
        &["edgehub.proxy: expected a proxy's URL with http:// or socks5://"],
    );
}
