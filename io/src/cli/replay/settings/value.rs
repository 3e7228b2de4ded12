//! What a setting can be, as text.

use super::super::super::trace::length;
use edgehub::core::class::{Classes, Delivery, Overflow};
use edgehub::core::config::{Acknowledge, Choice, Drain, LaneChoice, Rate};
use edgehub::core::{Config, Probe, Profile};
use std::time::Duration;

/// The word for a setting that is `None`.
pub(super) const OFF: &str = "off";

/// The value of a setting, in a configuration.
pub(super) trait Value {
    /// Takes what a text says, or tells why not.
    fn set(&mut self, text: &str) -> Result<(), String>;

    /// The text that says it.
    fn show(&self) -> String;
}

/// What a setting that was off is before something is said of it.
pub(super) trait Start {
    fn start() -> Self;
}

impl<T: Value + Start> Value for Option<T> {
    fn set(&mut self, text: &str) -> Result<(), String> {
        if text == OFF {
            *self = None;
            return Ok(());
        }
        let mut value = self.take().unwrap_or_else(T::start);
        value.set(text).map_err(|why| format!("{why}, or {OFF}"))?;
        *self = Some(value);
        Ok(())
    }

    fn show(&self) -> String {
        self.as_ref().map_or(OFF.into(), T::show)
    }
}

impl Value for Duration {
    fn set(&mut self, text: &str) -> Result<(), String> {
        length(text).map(|length| *self = length)
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Value for String {
    fn set(&mut self, text: &str) -> Result<(), String> {
        *self = text.into();
        Ok(())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

macro_rules! parsed {
    ($($type:ty, $expected:literal;)+) => {
        $(impl Value for $type {
            fn set(&mut self, text: &str) -> Result<(), String> {
                let parsed = text.parse().map_err(|_| format!(concat!("expected ", $expected, ", found {:?}"), text));
                parsed.map(|value| *self = value)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        })+
    };
}

parsed! {
    u8, "a number up to 255";
    u32, "a number";
    usize, "a number";
    bool, "true or false";
}

/// A value that is one of these words.
macro_rules! words {
    ($type:ident: $($word:literal = $variant:ident),+) => {
        impl Value for $type {
            fn set(&mut self, text: &str) -> Result<(), String> {
                *self = match text {
                    $($word => $type::$variant,)+
                    _ => {
                        let known = [$($word),+].join(", ");
                        return Err(format!("expected one of {known}, found {text:?}"));
                    }
                };
                Ok(())
            }

            fn show(&self) -> String {
                match self {
                    $($type::$variant => $word,)+
                }
                .into()
            }
        }
    };
}

words!(Profile: "current" = Current, "classic" = Classic);
words!(Acknowledge: "module" = Module, "hub" = Hub);
words!(Choice: "ordered" = Ordered, "random" = Random, "weighted" = Weighted);
words!(LaneChoice: "websocket" = WebSocket, "quic" = Quic, "auto" = Auto);
words!(Delivery: "at-least-once" = AtLeastOnce, "at-most-once" = AtMostOnce);
words!(Overflow: "drop-oldest" = DropOldest, "drop-newest" = DropNewest, "reject" = Reject);

/// One part of something speaks for the whole.
macro_rules! by_its {
    ($type:ty, $part:ident) => {
        impl Value for $type {
            fn set(&mut self, text: &str) -> Result<(), String> {
                self.$part.set(text)
            }

            fn show(&self) -> String {
                self.$part.show()
            }
        }
    };
}

by_its!(Rate, per_second);
by_its!(Drain, per_second);
by_its!(Probe, after);

/// The class of what no rule fits.
impl Value for Classes {
    fn set(&mut self, text: &str) -> Result<(), String> {
        let names = || self.classes.iter().map(|class| &*class.name).collect::<Vec<_>>().join(", ");
        let place = self.named(text);
        self.otherwise =
            place.ok_or_else(|| format!("expected one of the classes {}, found {text:?}", names()))?;
        Ok(())
    }

    fn show(&self) -> String {
        self.classes.get(self.otherwise).map_or_else(String::new, |class| class.name.to_string())
    }
}

impl Start for Duration {
    fn start() -> Duration {
        Duration::ZERO
    }
}

impl Start for usize {
    fn start() -> usize {
        0
    }
}

impl Start for Probe {
    fn start() -> Probe {
        Probe::default()
    }
}

impl Start for Rate {
    fn start() -> Rate {
        Config::default().rate.unwrap_or(Rate { per_second: 30, burst: 60 })
    }
}

impl Start for Drain {
    fn start() -> Drain {
        let usual = Drain { per_second: 20, above: 100, spread: Duration::from_secs(10) };
        Config::default().drain.unwrap_or(usual)
    }
}
