//! The node's side of the demo: a module per group.

use super::show::{Kind, Show};
use crate::cli::Failure;
use edgehub::core::Message;
use edgehub::core::message::operation;
use edgehub::edge::RequestError;
use edgehub::{EdgeHub, Module};
use smol::future::zip;
use std::sync::Arc;
use std::time::Duration;

/// An answer that was cut off with the link is asked for again after this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Node {
    meta: Module,
    twin: Module,
    eventbus: Module,
    taskmanager: Module,
    show: Arc<Show>,
    connected: (async_channel::Sender<()>, async_channel::Receiver<()>),
}

impl Node {
    pub(super) async fn join(hub: &EdgeHub, show: Arc<Show>) -> Result<Node, Failure> {
        let node = Node {
            meta: hub.join("metamanager", &["meta"]).await?,
            twin: hub.join("twin", &["twin"]).await?,
            eventbus: hub.join("eventbus", &["bus"]).await?,
            taskmanager: hub.join("taskmanager", &["taskmanager"]).await?,
            connected: async_channel::bounded(1),
            show,
        };
        node.show.line("node", format_args!("modules joined: metamanager, twin, eventbus, taskmanager"));
        Ok(node)
    }

    /// Waits for the first connect info.
    pub(super) async fn connected(&self) {
        let _ = self.connected.1.recv().await;
    }

    /// Sends telemetry to the cloud, whatever the link does meanwhile.
    pub(super) async fn stream_up(&self, messages: u64, pace: Duration) -> Result<(), Failure> {
        for number in 0..messages {
            let message =
                self.twin.compose("resource", "update", "device/pump/twin/edge_updated", &number)?;
            self.show.line("twin", format_args!("→ cloud   edge_updated #{number}"));
            self.twin.send(message).await?;
            self.show.sent(Kind::Telemetry);
            smol::Timer::after(pace).await;
        }
        Ok(())
    }

    /// Asks the cloud for objects, one after the other.
    pub(super) async fn requests(&self, messages: u64, pace: Duration) -> Result<(), Failure> {
        for number in 0..messages {
            let request =
                self.meta.compose("resource", operation::QUERY, "default/configmap/settings", &number)?;
            self.show.sent(Kind::Request);
            let mut answer = self.meta.request(&request, Some(ANSWER_WITHIN)).await;
            while let Err(RequestError::Failed(told)) = &answer {
                self.show.line(
                    "metamanager",
                    format_args!("⇄ cloud   query #{number}: {}; asked again", told.content()),
                );
                answer = self.meta.request(&request, Some(ANSWER_WITHIN)).await;
            }
            let answer = answer?;
            self.show.line(
                "metamanager",
                format_args!("⇄ cloud   query #{number} answered: {}", answer.content()),
            );
            self.show.arrived(Kind::Request, number);
            smol::Timer::after(pace).await;
        }
        Ok(())
    }

    /// Receives for every module, until the hub stops.
    pub(super) async fn serve(&self) -> Result<(), Failure> {
        let buses = zip(self.receive(&self.eventbus), self.receive(&self.taskmanager));
        let ((meta, twin), (eventbus, taskmanager)) =
            zip(zip(self.receive(&self.meta), self.receive(&self.twin)), buses).await;
        meta.and(twin).and(eventbus).and(taskmanager)
    }

    async fn receive(&self, module: &Module) -> Result<(), Failure> {
        while let Some(message) = module.receive().await {
            if message.operation() == operation::CONNECT {
                self.show.line(module.name(), format_args!("← hub     {}", message.content()));
                let _ = self.connected.0.try_send(());
                continue;
            }
            self.take(module, &message).await?;
        }
        Ok(())
    }

    async fn take(&self, module: &Module, message: &Message) -> Result<(), Failure> {
        let Ok(number) = message.content().parse() else { return Ok(()) };
        let acknowledge = module.name() == "metamanager";
        let kind = if acknowledge { Kind::Acknowledged } else { Kind::Unacknowledged };
        let first = self.show.arrived(kind, number);
        let again = if first { "" } else { " (again: its acknowledgement was lost with the link)" };
        self.show.line(module.name(), format_args!("← cloud   {} #{number}{again}", message.resource()));
        if acknowledge {
            // The hub may have stopped between the message and its acknowledgement.
            let _ = module.send(module.acknowledgement(message)?).await;
        }
        Ok(())
    }
}
