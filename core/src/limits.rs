//! Every bound of the core, with its reason. What is configurable names its default here.

use core::time::Duration;

/// Largest frame, in bytes. KubeEdge's viaduct refuses anything larger on its framed lane.
pub const FRAME_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Largest payload of a package on a message stream of the QUIC lane, in bytes: a message has room in it exactly when its
/// frame is within [`FRAME_BYTES_MAX`].
pub const PACKAGE_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// Payload from which on a package of the QUIC lane is large, in bytes. Of all streams of a connection one at a time reads such a one, so that what has come
/// of packages that are not whole is bounded: the largest one, and this much for each other stream.
pub const LARGE_PACKAGE_BYTES: usize = 256 * 1024;

/// Longest piece of a stream that is compressed at once: twice the distance over which deflate finds what it has seen before. No peer
/// can make more of a compressed package.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Longest payload of a compressed package: deflate makes nothing longer by more than this.
pub const COMPRESSED_BYTES_MAX: usize = CHUNK_BYTES_MAX + 1024;

/// Shorter than this, what is to be written is not compressed.
pub const COMPRESSED_BYTES_MIN: usize = 64;

/// Largest payload on the control lane, in bytes. Headers are a node's name and a project's id.
pub const CONTROL_PACKAGE_BYTES_MAX: usize = 16 * 1024;

/// Streams of messages that a peer of the QUIC lane may have open at one time. We open five.
pub const MESSAGE_STREAMS_MAX: usize = 8;

/// Streams that a peer of the QUIC lane may open in all, one after another: those of messages and some that we have no use for.
pub const STREAMS_MAX: usize = 64;

/// How long QUIC may take to open, unless configured, when there is another lane: three attempts of the handshake's first packet.
pub const LANE_TRIAL: Duration = Duration::from_secs(5);

/// How long a lane that was found blocked comes second, unless configured, at first …
pub const LANE_RETRY: Duration = Duration::from_secs(10 * 60);

/// … and at the most: a network that is changed for the better is noticed within a day.
pub const LANE_RETRY_MAX: Duration = Duration::from_secs(24 * 3600);

/// Deepest nesting of objects and arrays in a frame. The depth of Kubernetes objects stays below 30; a parser that
/// recurses further can be made to run out of stack.
pub const NESTING_DEPTH_MAX: u32 = 128;

/// Longest header or route field, in bytes. A Kubernetes name has at most 253 and a resource joins a few of them;
/// an MQTT topic that travels as a resource is the longest real value.
pub const FIELD_BYTES_MAX: usize = 4096;

/// Modules joined at one time. KubeEdge has about ten.
pub const MODULES_MAX: usize = 1024;

/// Groups of one module.
pub const MODULE_GROUPS_MAX: usize = 64;

/// Sync requests that wait at one time. Each holds an id and a sender, some 100 bytes.
pub const SYNC_PENDING_MAX: usize = 16 * 1024;

/// Messages handed to the link and not yet flushed by the driver. Enough to fill many TLS records per system call,
/// small enough that a stuck socket holds little.
pub const WRITE_WINDOW_MESSAGES: usize = 512;

/// Bytes handed to the link and not yet flushed; one larger message may pass alone.
pub const WRITE_WINDOW_BYTES: usize = 512 * 1024;

/// Bytes on their way, written and not yet behind a pong, with which the first link begins: a link of 2 kB/s carries them
/// before it is given up as silent.
pub const FLIGHT_BYTES_START: u64 = 16 * 1024;

/// The most bytes on their way. With a round trip of 100 ms that makes 10 MB/s.
pub const FLIGHT_BYTES_MAX: u64 = 1024 * 1024;

/// The fewest bytes on their way to which a slow link can bring it: a few messages.
pub const FLIGHT_BYTES_MIN: u64 = 4 * 1024;

/// The time for which what is on its way may wait in queues. An acknowledgement waits as long, at the worst.
pub const FLIGHT_DELAY: Duration = Duration::from_secs(1);

/// A backlog leaves in pieces of this part of a second's messages: a driver need not wake for each.
pub const DRAIN_BURST_PER_SECOND: u32 = 20;

/// Messages that modules may have sent and that only wait for an open link, before modules must wait themselves: as many as
/// the write window, so that it never runs dry.
pub const INTAKE_BACKLOG_MESSAGES: usize = WRITE_WINDOW_MESSAGES;

/// Bytes of the same.
pub const INTAKE_BACKLOG_BYTES: usize = WRITE_WINDOW_BYTES;

/// The longest patience with an endpoint that has never answered a question for the session: one that is too old to be asked
/// loses its link once a day.
pub const UNANSWERED_LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The same with one that has.
pub const UNANSWERED_LONGEST_KNOWN: Duration = Duration::from_secs(10 * 60);

/// Links in a row without an answer that an endpoint which has answered before may have before the patience grows: a node
/// limit is lifted in minutes.
pub const UNANSWERED_AT_ONCE: u32 = 4;

/// How long a link that is left for another certificate may take to have confirmed what was written to it. The old
/// certificate is good for far longer, and whoever answers no ping for so long is stalled.
pub const RENEWAL_GRACE: Duration = Duration::from_secs(30);

/// Messages of the hub's own making (keepalive, link control answers) that wait to be written. A peer that asks for
/// more than the link can carry loses the oldest answers.
pub const CONTROL_QUEUE_MAX: usize = 256;

/// What was written may be without a ping behind it for this share of a round trip, if that is longer than is configured: four
/// pings are on their way then …
pub const BARRIER_ROUND_TRIP_SHARE: u32 = 4;

/// … but no longer than this, however slow the link is: so much more may come twice after it is lost.
pub const BARRIER_ROUND_TRIP_MAX: Duration = Duration::from_secs(1);

/// Classes of messages. One octet tells them apart, and each costs every message a look.
pub const CLASSES_MAX: usize = 16;

/// Rules that give messages their class. They are tried one after another.
pub const CLASS_RULES_MAX: usize = 256;

/// Pings on their way whose answers are remembered one by one. A peer that leaves more unanswered has the newest ones
/// counted together: their pongs confirm what the last remembered one does.
pub const PINGS_MAX: usize = 1024;

/// Bytes that a module was handed and has not taken from which on the next ones wait in its inbox, whatever its credit.
pub const HANDED_BYTES_MAX: usize = 1024 * 1024;

/// Messages that wait in one module's inbox, beyond its credit.
pub const INBOX_MESSAGES_MAX: usize = 512;

/// Bytes that wait in one module's inbox from which on no more is put there. The one before may be as large as a frame can be: it may
/// have come before reading was stopped.
pub const INBOX_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An inbox this full (messages) stops the reading of the link …
pub const INBOX_PAUSE_AT: usize = 256;

/// … and every inbox this empty lets it go on.
pub const INBOX_RESUME_AT: usize = 64;

/// Messages in the duplicate window. Its index is a sorted list: much longer ones would cost time with every message.
pub const DUPLICATE_WINDOW_MAX: usize = 16 * 1024;

/// Bytes of the ids in the duplicate window.
pub const DUPLICATE_IDS_BYTES_MAX: usize = 1024 * 1024;

/// Nodes whose queues the cloud machine keeps, connected or not. A CloudHub of KubeEdge serves 1,000 by default.
pub const CLOUD_NODES_MAX: usize = 100_000;

/// Messages queued for one node at the cloud. KubeEdge's own limit for a node's message store is of this order.
pub const CLOUD_NODE_QUEUE_MAX: usize = 1024;

/// Shortest wait between two attempts to open a link, whatever the jitter says: a refusing server must not be hit in
/// a tight loop.
pub const BACKOFF_FLOOR: Duration = Duration::from_millis(100);

/// Links in a row that the cloud closes right after they have opened, from which on that is said to have a cause: one may be
/// chance, two a restart.
pub const KICKED_LINKS: u32 = 3;

/// How far from its keepalive interval a cloud may close a link and be taken to have missed a keepalive.
pub const KEEPALIVE_CLOSE_TOLERANCE: Duration = Duration::from_secs(2);

/// Endpoints of a node.
pub const ENDPOINTS_MAX: usize = 64;

/// A preferred endpoint that fails again and again is left in peace for so many times the usual, at most. A power of two.
pub const RETURN_PENALTY_MAX: u32 = 8;

/// The way back to the preferred endpoint waits so long for a moment at which nothing is unconfirmed …
pub const RETURN_POSTPONED_FOR: Duration = Duration::from_secs(1);
/// … and so many times.
pub const RETURN_POSTPONED_MAX: u32 = 30;

/// Longest identity of a journal's owner, in bytes: a node name has at most 253 and a project id 64.
pub const JOURNAL_IDENTITY_BYTES_MAX: usize = 512;

/// Longest reason of a dead letter, in bytes.
pub const JOURNAL_REASON_BYTES_MAX: usize = 256;

/// Smallest segment of a journal, in bytes; a smaller one would be mostly header and syncs.
pub const JOURNAL_SEGMENT_BYTES_MIN: u64 = 4 * 1024;

/// Largest segment of a journal, in bytes; one is held in memory while a journal is read back.
pub const JOURNAL_SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Segment size of a journal unless configured, in bytes. A record may have half of it.
pub const JOURNAL_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// Size of a journal unless configured, in bytes: all segments together.
pub const JOURNAL_TOTAL_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes written and synced at once. A larger batch would only make the first message in it wait longer.
pub const JOURNAL_BATCH_BYTES: usize = 1024 * 1024;

/// Bytes of forget records written without a sync; they are synced sooner when anything else is.
pub const JOURNAL_UNSYNCED_BYTES_MAX: usize = 64 * 1024;

/// Entries that wait to be written, and their bytes; what comes on top is refused.
pub const JOURNAL_WAITING_MAX: usize = 64 * 1024;
/// See [`JOURNAL_WAITING_MAX`].
pub const JOURNAL_WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Entries that wait to be read back.
pub const JOURNAL_FETCHES_MAX: usize = 64 * 1024;

/// Bytes copied forward from the oldest segment before what is new gets its turn.
pub const JOURNAL_COPY_BYTES: usize = 64 * 1024;

/// Attempts to read an entry back before it is given up as lost.
pub const JOURNAL_READS_MAX: u32 = 3;

/// Bytes of messages handed to the journal and not yet stored, above which modules must wait. Some milliseconds of a
/// disk's work: a sync is shared by all of them.
pub const JOURNAL_UNSTORED_BYTES: usize = 256 * 1024;

/// … and from which on a message of a persistent class is refused. Less than what may wait in the journal's writer, so
/// that this one never has to refuse.
pub const JOURNAL_UNSTORED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages handed to the journal and not yet stored, above which modules must wait; twice as many are refused.
pub const JOURNAL_UNSTORED_MESSAGES: usize = 16 * 1024;

/// Bytes of messages in memory, unless configured, above which stored ones are left to the journal until their turn.
pub const SPOOL_ABOVE_BYTES: usize = 256 * 1024;

/// Messages of one class that are fetched from the journal before it is their turn: as many as the link takes at once.
pub const SPOOL_AHEAD_MESSAGES: usize = WRITE_WINDOW_MESSAGES;

/// … and their bytes; one larger message may be fetched alone.
pub const SPOOL_AHEAD_BYTES: usize = WRITE_WINDOW_BYTES / 2;

/// Dead letters handed over and not yet stored; what is dropped meanwhile, and is not in the journal either, is lost.
pub const LETTERS_UNSTORED_MESSAGES: usize = 4096;

/// … and their bytes; one larger letter may be there alone.
pub const LETTERS_UNSTORED_BYTES: usize = 1024 * 1024;

/// Dropped messages that are still to be read from the journal: each takes some 30 bytes.
pub const LETTERS_WAITING_MAX: usize = 64 * 1024;

/// … of which so many are read at one time.
pub const LETTERS_FETCHED_MAX: usize = 64;

/// Damaged stretches that are reported one by one; the others are only counted.
pub const JOURNAL_SKIPPED_MAX: usize = 256;
