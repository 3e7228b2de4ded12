//! Runs the certificate machine. At most one piece of work is under way: the machine asks for one after the other.

use super::key::{self, NewKey};
use super::service::{Asker, Service, ask};
use super::{NewFiles, Seen, Store, facts};
use crate::clock::{Alarm, Clock};
use crate::config::NodeConfig;
use crate::tls::{self, PairOnDisk, Pems};
use async_channel::{Receiver, Sender};
use edgehub_core::identity::{
    Certificate, Failure, Identity, IdentityConfig, IdentityHealth, IdentityInput, IdentityNote,
    IdentityOutput, IdentityState, JoinToken, Problem, Request, SERVICES_MAX, Skew, Trust, WorkNumber,
};
use smol::future::{self, FutureExt, or};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{debug, error, info, warn};

/// Where a token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// There is none but what is given later.
    Nowhere,
    /// This one.
    Given(JoinToken),
    /// The node's configuration, read again each time.
    Configuration(PathBuf),
}

impl TokenSource {
    fn read(&self) -> Option<JoinToken> {
        match self {
            TokenSource::Nowhere => None,
            TokenSource::Given(token) => Some(token.clone()),
            TokenSource::Configuration(path) => {
                let (config, _) = NodeConfig::load(path).ok()?;
                let token = config.token?;
                match JoinToken::parse(token.reveal()) {
                    Ok(token) => Some(token),
                    Err(problem) => {
                        warn!("{}: modules.edgeHub.token: {problem}", path.display());
                        None
                    }
                }
            }
        }
    }
}

/// What whoever runs an identity hears of it.
#[derive(Debug, Clone)]
pub enum Told {
    /// This pair is to be used, which was not in use so far. The files may be others by now.
    Use(Arc<PairOnDisk>),
    /// The state is another one.
    State(IdentityState),
    /// An attempt failed, and another one follows.
    Problem(Problem),
    /// The own clock is ahead of the cloud's by so many milliseconds; negative for behind.
    Skew(i64),
}

/// What was read or written, and under which number that is held.
#[derive(Debug, Clone)]
struct Held {
    number: WorkNumber,
    pair: Option<Arc<PairOnDisk>>,
    seen: Seen,
}

/// The work that is under way: what comes of it, and what was read or written.
type Work = Pin<Box<dyn Future<Output = (IdentityInput, Option<Held>)> + Send>>;

/// Runs a node's identity: files, keys and requests on one side, the core's machine on the other.
pub struct IdentityDriver {
    machine: Identity,
    clock: Clock,
    config: IdentityConfig,
    store: Store,
    services: Vec<Service>,
    /// Which of them was asked last.
    asked: usize,
    tokens: TokenSource,
    given: Receiver<JoinToken>,
    /// Keeps the channel open when nobody else does.
    _giver: Sender<JoinToken>,
    told: Sender<Told>,
    health: IdentityWatch,
    work: Option<Work>,
    key: Option<(WorkNumber, Arc<NewKey>)>,
    /// What was read or written last.
    held: Option<Held>,
    in_use: Option<Held>,
    /// The problem that was logged last, unless it is over.
    logged: Option<Problem>,
}

/// Tells how an identity is while its driver runs; clones share it.
#[derive(Debug, Clone)]
pub struct IdentityWatch(Arc<Mutex<IdentityHealth>>);

impl IdentityWatch {
    /// How it is, now: its state, what went wrong last, and the command to run if only a person can help.
    pub fn health(&self) -> IdentityHealth {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for IdentityDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityDriver").field("state", &self.machine.state()).finish_non_exhaustive()
    }
}

impl IdentityDriver {
    /// A driver, and where to hear of what it does; nothing happens before [`IdentityDriver::run`] is polled.
    ///
    /// `config.rotate` says whether certificates are renewed; a first one is asked for in any case. Of several services the next
    /// one is asked when one fails; at most [`SERVICES_MAX`] count. Without a service nobody is asked, and the files are looked at: who puts a
    /// new pair there is noticed, and so is one that has run out.
    pub fn new(
        config: IdentityConfig,
        store: Store,
        services: impl IntoIterator<Item = Service>,
        tokens: TokenSource,
    ) -> (IdentityDriver, Receiver<Told>) {
        let clock = Clock::start();
        let services: Vec<Service> = services.into_iter().take(SERVICES_MAX).collect();
        let config = IdentityConfig { services: services.len(), ..config };
        let mut machine = Identity::new(config.clone(), fastrand::u64(..), clock.now());
        let (giver, given) = async_channel::bounded(1);
        let (told, hear) = async_channel::unbounded();
        let driver = IdentityDriver {
            clock,
            config,
            store,
            services,
            asked: 0,
            tokens,
            given,
            _giver: giver,
            told,
            health: IdentityWatch(Arc::new(Mutex::new(machine.health()))),
            machine,
            work: None,
            key: None,
            held: None,
            in_use: None,
            logged: None,
        };
        (driver, hear)
    }

    /// Tells how it is, also while it runs.
    pub fn watch(&self) -> IdentityWatch {
        self.health.clone()
    }

    /// Runs for ever, or until nobody listens any more.
    pub async fn run(mut self) {
        let mut alarm = self.clock.alarm();
        self.carry_out();
        while !self.told.is_closed() {
            let input = self.next(&mut alarm).await;
            self.machine.handle(self.clock.now(), input);
            self.carry_out();
        }
    }

    async fn next(&mut self, alarm: &mut Alarm) -> IdentityInput {
        let deadline = self.machine.next_deadline().at;
        let tick = async {
            alarm.ring(Some(deadline)).await;
            IdentityInput::Tick
        };
        let given = async {
            match self.given.recv().await {
                Ok(token) => IdentityInput::Token(token),
                Err(_) => future::pending().await,
            }
        };
        let worked = async {
            let Some(work) = &mut self.work else { return future::pending().await };
            let (input, held) = work.await;
            self.work = None;
            if held.is_some() {
                self.held = held;
            }
            input
        };
        or(worked, or(given, tick)).await
    }

    fn carry_out(&mut self) {
        // Before anybody is told: whoever hears of something and asks finds it.
        *self.health.0.lock().unwrap_or_else(PoisonError::into_inner) = self.machine.health();
        while let Some(output) = self.machine.poll_output() {
            match output {
                IdentityOutput::Load { work } => self.work = Some(self.load(work)),
                IdentityOutput::Send { work, service, request, trust } => {
                    self.asked = service;
                    self.work = Some(self.send(work, request, trust));
                }
                IdentityOutput::Cancel { .. } => self.work = None,
                IdentityOutput::MakeKey { work } => self.make_key(work),
                IdentityOutput::Write { work, key, certificate, roots, superseded, instead_of } => {
                    let new = self.new_files(key, &certificate, &roots, superseded.map(Vec::from));
                    let seen = instead_of.map(|number| self.held(number).map(|held| held.seen.clone()));
                    self.work = Some(self.write(work, new, seen));
                }
                IdentityOutput::Use { files } => self.use_pair(files),
                IdentityOutput::Note(note) => self.note(note),
            }
        }
    }

    fn load(&self, work: WorkNumber) -> Work {
        let (store, tokens) = (self.store.clone(), self.tokens.clone());
        let load = move || {
            let look = store.look();
            let found = look.pair.map(|pair| pair.map(Arc::new));
            let held = found.as_ref().ok().cloned().flatten();
            let roots = held.as_ref().map(|pair| pair.roots.clone()).unwrap_or_default();
            let facts = |pair: Arc<PairOnDisk>| {
                let facts = facts::of(&pair.certificate, None, &roots)?;
                Some(Certificate { is_of_key: pair.is_matching, ..facts })
            };
            let pair = found.map(|pair| pair.and_then(facts)).map_err(|error| error.to_string().into());
            let superseded = look.superseded.map(Into::into);
            let input = IdentityInput::Loaded { work, pair, roots, superseded, token: tokens.read() };
            (input, Some(Held { number: work, pair: held, seen: look.seen }))
        };
        smol::unblock(load).boxed()
    }

    /// What is held under a number.
    fn held(&self, number: WorkNumber) -> Option<&Held> {
        [&self.held, &self.in_use].into_iter().flatten().find(|held| held.number == number)
    }

    /// Uses exactly what was judged, and also for a renewal.
    fn use_pair(&mut self, number: WorkNumber) {
        let Some(held) = self.held(number).cloned() else { return };
        let Some(pair) = held.pair.clone() else { return };
        self.in_use = Some(held);
        self.logged = None;
        self.tell(Told::Use(pair));
    }

    fn send(&self, work: WorkNumber, request: Request, trust: Trust) -> Work {
        let Some(service) = self.services.get(self.asked).cloned() else {
            let failure = Failure::Unreachable("there is no certificate service".into());
            return done(IdentityInput::Unanswered { work, failure });
        };
        let asker = Asker {
            node: self.config.node.to_string(),
            own: self.in_use.as_ref().and_then(|held| Some(Arc::clone(&held.pair.as_ref()?.own))),
            key: self.key.as_ref().map(|(_, key)| key.public.clone()),
        };
        let exchange = async move {
            let asked = async {
                let tcp = service.connect().await?;
                ask(tcp, &service, &asker, &request, &trust).await
            };
            let input = match asked.await {
                Ok(answer) => IdentityInput::Answered { work, answer },
                Err(failure) => IdentityInput::Unanswered { work, failure },
            };
            (input, None)
        };
        exchange.boxed()
    }

    fn make_key(&mut self, work: WorkNumber) {
        let input = match key::make(&self.config.node) {
            Ok(key) => {
                let request = key.request.clone();
                self.key = Some((work, Arc::new(key)));
                IdentityInput::KeyMade { work, request }
            }
            Err(error) => {
                IdentityInput::Failed { work, why: format!("a key could not be made: {error}").into() }
            }
        };
        self.work = Some(done(input));
    }

    /// What is to be written, if the key is held.
    fn new_files(
        &self,
        key: WorkNumber,
        certificate: &[u8],
        roots: &[bytes::Bytes],
        superseded: Option<Vec<u8>>,
    ) -> Option<NewFiles> {
        let (_, key) = self.key.as_ref().filter(|(held, _)| *held == key)?;
        Some(NewFiles {
            authorities: roots.iter().map(|root| pem(root)).collect::<String>().into(),
            superseded,
            certificate: pem(certificate).into(),
            key: key.pem.clone().into(),
        })
    }

    /// Writes that in the place of what was seen, or of whatever there is if it need not have been seen.
    fn write(&self, work: WorkNumber, new: Option<NewFiles>, seen: Option<Option<Seen>>) -> Work {
        let (new, seen) = match (new, seen) {
            (Some(new), None) => (new, None),
            (Some(new), Some(Some(seen))) => (new, Some(seen)),
            (None, _) | (_, Some(None)) => {
                let why = "what was to be written is not held any more".into();
                return done(IdentityInput::Failed { work, why });
            }
        };
        let store = self.store.clone();
        let write = move || match put(&store, &new, seen.as_ref()) {
            Ok(Some(pair)) => {
                let held = Held { number: work, pair: Some(Arc::new(pair)), seen: Seen::of(&new) };
                (IdentityInput::Written { work }, Some(held))
            }
            Ok(None) => {
                let certificate = store.files().certificate.display();
                let why = format!(
                    "{certificate}: somebody has put another one there meanwhile, which is looked at next"
                );
                (IdentityInput::Failed { work, why: why.into() }, None)
            }
            Err(error) => {
                let certificate = store.files().certificate.display().to_string();
                let why = format!(
                    "{certificate}: the new certificate cannot be written ({error}); check the free space, and owner and \
                     mode of the directories"
                );
                (IdentityInput::Failed { work, why: why.into() }, None)
            }
        };
        smol::unblock(write).boxed()
    }

    fn note(&mut self, note: IdentityNote) {
        match note {
            IdentityNote::State(state) => {
                match state {
                    IdentityState::Usable => info!("the node has a certificate"),
                    IdentityState::Rotating => info!("renewing the node's certificate"),
                    _ => debug!(?state, "identity"),
                }
                self.tell(Told::State(state));
            }
            IdentityNote::Problem { problem, retry_in } => {
                let seconds = retry_in.as_secs();
                let of_several = self.services.get(self.asked).filter(|_| self.services.len() > 1);
                let which = of_several.map(|service| format!("{service}: ")).unwrap_or_default();
                match self.machine.health().command {
                    // Nothing is new, and the log of years is long.
                    _ if self.logged.as_ref() == Some(&problem) => {
                        debug!("{problem}; looking again in {seconds} s")
                    }
                    _ if retry_in.is_zero() => warn!("{which}{problem}; asking the next certificate service"),
                    Some(command) => error!("{problem}; run: {command}"),
                    None => warn!("{which}{problem}; trying again in {seconds} s"),
                }
                self.logged = Some(problem.clone());
                self.tell(Told::Problem(problem));
            }
            IdentityNote::ClockSkew { ahead_ms } => {
                error!("{}", Skew(ahead_ms));
                self.tell(Told::Skew(ahead_ms));
            }
            IdentityNote::NewAuthority => {
                info!(
                    "the cloud has a new authority, accepted through the old one; both are trusted for now"
                );
            }
        }
    }

    fn tell(&self, told: Told) {
        // Whoever does not listen any more need not be told.
        let _ = self.told.try_send(told);
    }
}

/// Work that is done already.
fn done(input: IdentityInput) -> Work {
    future::ready((input, None)).boxed()
}

/// Puts files in place; returns what they are, which is known to be usable before. `None` if others lie there than were seen.
fn put(store: &Store, new: &NewFiles, seen: Option<&Seen>) -> io::Result<Option<PairOnDisk>> {
    let [ca, certificate, key] =
        [&new.authorities, &new.certificate, &new.key].map(|pem| String::from_utf8_lossy(pem));
    let pems = Pems { ca: &ca, certificate: &certificate, key: &key };
    let pair = tls::pair_from_pem(pems).map_err(io::Error::other)?;
    let is_put = match seen {
        Some(seen) => store.put_instead_of(seen, new)?,
        None => store.put(new).map(|()| true)?,
    };
    Ok(is_put.then_some(pair))
}

/// A certificate in PEM.
fn pem(der: &[u8]) -> String {
    let base64 = data_encoding::BASE64.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in base64.as_bytes().chunks(64) {
        text += &String::from_utf8_lossy(line);
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}
