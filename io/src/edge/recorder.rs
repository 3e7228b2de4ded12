//! The flight recorder beside a driver: the core writes the records, a thread packs them and writes the files.

mod files;
mod reason;

pub use reason::AskedBy;
pub(super) use reason::Reason;

use super::Options;
use edgehub_core::hub::LinkEnd;
use edgehub_core::trace::{Block, BlockKind, Contents, Header, Packer, Recorder, Ring};
use edgehub_core::{Hub, Input, Instant, Note, Now, Output};
use files::{put_aside, write_dump};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{info, warn};

/// Bytes of records between two checkpoints, unpacked: whoever asks for one message replays half of that in the middle, and the
/// state of a hub that holds little is a few KiB.
const CHECKPOINT_EVERY: usize = 256 << 10;

/// Longest time that records wait for more before they are packed.
const BLOCK_AFTER: Duration = Duration::from_secs(5);

/// Blocks that may wait for the thread; a disk that is slower than that ends the recording, not the hub.
const WAITING_MAX: usize = 256;

/// Least time between two files for lost links: a link that is lost all the time must not wear out the node's flash.
const LOSSES_APART: Duration = Duration::from_secs(60);

/// What is recorded, and where it goes.
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// The node's name, for the head of the trace.
    pub node: String,
    /// What is kept of contents.
    pub contents: Contents,
    /// Everything, into a file.
    pub file: Option<Capture>,
    /// The newest part, in memory, for when something goes wrong.
    pub memory: Option<Memory>,
}

/// A capture of everything.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The file.
    pub path: PathBuf,
    /// How many files before it are kept: one that is there at the start is put aside as `.1`, that as `.2`, and so on. With
    /// 0 it is written over.
    pub keep: u32,
    /// Bytes after which it is put aside, too, and a new one begins; at the next checkpoint, so it may become some larger.
    pub rotate_at: Option<u64>,
}

/// A bounded recording in memory.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Its size in bytes.
    pub bytes: usize,
    /// The folder that it is written to on a panic, a lost link, or a request.
    pub folder: PathBuf,
}

impl RecorderOptions {
    /// Records nothing anywhere yet, for a node of this name.
    pub fn new(node: &str) -> RecorderOptions {
        RecorderOptions { node: node.into(), contents: Contents::Redacted, file: None, memory: None }
    }

    /// Adds a capture of everything into this file, without an end; it is written over.
    pub fn into_file(mut self, path: &Path) -> RecorderOptions {
        self.file = Some(Capture { path: path.into(), keep: 0, rotate_at: None });
        self
    }

    pub(super) fn start(&self, options: &Options, now: Now) -> Flight {
        let header = Header {
            node: self.node.as_str().into(),
            seed: options.seed,
            begin: now,
            contents: self.contents,
            config: options.config.clone(),
            ..Header::default()
        };
        Flight::start(self, header)
    }
}

/// What the thread is told.
enum Job {
    Block(Block),
    Dump(Reason),
}

/// A running recorder. Dropping it writes what is left; during a panic that is also a dump.
pub(super) struct Flight {
    recorder: Recorder,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Blocks that wait for the thread.
    waiting: Arc<AtomicUsize>,
    finished: Instant,
    /// When a lost link was last written of.
    lost: Option<Instant>,
    /// Why a dump is to follow the present drain.
    wanted: Option<Reason>,
}

impl Flight {
    fn start(options: &RecorderOptions, header: Header) -> Flight {
        let (jobs, to_do) = channel();
        let (waiting, finished) = (Arc::new(AtomicUsize::new(0)), header.begin.mono);
        let every =
            options.memory.as_ref().map_or(CHECKPOINT_EVERY, |memory| memory.bytes.min(CHECKPOINT_EVERY));
        let recorder = Recorder::new(header.clone(), fastrand::u64(..), every);
        let recorder = match &options.memory {
            Some(memory) => recorder.for_ring(memory.bytes),
            None => recorder,
        };
        let keeper = Keeper::new(options, header, &recorder, waiting.clone());
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || keeper.run(to_do));
        let thread = thread.inspect_err(|error| warn!(%error, "no flight recorder: no thread")).ok();
        Flight {
            recorder,
            jobs: thread.is_some().then_some(jobs),
            thread,
            waiting,
            finished,
            lost: None,
            wanted: None,
        }
    }

    pub(super) fn input(&mut self, now: Now, input: &Input, hub: &Hub) {
        if self.jobs.is_some() {
            self.recorder.input(now, input, hub);
        }
    }

    pub(super) fn output(&mut self, output: &Output) {
        if self.jobs.is_none() {
            return;
        }
        self.recorder.output(output);
        if let Output::Note(Note::LinkDown { end, .. }) = output
            && !matches!(
                end,
                LinkEnd::OpenFailed
                    | LinkEnd::OpenTimeout
                    | LinkEnd::Shutdown
                    | LinkEnd::Renewed
                    | LinkEnd::Moved
            )
        {
            // After the drain, so that the file holds all that the loss led to.
            self.wanted = Some(Reason::LinkLost(*end));
        }
    }

    pub(super) fn drained(&mut self, now: Now, hub: &Hub) {
        if self.jobs.is_none() {
            return;
        }
        self.recorder.drained(hub);
        if now.mono.since(self.finished) >= BLOCK_AFTER {
            self.finished = now.mono;
            self.recorder.finish_block();
        }
        self.hand_on();
        if let Some(reason) = self.wanted.take()
            && self.lost.is_none_or(|lost| now.mono.since(lost) >= LOSSES_APART)
        {
            self.lost = Some(now.mono);
            self.dump(reason);
        }
    }

    /// Has everything so far written to a file of its own.
    pub(super) fn dump(&mut self, reason: Reason) {
        self.recorder.finish_block();
        self.hand_on();
        self.tell(Job::Dump(reason));
    }

    fn hand_on(&mut self) {
        while let Some(block) = self.recorder.next_block() {
            if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
                warn!("the disk is too slow for the flight recorder; recording ends here");
                self.jobs = None;
                return;
            }
            self.tell(Job::Block(block));
        }
    }

    fn tell(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A thread that has ended has said why.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dump(Reason::Panic);
        } else if self.jobs.is_some() {
            self.recorder.finish_block();
            self.hand_on();
        }
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's side: packs blocks and keeps them.
struct Keeper {
    packer: Packer,
    ring: Option<(Ring, PathBuf)>,
    capture: Option<Capture>,
    file: Option<File>,
    written: u64,
    later_head: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl Keeper {
    fn new(
        options: &RecorderOptions,
        header: Header,
        recorder: &Recorder,
        waiting: Arc<AtomicUsize>,
    ) -> Keeper {
        let memory = options.memory.as_ref();
        let mut keeper = Keeper {
            packer: Packer::default(),
            ring: memory.map(|memory| (Ring::new(header, memory.bytes), memory.folder.clone())),
            capture: options.file.clone(),
            file: None,
            written: 0,
            later_head: recorder.later_head(),
            waiting,
        };
        keeper.begin_file(&recorder.head());
        keeper
    }

    fn run(mut self, jobs: Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Block(block) => {
                    self.keep(&block);
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                }
                Job::Dump(reason) => self.dump(reason),
            }
        }
    }

    fn keep(&mut self, block: &Block) {
        let full =
            self.capture.as_ref().and_then(|capture| capture.rotate_at).is_some_and(|at| self.written >= at);
        // Only behind a checkpoint can a new file be read alone.
        if full && block.kind() == BlockKind::Checkpoint {
            self.rotate();
        }
        if self.file.is_none() && self.ring.is_none() {
            return;
        }
        let packed = self.packer.pack(block);
        self.write(&packed);
        if let Some((ring, _)) = &mut self.ring {
            ring.push_packed(block.kind(), packed);
        }
    }

    /// Puts the file that is there aside, and begins another one.
    fn begin_file(&mut self, head: &[u8]) {
        let Some(capture) = &self.capture else { return };
        self.file = None;
        let folder = capture.path.parent().unwrap_or(Path::new(""));
        let made = fs::create_dir_all(folder).and_then(|()| put_aside(&capture.path, capture.keep));
        match made.and_then(|()| File::create(&capture.path)) {
            Ok(file) => {
                (self.file, self.written) = (Some(file), 0);
                self.write(head);
            }
            Err(error) => warn!(%error, file = %capture.path.display(), "cannot record"),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        match file.write_all(bytes) {
            Ok(()) => self.written += bytes.len() as u64,
            Err(error) => {
                warn!(%error, "cannot go on recording; what is in the file can be read");
                self.file = None;
            }
        }
    }

    fn rotate(&mut self) {
        let head = self.later_head.clone();
        self.begin_file(&head);
    }

    fn dump(&mut self, reason: Reason) {
        let Some((ring, folder)) = &self.ring else { return };
        match write_dump(folder, reason.name(), &ring.dump(&reason.to_string())) {
            Ok(file) => info!(file = %file.display(), %reason, "flight recorder written"),
            Err(error) => warn!(
                %error, folder = %folder.display(), %reason,
                "cannot write the flight recorder; set edgehub.recorder.path"
            ),
        }
    }
}
