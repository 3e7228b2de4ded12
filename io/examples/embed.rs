//! A program with a module of its own: joins, sends, asks, receives.
//!
//! `cargo run --example embed` runs it against a CloudHub on loopback that it starts itself.

use edgehub::EdgeHub;
use edgehub::core::cloud::Delivery;
use edgehub::core::{Config, Content, Draft};
use edgehub::loopback::Loopback;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        // The cloud's side; on a real node there is one already.
        let loopback = Loopback::new()?;
        let (server, server_driver) = loopback.serve(loopback.server_options()?).await?;
        smol::spawn(server_driver.run()).detach();
        let answering = server.clone();
        smol::spawn(async move {
            while let Some((node, message)) = answering.receive().await {
                println!("cloud: {} {} {}", message.source(), message.operation(), message.resource());
                let draft = Draft::response_to(&message, "answer", message.timestamp());
                if let (Ok(answer), "query") =
                    (Draft { content: Content::Text("21 °C"), ..draft }.encode(), message.operation())
                {
                    let _ = answering.send(&node, answer, Delivery::Unacknowledged).await;
                }
            }
        })
        .detach();

        // The node's side: a hub, and a module in it.
        let ticket = loopback.ticket(server.address(), "edge-1")?;
        let (hub, driver) = EdgeHub::new(ticket.options(Config::default())?);
        smol::spawn(driver.run()).detach();
        let module = hub.join("meter", &["bus"]).await?;
        if let Some(message) = module.receive().await {
            println!("module: {}", message.content());
        }
        module.send(module.compose("resource", "update", "default/meter/1", &21.5)?).await?;
        let question = module.compose("resource", "query", "default/setpoint/1", &())?;
        println!("module: the answer is {}", module.request(&question, None).await?.content());
        let account = hub.shutdown().await?;
        println!("confirmed {}, dropped {}", account.up.confirmed, account.up.dropped());
        Ok(())
    })
}
