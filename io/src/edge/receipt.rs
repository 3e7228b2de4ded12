//! What a sender hears of its message.

use super::Stopped;
use async_channel::{Receiver, Sender};
use edgehub_core::hub::Stage;

/// Tells what becomes of one message. Dropping it stops the telling, and not the message.
#[derive(Debug)]
pub struct Receipt(Receiver<Stage>);

impl Receipt {
    pub(super) fn new() -> (Sender<Stage>, Receipt) {
        // Stored, and how it ends.
        let (stages, receiver) = async_channel::bounded(2);
        (stages, Receipt(receiver))
    }

    /// Waits for the end of the message's way. Fails when the driver ended first: then nobody knows.
    pub async fn settled(mut self) -> Result<Stage, Stopped> {
        loop {
            let stage = self.next().await?;
            if stage.is_last() {
                return Ok(stage);
            }
        }
    }

    /// Waits for the next stage. Fails when the driver ended first, and after the last one. What is told as
    /// [`Stage::Stored`] is taken up again at the next start if this process ends before it is confirmed.
    pub async fn next(&mut self) -> Result<Stage, Stopped> {
        self.0.recv().await.map_err(|_| Stopped)
    }
}
