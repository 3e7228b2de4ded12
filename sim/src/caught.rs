//! A panic of the core, or of a check, in the middle of a run: it is caught, and told as a failure like any other, with
//! its message and its place. Nothing is printed where it happens: a search runs through hundreds of them.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// What the panic on this thread said, while one is caught here.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `body`; a panic becomes its message and the place where it happened. Panics elsewhere are told as before.
///
/// What `body` borrows is as it was when it panicked: look at it, but do not go on with it.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !remember(info) {
                loud(info);
            }
        }));
    });
    let before = SAID.replace(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    let said = SAID.replace(before);
    outcome.map_err(|_| said.unwrap_or_default())
}

/// Keeps what a panic says, if somebody on this thread waits for it.
fn remember(info: &PanicHookInfo<'_>) -> bool {
    let message = info.payload_as_str().unwrap_or("a panic without words");
    let place = info.location().map_or(String::new(), |place| {
        // A line moves with every edit: the file is what stays.
        format!(" ({})", place.file())
    });
    SAID.with_borrow_mut(|said| match said {
        Some(said) => {
            *said = format!("{message}{place}");
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_its_place() {
        let message = caught(|| panic!("seven is {}", 7)).unwrap_err();
        assert!(message.starts_with("seven is 7 (") && message.ends_with("caught.rs)"), "{message}");
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn one_within_another_is_told_to_the_inner_one() {
        let outer = caught(|| caught(|| panic!("inner")).unwrap_err());
        assert!(outer.unwrap().starts_with("inner"));
    }
}
