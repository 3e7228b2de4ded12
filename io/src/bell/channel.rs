//! A channel to the one task that waits on the bell.
//!
//! Its receiver never waits on it, and its senders only when it is full. So the usual message costs its place in the queue and
//! the bell: nobody else is looked for.

use super::Rope;
use concurrent_queue::{ConcurrentQueue, PushError};
use event_listener::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What both ends share.
#[derive(Debug)]
struct Channel<T> {
    queue: ConcurrentQueue<T>,
    /// Senders that found the queue full.
    waiting: AtomicUsize,
    /// Those of them that have missed the room they waited for.
    overtaken: AtomicUsize,
    room: Event,
}

/// Both ends of a channel over this queue, whose senders pull this rope.
pub(super) fn channel<T>(queue: ConcurrentQueue<T>, rope: Rope) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        queue,
        waiting: AtomicUsize::new(0),
        overtaken: AtomicUsize::new(0),
        room: Event::new(),
    });
    (Sender(Arc::new(Speaker { channel: channel.clone(), rope })), Receiver(channel))
}

/// A sender that rings when it has sent. When its last clone goes, the channel is closed, and that rings, too.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Speaker<T>>);

#[derive(Debug)]
struct Speaker<T> {
    channel: Arc<Channel<T>>,
    rope: Rope,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender(self.0.clone())
    }
}

impl<T> Drop for Speaker<T> {
    fn drop(&mut self) {
        self.channel.queue.close();
        self.rope.pull();
    }
}

/// The receiver is gone, or has closed the channel. The item comes back.
#[derive(Debug)]
pub(crate) struct Closed<T>(pub(crate) T);

impl<T> Sender<T> {
    /// Sends if there is room and a receiver, and nobody who waited was overtaken.
    pub(crate) fn try_send(&self, item: T) -> Result<(), PushError<T>> {
        let Channel { queue, overtaken, .. } = &*self.0.channel;
        if overtaken.load(Ordering::SeqCst) > 0 && !queue.is_closed() {
            return Err(PushError::Full(item));
        }
        self.push(item)
    }

    /// Sends once there is room. Room may go to one that comes just then, but only once: who was overtaken is first.
    pub(crate) async fn send(&self, item: T) -> Result<(), Closed<T>> {
        let channel = &*self.0.channel;
        let mut overtaken = None;
        let mut sent = self.try_send(item);
        loop {
            let item = match sent {
                Ok(()) => return Ok(()),
                Err(PushError::Closed(item)) => return Err(Closed(item)),
                Err(PushError::Full(item)) => item,
            };
            let waiting = Counted::in_(&channel.waiting);
            let room = channel.room.listen();
            // What was taken before this sender could be seen waiting has told nobody.
            sent = if overtaken.is_some() { self.push(item) } else { self.try_send(item) };
            let Err(PushError::Full(item)) = sent else { continue };
            room.await;
            drop(waiting);
            sent = self.push(item);
            if matches!(sent, Err(PushError::Full(_))) {
                overtaken.get_or_insert_with(|| Overtaken::of(channel));
            }
        }
    }

    fn push(&self, item: T) -> Result<(), PushError<T>> {
        self.0.channel.queue.push(item)?;
        self.0.rope.pull();
        Ok(())
    }
}

/// One more in a count, for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn in_(count: &'a AtomicUsize) -> Counted<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A sender that waited for room which another one took. While it waits on, those that come do so behind it.
struct Overtaken<'a> {
    room: &'a Event,
    counted: Option<Counted<'a>>,
}

impl<'a> Overtaken<'a> {
    fn of<T>(channel: &'a Channel<T>) -> Overtaken<'a> {
        Overtaken { room: &channel.room, counted: Some(Counted::in_(&channel.overtaken)) }
    }
}

impl Drop for Overtaken<'_> {
    fn drop(&mut self) {
        self.counted = None;
        // Whoever waits because of it may find room without anything being taken out.
        self.room.notify_additional(1);
    }
}

/// The receiving end. Whoever has it waits on the bell.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Channel<T>>);

impl<T> Receiver<T> {
    /// The next item, if there is one.
    pub(crate) fn try_recv(&self) -> Option<T> {
        let item = self.0.queue.pop().ok()?;
        // Either this sees the sender that waits, or that sender sees the room: both orders are sequentially consistent.
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.room.notify_additional(1);
        }
        Some(item)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.queue.is_empty()
    }

    /// Whether nothing will be sent any more. What was sent before may still be there.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.queue.is_closed()
    }

    /// Takes no more. What was sent before can still be received.
    pub(crate) fn close(&self) {
        self.0.queue.close();
        self.0.room.notify(usize::MAX);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bell;
    use super::*;
    use smol::future::{block_on, poll_once, zip};

    #[test]
    fn a_sender_waits_for_room_in_its_turn_or_for_the_end() {
        let (sender, receiver) = Bell::default().bounded(1);
        sender.try_send(1).unwrap();
        assert!(matches!(sender.try_send(2), Err(PushError::Full(2))));
        block_on(async {
            // It gives up waiting: the room that is made is another's.
            assert!(poll_once(sender.send(3)).await.is_none());
            let take = async { [receiver.try_recv(), receiver.try_recv()] };
            assert_eq!(zip(sender.send(4), take).await.1, [Some(1), None]);
            assert_eq!(receiver.try_recv(), Some(4));
            sender.try_send(5).unwrap();
            let (sent, ()) = zip(sender.send(6), async { receiver.close() }).await;
            assert!(matches!(sent, Err(Closed(6))));
        });
        assert!(matches!(sender.try_send(7), Err(PushError::Closed(7))));
        assert_eq!((receiver.is_closed(), receiver.try_recv(), receiver.try_recv()), (true, Some(5), None));
    }

    /// A sender without a pause finds the room first whenever some is made, before those that wait have woken up.
    #[test]
    fn who_waits_is_overtaken_once() {
        let (sender, receiver) = Bell::default().bounded(1);
        sender.try_send(1).unwrap();
        block_on(async {
            let mut waiting = std::pin::pin!(sender.send(2));
            assert!(poll_once(waiting.as_mut()).await.is_none());
            assert_eq!(receiver.try_recv(), Some(1));
            sender.try_send(3).unwrap();
            assert!(poll_once(waiting.as_mut()).await.is_none(), "overtaken");
            let mut behind = std::pin::pin!(sender.send(4));
            assert_eq!(receiver.try_recv(), Some(3));
            assert!(matches!(sender.try_send(5), Err(PushError::Full(5))), "not again");
            assert!(poll_once(behind.as_mut()).await.is_none());
            assert!(matches!(poll_once(waiting).await, Some(Ok(()))));
            assert_eq!(receiver.try_recv(), Some(2));
            assert!(matches!(poll_once(behind).await, Some(Ok(()))));
            assert_eq!(receiver.try_recv(), Some(4));
            sender.try_send(6).unwrap();
        });
    }

    /// It gives up after it was overtaken: who waits behind it finds the room that nobody takes.
    #[test]
    fn who_was_overtaken_and_gives_up_holds_nobody_back() {
        let (sender, receiver) = Bell::default().bounded(1);
        sender.try_send(1).unwrap();
        block_on(async {
            let mut waiting = Box::pin(sender.send(2));
            assert!(poll_once(waiting.as_mut()).await.is_none());
            assert_eq!(receiver.try_recv(), Some(1));
            sender.try_send(3).unwrap();
            assert!(poll_once(waiting.as_mut()).await.is_none(), "overtaken");
            assert_eq!(receiver.try_recv(), Some(3));
            let mut behind = std::pin::pin!(sender.send(4));
            assert!(poll_once(behind.as_mut()).await.is_none(), "there is room, and it is another's");
            drop(waiting);
            behind.await.unwrap();
        });
        assert_eq!(receiver.try_recv(), Some(4));
    }

    #[test]
    fn many_senders_on_threads_all_get_through_a_channel_of_two() {
        let bell = Bell::default();
        let (sender, receiver) = bell.bounded(2);
        let speakers: Vec<_> = (0..4)
            .map(|speaker| {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    block_on(async {
                        for number in 0..2_000 {
                            sender.send((speaker, number)).await.unwrap();
                        }
                    });
                })
            })
            .collect();
        drop(sender);
        let mut next = [0; 4];
        block_on(async {
            loop {
                bell.until(|| !receiver.is_empty() || receiver.is_closed()).await;
                let Some((speaker, number)) = receiver.try_recv() else { break };
                let expected: &mut i32 = &mut next[speaker];
                assert_eq!(number, *expected);
                *expected += 1;
            }
        });
        assert_eq!(next, [2_000; 4]);
        speakers.into_iter().for_each(|speaker| speaker.join().unwrap());
    }
}
