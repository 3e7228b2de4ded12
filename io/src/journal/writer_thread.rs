//! The thread that writes: file operations block, and the executor must not.

use super::directory::Directory;
use super::{Journal, Options, Room};
use async_channel::Sender;
use edgehub_core::journal::{Event, Health, Input, Operation, Writer};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// What a handle says to the thread.
#[derive(Debug)]
pub(super) enum Order {
    Operations(Vec<Operation>),
    Close,
}

pub(super) fn start(directory: Directory, writer: Writer, options: &Options) -> io::Result<Journal> {
    let (orders, received) = channel();
    let (events, told) = async_channel::unbounded();
    let settings = options.settings.clone().bounded();
    let room = Arc::new(Room::new(settings.waiting, settings.waiting_bytes));
    let work = Work {
        directory,
        writer,
        orders: received,
        events,
        room: room.clone(),
        counted: (0, 0),
        retry: options.retry,
    };
    std::thread::Builder::new().name("journal".into()).spawn(|| work.run())?;
    Ok(Journal { orders, events: told, room })
}

struct Work {
    directory: Directory,
    writer: Writer,
    orders: Receiver<Order>,
    events: Sender<Event>,
    room: Arc<Room>,
    /// Entries and bytes that the room counts and this thread has taken.
    counted: (usize, usize),
    retry: Duration,
}

impl Work {
    fn run(mut self) {
        let mut retry_at = None;
        loop {
            // Whatever came while the disk worked goes into the next write together.
            while let Some(order) = self.next_waiting() {
                self.take(order);
            }
            if self.tell() {
                return;
            }
            let command = self.writer.next_command();
            self.free_room();
            if let Some(command) = command {
                let input = match self.directory.execute(&command) {
                    Ok(completion) => Input::Completed(completion),
                    Err((fault, error)) => {
                        // The transition is told once, by the change of health; this is the detail.
                        debug!(?fault, %error, "journal: a command failed");
                        Input::Failed(fault)
                    }
                };
                self.writer.handle(input);
                continue;
            }
            if self.tell() {
                return;
            }
            let order = if self.writer.wants_retry() {
                let at = *retry_at.get_or_insert_with(|| Instant::now() + self.retry);
                match self.orders.recv_timeout(at.saturating_duration_since(Instant::now())) {
                    Ok(order) => order,
                    Err(RecvTimeoutError::Timeout) => {
                        retry_at = None;
                        self.writer.handle(Input::Retry);
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => Order::Close,
                }
            } else {
                retry_at = None;
                self.orders.recv().unwrap_or(Order::Close)
            };
            self.take(order);
        }
    }

    fn next_waiting(&self) -> Option<Order> {
        // Also when the owner is gone, what it handed over is still written.
        self.orders.try_recv().ok()
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Close => self.writer.handle(Input::Close),
            Order::Operations(operations) => {
                for operation in operations {
                    let (entries, bytes) = super::size(&operation);
                    self.counted = (self.counted.0 + entries, self.counted.1 + bytes);
                    self.writer.handle(Input::Operation(operation));
                }
            }
        }
    }

    /// Frees the room of what waits no longer.
    fn free_room(&mut self) {
        let (entries, bytes) = self.writer.waiting();
        self.room.leave(self.counted.0.saturating_sub(entries), self.counted.1.saturating_sub(bytes));
        self.counted = (entries, bytes);
    }

    /// Passes events on; whether that was the last.
    fn tell(&mut self) -> bool {
        while let Some(event) = self.writer.poll_event() {
            match &event {
                Event::Health(Health::Good) => info!("journal: stores again"),
                Event::Health(health) => warn!(?health, "journal: what comes waits"),
                Event::Lost { number } => error!(%number, "journal: an entry is lost; check the disk"),
                _ => {}
            }
            let last = matches!(event, Event::Closed { .. });
            if last {
                // Whoever hears of the end may open the journal again at once.
                self.directory.unlock();
            }
            // Without a listener there is nobody to tell, and the disk's work goes on.
            let _ = self.events.try_send(event);
            if last {
                return true;
            }
        }
        false
    }
}
