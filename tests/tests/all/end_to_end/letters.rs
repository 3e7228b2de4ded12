//! What is dropped is on the disk with its reason, and what is requeued arrives.

use super::LANE;
use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use edgehub::journal::{Opened, Options, Settings, cause_of, list, requeue};
use edgehub::loopback::Loopback;
use edgehub_core::Config;
use edgehub_core::class::Classes;
use edgehub_core::hub::DropReason;

const OWNER: &str = "project/edge-1";

/// Room for two messages; the oldest one makes room and becomes a dead letter. All of them are stored.
fn tight() -> Config {
    let mut classes = Classes::default();
    for class in &mut classes.classes {
        (class.persistent, class.dead_letters, class.messages) = (true, true, Some(2));
    }
    Config { classes, ..config() }
}

#[test]
fn a_dropped_message_is_kept_and_can_be_sent_after_all() {
    let (journal, letters) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |mut options: edgehub::Options| {
        options.journal = Some(Opened::open(journal.path(), OWNER, Options::default()).unwrap());
        options.letters = Some(Opened::open(letters.path(), OWNER, Options::dead_letters()).unwrap());
        options
    };
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let mut options = LANE.options(loopback.ticket(server.address(), NODE).unwrap(), tight());
        let targets = std::mem::take(&mut options.targets);
        // Nowhere to go: what is too much is dropped.
        let edge = Edge::with(open(options));
        let module = edge.hub.join("edged", &[]).await.unwrap();
        for number in 0..5 {
            module.send(module.compose("resource", "update", "x", &number).unwrap()).await.unwrap();
        }
        edge.stop().await;
        let kept = list(letters.path()).unwrap();
        let causes: Vec<_> = kept.iter().map(cause_of).collect();
        assert_eq!(causes, [(Some("state"), "class full"); 3]);
        let numbers = [kept[0].number, kept[2].number].into();
        let to = (journal.path(), Options::default());
        let requeued = requeue(letters.path(), to, OWNER, &numbers).await.unwrap();
        assert_eq!((requeued.moved, requeued.missing.len()), (2, 0), "{requeued:?}");
        assert_eq!(list(letters.path()).unwrap().len(), 1);

        let mut options = LANE.options(loopback.ticket(server.address(), NODE).unwrap(), config());
        options.targets = targets;
        let edge = Edge::with(open(options));
        let mut arrived = Vec::new();
        while arrived.len() < 4 {
            arrived.push(server.receive().await.unwrap().1.content().to_string());
        }
        assert_eq!(arrived, ["3", "4", "0", "2"]);
        let account = edge.hub.settled().await.unwrap();
        assert_eq!((account.restored, account.up.dropped()), (4, 0));
    });
}

/// A journal that is full before all of it is stored, in the moment of a stop: the rest is dropped, told, and a letter.
#[test]
fn what_a_full_journal_cannot_keep_at_a_stop_becomes_a_letter() {
    const SENT: u64 = 60;
    let (journal, letters) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = Settings { segment_bytes: 8 * 1024, total_bytes: 48 * 1024, ..Settings::default() };
    let small = Options { settings, ..Options::default() };
    let mut classes = Classes::default();
    classes.classes.iter_mut().for_each(|class| (class.persistent, class.dead_letters) = (true, true));
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let config = Config { classes, ..config() };
        let mut options = LANE.options(loopback.ticket(server.address(), NODE).unwrap(), config);
        options.targets.clear();
        options.journal = Some(Opened::open(journal.path(), OWNER, small.clone()).unwrap());
        options.letters = Some(Opened::open(letters.path(), OWNER, Options::dead_letters()).unwrap());
        let edge = Edge::with(options);
        let module = edge.hub.join("edged", &[]).await.unwrap();
        let content = "x".repeat(1000);
        for _ in 0..SENT {
            module.send(module.compose("resource", "update", "x", &content).unwrap()).await.unwrap();
        }
        let account = edge.stop().await;
        let dropped = account.up.dropped_for(DropReason::Shutdown);
        assert_eq!((account.up.pending + dropped, account.up.accepted), (SENT, SENT));
        assert!(dropped > 0 && account.up.pending > 0, "{account:?}");
        let kept = Opened::open(journal.path(), OWNER, small).unwrap().recovered.live.len() as u64;
        assert_eq!(kept, account.up.pending);
        let buried = list(letters.path()).unwrap();
        assert_eq!((buried.len() as u64, account.letters), (dropped, dropped));
        assert!(buried.iter().map(cause_of).all(|cause| cause == (Some("state"), "hub shutting down")));
    });
}
