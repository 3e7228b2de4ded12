//! What a sender hears of its message.

use super::Stopped;
use async_channel::{Receiver, Sender};
use edgehub_core::hub::Stage;

/// Tells what becomes of one message. Dropping it stops the telling, and not the message.
#[derive(Debug)]
pub struct Receipt(Receiver<Stage>);

impl Receipt {
    pub(super) fn new() -> (Sender<Stage>, Receipt) {
        let (stages, receiver) = async_channel::bounded(1);
        (stages, Receipt(receiver))
    }

    /// Waits for the end of the message's way. Fails when the driver ended first: then nobody knows.
    pub async fn settled(self) -> Result<Stage, Stopped> {
        self.0.recv().await.map_err(|_| Stopped)
    }
}
