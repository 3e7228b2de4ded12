//! The link breaks in every way it can, and comes back.

use super::LANE;
use super::bench_of::{config, pair_over, serve, server_options};
use edgehub_core::hub::LinkEnd;
use futures_util::StreamExt;
use std::collections::BTreeSet;

#[test]
fn a_restarted_server_gets_everything() {
    smol::block_on(async {
        let (loopback, server, edge) = pair_over(LANE, config()).await;
        let address = server.address();
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        let send = |number: u64| module.send(module.compose("resource", "update", "x", &number).unwrap());
        for number in 0..100 {
            send(number).await.unwrap();
        }
        let mut arrived = BTreeSet::new();
        while arrived.len() < 100 {
            arrived.insert(server.receive().await.unwrap().1.content().to_string());
        }
        server.shutdown().await.unwrap();
        assert_eq!(edge.link_down().await, LinkEnd::Closed);
        for number in 100..200 {
            send(number).await.unwrap();
        }
        // The old server has to be gone before its port is free.
        while server.receive().await.is_some() {}
        let server = serve(&loopback, address, server_options(&loopback)).await;
        while arrived.len() < 200 {
            arrived.insert(server.receive().await.unwrap().1.content().to_string());
        }
        let account = edge.hub.settled().await.unwrap();
        assert!(account.balanced() && account.links >= 2);
    });
}

#[test]
fn a_cut_link_loses_nothing() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        let send = async {
            for number in 0..3000 {
                module.send(module.compose("resource", "update", "x", &number).unwrap()).await.unwrap();
            }
        };
        let mut arrived = BTreeSet::new();
        let mut cuts = [500, 1500, 2500].into_iter().peekable();
        let receive = async {
            while arrived.len() < 3000 {
                arrived.insert(server.receive().await.unwrap().1.content().to_string());
                if cuts.next_if_eq(&arrived.len()).is_some() {
                    server.cut_all().await.unwrap();
                }
            }
        };
        smol::future::zip(send, receive).await;
        // What was sent again comes, too: a cloud that nobody empties takes no more, and confirms no more.
        let again = async {
            while server.receive().await.is_some() {}
            unreachable!("the server runs")
        };
        let settled = async { edge.hub.settled().await.unwrap() };
        let account = smol::future::or(settled, again).await;
        assert_eq!(account.up.pending, 0);
        assert!(account.balanced());
    });
}

#[test]
fn a_half_open_link_is_noticed_and_replaced() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        // The server has the session once something arrived; confirmed, it will not be sent again.
        module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        edge.hub.settled().await.unwrap();
        server.freeze_all().await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        assert_eq!(edge.link_down().await, LinkEnd::Silent);
        edge.link_up().await;
        assert_eq!(server.receive().await.unwrap().1.content(), "1", "sent again on the new link");
    });
}

/// What is sent on and on is taken by the frozen server's machine, and proves nothing.
#[test]
fn a_half_open_link_is_noticed_while_modules_send() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        server.freeze_all().await.unwrap();
        let keep_sending = async {
            // A pace, to be noticed under: some messages in every ping interval.
            let mut pace = smol::Timer::interval(config().ping_interval / 10);
            for number in 1.. {
                module.send(module.compose("resource", "update", "x", &number).unwrap()).await.unwrap();
                pace.next().await;
            }
            unreachable!("it sends until the link is lost")
        };
        assert_eq!(smol::future::or(edge.link_down(), keep_sending).await, LinkEnd::Silent);
    });
}
