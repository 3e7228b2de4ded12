//! A timer that is armed rarely.
//!
//! Arming one wakes the reactor, and a connection's deadline moves with every packet, mostly to a later moment. One that is armed for an earlier moment
//! stays as it is: when it rings, it is armed for what the deadline is by then.

use quinn::AsyncTimer;
use smol::Timer;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct LaneTimer {
    timer: Timer,
    armed: Option<Instant>,
    deadline: Instant,
}

impl LaneTimer {
    pub(super) fn at(deadline: Instant) -> LaneTimer {
        LaneTimer { timer: Timer::never(), armed: None, deadline }
    }
}

impl AsyncTimer for LaneTimer {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.deadline = deadline;
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let deadline = self.deadline;
            if self.armed.is_none_or(|armed| deadline < armed) {
                self.timer.set_at(deadline);
                self.armed = Some(deadline);
            }
            ready!(AsyncTimer::poll(Pin::new(&mut self.timer), context));
            if self.armed.take() == Some(deadline) {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, poll_fn, poll_once};
    use std::time::Duration;

    #[test]
    fn it_rings_at_the_last_deadline_and_not_before() {
        let now = Instant::now();
        let mut timer = Box::pin(LaneTimer::at(now + Duration::from_millis(5)));
        assert_eq!(block_on(poll_once(poll_fn(|context| timer.as_mut().poll(context)))), None);
        for deadline in [20, 21, 7].map(|late| now + Duration::from_millis(late)) {
            timer.as_mut().reset(deadline);
            block_on(poll_fn(|context| timer.as_mut().poll(context)));
            assert!(Instant::now() >= deadline);
        }
    }

    #[test]
    fn an_earlier_deadline_is_not_slept_through() {
        let now = Instant::now();
        let mut timer = Box::pin(LaneTimer::at(now + Duration::from_secs(3600)));
        assert_eq!(block_on(poll_once(poll_fn(|context| timer.as_mut().poll(context)))), None);
        timer.as_mut().reset(now);
        block_on(poll_fn(|context| timer.as_mut().poll(context)));
    }
}
