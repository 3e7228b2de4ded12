//! `edgehub send --lines`: a message for each line of standard input, and with `--track` a line for each thing that
//! becomes of it: `{"line":1,"msg_id":"…","stage":"stored"}`.

use super::super::say;
use super::{Failure, Send, content};
use edgehub::core::hub::Stage;
use edgehub::edge::Receipt;
use edgehub::{EdgeHub, Module};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use smol::future::{or, pending};
use smol::io::{AsyncBufReadExt, BufReader};
use std::time::Duration;

#[derive(Debug, Serialize)]
struct Told<'a> {
    line: u64,
    msg_id: &'a str,
    stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The largest message that would have been taken, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

impl Send {
    /// Sends what comes until standard input ends; returns whether the cloud has it all.
    pub(super) async fn send_lines(&self, hub: &EdgeHub, module: &Module) -> Result<bool, Failure> {
        let mut input = BufReader::new(smol::Unblock::new(std::io::stdin())).lines();
        let mut tracked = FuturesUnordered::new();
        let mut number = 0;
        while let Some(line) = beside(&mut tracked, input.next()).await.transpose()? {
            number += 1;
            let message = module.compose(&self.group, &self.operation, &self.resource, &content(&line))?;
            if self.track {
                let msg_id = message.msg_id().to_string();
                let receipt = beside(&mut tracked, module.send_tracked(message)).await?;
                tracked.push(track(number, msg_id, receipt));
            } else {
                module.send(message).await?;
            }
        }
        let settled = async { hub.settled().await.is_ok_and(|account| account.up.dropped() == 0) };
        let all = beside(&mut tracked, settled);
        let too_long = async {
            smol::Timer::after(Duration::from_secs(self.timeout)).await;
            false
        };
        let sent = or(all, too_long).await;
        if sent {
            while tracked.next().await.is_some() {}
        }
        Ok(sent)
    }
}

/// Waits, and prints meanwhile what becomes of the lines.
async fn beside<T>(
    tracked: &mut FuturesUnordered<impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> T {
    let print = async {
        while tracked.next().await.is_some() {}
        pending().await
    };
    or(work, print).await
}

async fn track(line: u64, msg_id: String, mut receipt: Receipt) {
    while let Ok(stage) = receipt.next().await {
        let (name, reason, limit) = match stage {
            Stage::Stored => ("stored", None, None),
            Stage::Written => ("written", None, None),
            Stage::Confirmed => ("confirmed", None, None),
            Stage::Dropped { reason, limit } => ("dropped", Some(reason.to_string()), limit),
        };
        let told = Told { line, msg_id: &msg_id, stage: name, reason, limit };
        if let Ok(told) = serde_json::to_string(&told) {
            // What was accepted is sent also when nobody reads what becomes of it.
            let _ = say(told);
        }
        if stage.is_last() {
            break;
        }
    }
}
