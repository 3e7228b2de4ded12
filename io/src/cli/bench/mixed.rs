//! Mode mixed: what those who wait notice of user data that flows meanwhile, and of a fault in the middle of it.

use super::cloud::Asked;
use super::peer::Peer;
use super::tally::payload;
use super::{Bench, Histogram, REPORTS_MAX, Seen, latency};
use crate::cli::{Failure, process};
use async_channel::Sender;
use clap::Args;
use edgehub::core::rng::Rng;
use edgehub::core::{Content, Draft, Message};
use edgehub::{EdgeHub, Module};
use futures_util::future::join;
use futures_util::stream::{FuturesUnordered, Stream};
use futures_util::{StreamExt, future};
use serde::Serialize;
use serde_json::value::RawValue;
use smol::Timer;
use smol::future::or;
use smol::process::Command;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long the last questions of the cloud may be on their way. One that was on a link that broke never comes.
const LAST_QUESTION: Duration = Duration::from_secs(2);

/// What mode mixed does.
#[derive(Debug, Args)]
pub(super) struct Mix {
    /// Mode mixed: for how long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Mode mixed: user messages a second; as many as the link takes unless given
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Mode mixed: questions a second, each way
    #[arg(long, value_name = "N", default_value_t = 20)]
    pace: u32,
    /// Mode mixed: after half the time, run this in a shell, and tell how long after its end the first answer came
    #[arg(long, value_name = "COMMAND")]
    meanwhile: Option<String>,
}

impl Mix {
    /// Whether something is asked for that another mode would leave out without a word.
    pub(super) fn is_asked_for(&self) -> bool {
        self.rate.is_some() || self.meanwhile.is_some()
    }
}

/// What the report says of it.
#[derive(Debug, Serialize)]
pub(super) struct Mixed {
    /// The cloud asks, the node's answer is of class control.
    control: Asked,
    /// The node asks, and waits for the cloud's answer.
    sync: Asked,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered_after_s: Option<f64>,
}

/// One run, as it is seen from here.
#[derive(Default)]
struct Watch {
    sent: Cell<u64>,
    /// When the fault was over.
    over_ns: Cell<Option<u64>>,
    /// When the first answer came after that.
    answered_ns: Cell<Option<u64>>,
}

impl Bench {
    /// Runs it; returns how many user messages were sent, what the cloud saw of them, and the rest.
    pub(super) async fn mixed(
        &self,
        hub: &EdgeHub,
        module: &Module,
        peer: &mut Peer,
    ) -> Result<(u64, Seen, Mixed), Failure> {
        let time = Duration::from_secs(self.mix.seconds);
        let watch = Watch::default();
        let (tell, answered) = async_channel::unbounded();
        peer.ask(time, self.mix.pace).await?;
        let work = async {
            let bulk = self.bulk(module, time, &watch);
            let (bulk, sync) = join(bulk, self.questions(module, time, &watch)).await;
            bulk?;
            // It says so when everything is asked.
            let mut control = peer.asked().await?;
            let all = async {
                for _ in 0..control.asked {
                    let _ = answered.recv().await;
                }
            };
            let late = async {
                Timer::after(LAST_QUESTION).await;
            };
            or(all, late).await;
            hub.settled().await?;
            for _ in 0..REPORTS_MAX {
                if control.answered >= control.asked {
                    break;
                }
                control = peer.asked().await?;
            }
            Ok::<_, Failure>((sync?, control))
        };
        let fault = async {
            self.fault(time / 2, &watch).await?;
            future::pending().await
        };
        let answer = async {
            answer(module, tell).await?;
            future::pending().await
        };
        let (sync, control) = or(or(answer, fault), work).await?;
        let seen = peer.report_of(watch.sent.get()).await?;
        let recovered = watch.over_ns.get().zip(watch.answered_ns.get());
        let recovered_after_s = recovered.map(|(over, answered)| (answered - over) as f64 / 1e9);
        Ok((watch.sent.get(), seen, Mixed { control, sync, recovered_after_s }))
    }

    /// User data, as fast as it may.
    async fn bulk(&self, module: &Module, time: Duration, watch: &Watch) -> Result<(), Failure> {
        let mut content = String::new();
        let end = Instant::now() + time;
        let mut ticks = self.mix.rate.map(|rate| ticks(time, rate));
        loop {
            let more = match &mut ticks {
                Some(ticks) => ticks.next().await.is_some(),
                None => Instant::now() < end,
            };
            if !more {
                return Ok(());
            }
            payload(&mut content, watch.sent.get(), process::monotonic_ns(), self.size);
            module.send(module.compose_text("user", "upload", "default/topic/bench", &content)?).await?;
            watch.sent.set(watch.sent.get() + 1);
        }
    }

    /// Questions at a steady pace, however long their answers take.
    async fn questions(&self, module: &Module, time: Duration, watch: &Watch) -> Result<Asked, Failure> {
        let mut ticks = ticks(time, self.mix.pace).fuse();
        let mut open = FuturesUnordered::new();
        let mut times = Histogram::new();
        let (mut asked, mut answered) = (0, 0);
        loop {
            let ticked = async { ticks.next().await.map(|()| None) };
            let ended = async {
                match open.next().await {
                    Some(took) => Some(Some(took)),
                    None => future::pending().await,
                }
            };
            match or(ended, ticked).await {
                Some(None) => {
                    asked += 1;
                    open.push(ask(module, asked, watch));
                }
                Some(Some(Ok(took_ns))) => {
                    answered += 1;
                    times.add(took_ns);
                }
                // Whoever waited knows: it was asked and not answered.
                Some(Some(Err(_))) => {}
                None if open.is_empty() => break,
                None => {
                    if let Some(Ok(took_ns)) = open.next().await {
                        answered += 1;
                        times.add(took_ns);
                    }
                }
            }
        }
        Ok(Asked { asked, answered, latency_us: latency(&times) })
    }

    /// Does what is to happen in the middle.
    async fn fault(&self, after: Duration, watch: &Watch) -> Result<(), Failure> {
        let Some(command) = &self.mix.meanwhile else { return Ok(()) };
        Timer::after(after).await;
        // Its words are not our report.
        let output = Command::new("sh").arg("-c").arg(command).output().await?;
        if !output.status.success() {
            return Err(format!("`{command}` failed: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        watch.over_ns.set(Some(process::monotonic_ns()));
        Ok(())
    }
}

/// Asks the cloud; returns how long its answer took.
async fn ask(module: &Module, number: u64, watch: &Watch) -> Result<u64, Failure> {
    let start = process::monotonic_ns();
    let mut content = String::new();
    payload(&mut content, number, start, 0);
    let request = module.compose_text("resource", "query", "default/configmap/bench", &content)?;
    module.request(&request, None).await.map_err(|error| error.to_string())?;
    let now = process::monotonic_ns();
    if watch.over_ns.get().is_some() && watch.answered_ns.get().is_none() {
        watch.answered_ns.set(Some(now));
    }
    Ok(now - start)
}

/// Answers the cloud's questions, each with its own content.
async fn answer(module: &Module, answered: Sender<()>) -> Result<(), Failure> {
    let mut ids = Rng::new(4);
    while let Some(question) = module.receive().await {
        module.send(echo(&question, ids.uuid().as_str())?).await?;
        let _ = answered.try_send(());
    }
    Ok(())
}

fn echo(question: &Message, id: &str) -> Result<Message, Failure> {
    let content: &RawValue = serde_json::from_str(question.content())?;
    let draft = Draft::response_to(question, id, question.timestamp());
    Ok(Draft { content: Content::Json(content), ..draft }.encode()?)
}

/// So many ticks a second for so long. What comes late is made up for.
pub(super) fn ticks(time: Duration, per_second: u32) -> impl Stream<Item = ()> + Unpin {
    let (start, number) = (Instant::now(), u64::from(per_second) * time.as_secs());
    Box::pin(futures_util::stream::iter(0..number).then(move |tick| async move {
        Timer::at(start + Duration::from_micros(tick * 1_000_000 / u64::from(per_second.max(1)))).await;
    }))
}
