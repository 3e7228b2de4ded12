//! A panic of the core, or of a check, in the middle of a run: it is caught, and told as a failure like any other, with
//! its message and its place. Nothing is printed where it happens: a search runs through hundreds of them.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// What a panic said, and the file in which it happened; a line would move with every edit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    pub(crate) file: String,
}

thread_local! {
    /// The panic on this thread, while one is waited for.
    static SAID: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `body`; a panic becomes what it said. Panics elsewhere are told as before.
///
/// What `body` borrows is as it was when it panicked: look at it, but do not go on with it.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, Panicked> {
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !remember(info) {
                loud(info);
            }
        }));
    });
    let before = SAID.replace(Some(Panicked::default()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    let said = SAID.replace(before);
    outcome.map_err(|_| said.unwrap_or_default())
}

/// Keeps what a panic says, if somebody on this thread waits for it.
fn remember(info: &PanicHookInfo<'_>) -> bool {
    let message = info.payload_as_str().unwrap_or("a panic without words");
    let file = info.location().map_or("", |place| place.file());
    SAID.with_borrow_mut(|said| match said {
        Some(said) => {
            *said = Panicked { message: message.to_string(), file: file.to_string() };
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_its_file() {
        let Panicked { message, file } = caught(|| panic!("seven is {}", 7)).unwrap_err();
        assert_eq!(message, "seven is 7");
        assert!(file.ends_with("caught.rs"), "{file}");
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn one_within_another_is_told_to_the_inner_one() {
        let outer = caught(|| caught(|| panic!("inner")).unwrap_err());
        assert_eq!(outer.unwrap().message, "inner");
    }
}
