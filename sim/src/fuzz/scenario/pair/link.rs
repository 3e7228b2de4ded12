//! The link: a queue each way, and what each driver still has to report.

use super::Pair;
use edgehub_core::cloud::{CloudInput, ConnectionId, NodeName};
use edgehub_core::{Input, LinkEpoch, LinkEvent, Message, Output, Violation};
use std::collections::VecDeque;

#[derive(Debug)]
enum Frame {
    Message(Message),
    Ping(u64),
    Pong(u64),
    Close,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) epoch: LinkEpoch,
    pub(super) connection: ConnectionId,
    up: VecDeque<Frame>,
    down: VecDeque<Frame>,
    /// Bytes of each message that the edge's driver has not reported as flushed.
    unflushed: VecDeque<usize>,
    cloud_unflushed: usize,
    paused: bool,
    /// Nothing arrives any more.
    pub(super) silent: bool,
    cloud_is_there: bool,
    /// The cloud reads and answers pings, and has no session.
    zombie: bool,
}

impl Link {
    pub(super) fn is_zombie(&self) -> bool {
        self.zombie
    }

    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Write { message, .. } => {
                self.unflushed.push_back(message.bytes());
                self.up.push_back(Frame::Message(message));
            }
            Output::Ping { number, .. } => self.up.push_back(Frame::Ping(number)),
            Output::Pause { .. } => self.paused = true,
            Output::Resume { .. } => self.paused = false,
            _ => {}
        }
    }

    pub(super) fn cloud_writes(&mut self, message: Message) {
        self.cloud_unflushed += 1;
        self.down.push_back(Frame::Message(message));
    }

    pub(super) fn cloud_closes(&mut self) {
        self.cloud_is_there = false;
        self.down.push_back(Frame::Close);
    }
}

impl Pair {
    /// The dial succeeds or fails, if there is one.
    pub(in super::super) fn dial_ends(&mut self, succeeds: bool) {
        let Some(epoch) = self.dialled.take() else { return };
        if !succeeds {
            return self.tell(Input::Link { epoch, event: LinkEvent::OpenFailed });
        }
        let connection = self.next_connection();
        self.link = Some(Link {
            epoch,
            connection,
            up: VecDeque::new(),
            down: VecDeque::new(),
            unflushed: VecDeque::new(),
            cloud_unflushed: 0,
            paused: false,
            silent: false,
            cloud_is_there: true,
            zombie: false,
        });
        let (node, project) = (NodeName::from("edge-1"), String::from("p"));
        self.tell_cloud(CloudInput::Connected { connection, node, project });
        self.tell_link(LinkEvent::Opened);
    }

    /// Frames reach the cloud; returns how many.
    pub(in super::super) fn up_arrives(&mut self, most: usize) -> usize {
        let mut arrived = 0;
        while arrived < most
            && let Some(link) = self.link.as_mut().filter(|link| !link.silent && link.cloud_is_there)
            && let Some(frame) = link.up.pop_front()
        {
            arrived += 1;
            let (connection, zombie) = (link.connection, link.zombie);
            match frame {
                Frame::Message(message) => {
                    self.arrives_at_cloud(&message);
                    if !zombie {
                        self.tell_cloud(CloudInput::Received { connection, message });
                    }
                }
                Frame::Ping(number) => link.down.push_back(Frame::Pong(number)),
                Frame::Pong(_) | Frame::Close => {}
            }
        }
        arrived
    }

    /// Frames reach the edge, unless it does not read; returns how many.
    pub(in super::super) fn down_arrives(&mut self, most: usize) -> usize {
        let mut arrived = 0;
        while arrived < most
            && let Some(link) = self.link.as_mut().filter(|link| !link.silent && !link.paused)
            && let Some(frame) = link.down.pop_front()
        {
            arrived += 1;
            match frame {
                Frame::Message(message) => self.tell_link(LinkEvent::Received(message)),
                Frame::Pong(number) => self.tell_link(LinkEvent::Pong(number)),
                Frame::Ping(_) => {}
                Frame::Close => {
                    let epoch = link.epoch;
                    self.forget_link();
                    self.tell(Input::Link { epoch, event: LinkEvent::Closed });
                }
            }
        }
        arrived
    }

    pub(in super::super) fn edge_flushes(&mut self, most: usize) {
        let Some(link) = &mut self.link else { return };
        let messages = most.min(link.unflushed.len());
        let bytes = link.unflushed.drain(..messages).sum();
        if messages > 0 {
            self.tell_link(LinkEvent::Flushed { messages, bytes });
        }
    }

    pub(in super::super) fn cloud_flushes(&mut self, most: usize) {
        let Some(link) = &mut self.link else { return };
        let messages = most.min(link.cloud_unflushed);
        link.cloud_unflushed -= messages;
        let connection = link.connection;
        if messages > 0 {
            self.tell_cloud(CloudInput::Flushed { connection, messages });
        }
    }

    /// The hub closed the link: the cloud learns of it, or never does.
    pub(super) fn edge_closed(&mut self) {
        let Some(link) = self.forget_link() else { return };
        if !link.silent {
            self.tell_cloud(CloudInput::Closed { connection: link.connection });
        }
    }

    fn forget_link(&mut self) -> Option<Link> {
        let link = self.link.take()?;
        self.old = Some(link.epoch);
        Some(link)
    }

    /// The link ends, and what is under way is lost; both ends learn of it, or (odd) the cloud does not.
    pub(in super::super) fn cut(&mut self, argument: u8) {
        let Some(Link { epoch, connection, .. }) = self.forget_link() else { return };
        if argument.is_multiple_of(2) {
            self.tell_cloud(CloudInput::Closed { connection });
        }
        self.tell(Input::Link { epoch, event: LinkEvent::Closed });
    }

    /// The cloud forgets the session of the link.
    pub(in super::super) fn session_is_lost(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.cloud_is_there && !link.zombie) else {
            return;
        };
        link.zombie = true;
        let connection = link.connection;
        self.tell_cloud(CloudInput::Closed { connection });
    }

    pub(in super::super) fn link_goes_silent(&mut self) {
        if let Some(link) = &mut self.link {
            link.silent = true;
        }
    }

    /// The driver of a link that is over still has something to say.
    pub(in super::super) fn old_link_speaks(&mut self, argument: u8) {
        let Some(epoch) = self.old else { return };
        let event = match argument % 7 {
            0 => LinkEvent::Opened,
            1 => LinkEvent::OpenFailed,
            2 => LinkEvent::Closed,
            3 => LinkEvent::Pong(u64::from(argument)),
            4 => LinkEvent::Flushed { messages: 3, bytes: 300 },
            5 => LinkEvent::Progress,
            _ => LinkEvent::Malformed(Violation::Framing),
        };
        self.tell(Input::Link { epoch, event });
    }

    /// A frame that is no message, at either end; some of them end the link.
    pub(in super::super) fn malformed(&mut self, argument: u8) {
        let violation = match argument % 4 {
            0 => Violation::Framing,
            1 => Violation::NotUtf8,
            2 => Violation::Truncated,
            _ => Violation::FrameTooLarge { bytes: usize::MAX },
        };
        let Some(link) = self.link.as_ref().filter(|link| !link.silent && link.cloud_is_there) else {
            return;
        };
        let connection = link.connection;
        match argument & 4 {
            0 => self.tell_link(LinkEvent::Malformed(violation)),
            _ => self.tell_cloud(CloudInput::Malformed { connection, violation }),
        }
    }
}
