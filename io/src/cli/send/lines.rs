//! `edgehub send --lines`: a message for each line of standard input, and with `--track` a line for each thing that
//! becomes of it: `{"line":1,"msg_id":"…","stage":"stored"}`.

use super::super::say;
use super::{Failure, Send, content};
use edgehub::Module;
use edgehub::core::hub::Stage;
use edgehub::edge::Receipt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use smol::future::{or, pending};
use smol::io::{AsyncBufReadExt, BufReader};
use std::cell::{Cell, RefCell};
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

/// What becomes of all lines together.
#[derive(Debug, Default)]
struct Sum {
    dropped: Cell<u64>,
    /// The first of those: its line, and why.
    first: RefCell<Option<(u64, String)>>,
}

impl Send {
    /// Sends what comes until standard input ends; returns whether it is known in time what becomes of it. What is dropped is a
    /// failure.
    pub(super) async fn send_lines(&self, module: &Module) -> Result<bool, Failure> {
        let mut input = BufReader::new(smol::Unblock::new(std::io::stdin())).lines();
        let sum = Sum::default();
        let mut under_way = FuturesUnordered::new();
        let mut number = 0;
        while let Some(line) = beside(&mut under_way, input.next()).await.transpose()? {
            number += 1;
            let message = module.compose(&self.group, &self.operation, &self.resource, &content(&line))?;
            let msg_id = message.msg_id().to_string();
            let receipt = beside(&mut under_way, module.send_tracked(message)).await?;
            under_way.push(follow(number, msg_id, receipt, self.track, &sum));
        }
        let all = async {
            while under_way.next().await.is_some() {}
            true
        };
        let too_long = async {
            smol::Timer::after(Duration::from_secs(self.timeout)).await;
            false
        };
        let in_time = or(all, too_long).await;
        match sum.first.take() {
            Some((line, why)) => {
                let dropped = sum.dropped.get();
                Err(format!(
                    "{dropped} of {number} messages were dropped, the first of them line {line}: {why}"
                )
                .into())
            }
            None => Ok(in_time),
        }
    }
}

/// Waits, and hears meanwhile what becomes of the lines.
async fn beside<T>(
    under_way: &mut FuturesUnordered<impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> T {
    let hear = async {
        while under_way.next().await.is_some() {}
        pending().await
    };
    or(work, hear).await
}

/// Hears what becomes of a line, counts it, and prints it if that is wanted.
async fn follow(line: u64, msg_id: String, mut receipt: Receipt, print: bool, sum: &Sum) {
    while let Ok(stage) = receipt.next().await {
        let (name, reason, limit) = match stage {
            Stage::Stored => ("stored", None, None),
            Stage::Written => ("written", None, None),
            Stage::Confirmed => ("confirmed", None, None),
            Stage::Dropped { reason, limit } => ("dropped", Some(reason.to_string()), limit),
        };
        if let Some(reason) = &reason {
            sum.dropped.set(sum.dropped.get() + 1);
            sum.first.borrow_mut().get_or_insert_with(|| (line, reason.clone()));
        }
        let told = Told { line, msg_id: &msg_id, stage: name, reason, limit };
        if print && let Ok(told) = serde_json::to_string(&told) {
            // What was accepted is sent also when nobody reads what becomes of it.
            let _ = say(told);
        }
        if stage.is_last() {
            break;
        }
    }
}
