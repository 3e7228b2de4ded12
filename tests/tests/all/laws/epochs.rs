//! Law 6: events of another link change nothing.

use super::{STEPS, run, state};
use crate::property::check;
use crate::world::{drain, plan, start};
use edgehub_core::{Draft, Input, LinkEpoch, LinkEvent, Note, Output};
use proptest::prelude::*;

#[test]
fn law_06_events_of_another_link_change_nothing() {
    check("laws::epochs::law_06_events_of_another_link_change_nothing", 80, plan(STEPS), |plan| {
        let first = run(&plan);
        let message = || Draft { msg_id: "late", group: "twin", ..Draft::default() }.encode().unwrap();
        let events = [
            LinkEvent::Opened,
            LinkEvent::OpenFailed,
            LinkEvent::Closed,
            LinkEvent::Received(message()),
            LinkEvent::Malformed(edgehub_core::Violation::Framing),
            LinkEvent::Flushed { messages: 1, bytes: 1 },
            LinkEvent::Pong(1),
            LinkEvent::Progress,
        ];
        let (mut told, mut spared) = (start(&first.config, first.seed), start(&first.config, first.seed));
        for (at, (now, input)) in first.inputs().enumerate() {
            for hub in [&mut told, &mut spared] {
                hub.handle(now, input.clone());
                drain(hub);
            }
            let epoch = LinkEpoch(if at % 2 == 0 { told.epoch().0 + 1 } else { told.epoch().0 - 1 });
            told.handle(now, Input::Link { epoch, event: events[at % events.len()].clone() });
            spared.handle(now, Input::Tick);
            let mut outputs = drain(&mut told);
            prop_assert_eq!(outputs.pop(), Some(Output::Note(Note::StaleLinkEvent { epoch })));
            prop_assert_eq!(outputs, drain(&mut spared));
            prop_assert_eq!(state(&told), state(&spared));
        }
        Ok(())
    });
}
