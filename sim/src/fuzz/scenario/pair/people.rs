//! Who talks: the node's modules, and the modules of the cloud.

use super::Pair;
use edgehub_core::cloud::{CloudInput, Delivery, NodeName};
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, Input, Message, ModuleEvent, ModuleId};
use std::collections::VecDeque;
use std::time::Duration;

/// Names and groups of the node's modules.
pub(super) const MODULES: [(&str, &str); 4] =
    [("metaManager", "meta"), ("twin", "twin"), ("eventbus", "bus"), ("taskmanager", "taskmanager")];

/// Where the cloud's messages go, by group and source; the last goes nowhere.
const ROUTES: [(&str, &str); 5] = [
    ("resource", "edgecontroller"),
    ("twin", "devicecontroller"),
    ("user", "router_eventbus"),
    ("taskmanager", "taskmanager"),
    ("unheard-of", "edgecontroller"),
];

#[derive(Debug)]
pub(super) struct People {
    joined: [Option<ModuleId>; MODULES.len()],
    numbers: u32,
    sent: [u64; MODULES.len()],
    /// Delivered to each place, and not acknowledged.
    unacknowledged: [VecDeque<Message>; MODULES.len()],
    /// Credit that each place has used up.
    owed: [u32; MODULES.len()],
    pub(super) intake: bool,
    commands: u64,
    /// Questions that the cloud has not answered.
    questions: VecDeque<Message>,
}

impl Default for People {
    fn default() -> People {
        People {
            joined: Default::default(),
            numbers: 0,
            sent: [0; MODULES.len()],
            unacknowledged: Default::default(),
            owed: [0; MODULES.len()],
            intake: true,
            commands: 0,
            questions: VecDeque::new(),
        }
    }
}

impl People {
    pub(super) fn delivered(&mut self, module: ModuleId, message: Message, answer: bool) {
        let Some(place) = self.joined.iter().position(|joined| *joined == Some(module)) else { return };
        self.owed[place] += u32::from(!answer);
        if !message.is_response() && message.operation() != operation::CONNECT {
            self.unacknowledged[place].push_back(message);
        }
    }

    pub(super) fn asked(&mut self, message: &Message) {
        if message.operation() == operation::QUERY {
            self.questions.push_back(message.clone());
        }
    }

    /// The place that an argument means, and who is there. The name counts up for each lane: order holds in a lane.
    fn speaker(&mut self, argument: u8, lane: &str) -> Option<(ModuleId, usize, String)> {
        let place = usize::from(argument) % MODULES.len();
        let module = self.joined[place]?;
        self.sent[place] += 1;
        Some((module, place, format!("{}/{lane}/{}", MODULES[place].0, self.sent[place])))
    }
}

impl Pair {
    fn module(&mut self, module: ModuleId, event: ModuleEvent) {
        self.tell(Input::Module { module, event });
    }

    pub(in super::super) fn module_sends(&mut self, argument: u8) {
        let Some((module, place, id)) = self.people.speaker(argument, "data") else { return };
        let text = "x".repeat(usize::from(argument) * 4);
        let draft = Draft {
            msg_id: &id,
            source: MODULES[place].0,
            destination: "websocket",
            group: MODULES[place].1,
            operation: "update",
            content: Content::Text(&text),
            ..Draft::default()
        };
        if let Ok(message) = draft.encode() {
            self.module(module, ModuleEvent::Sent { message, timeout: None, receipt: None });
        }
    }

    pub(in super::super) fn module_asks(&mut self, argument: u8) {
        let Some((module, place, id)) = self.people.speaker(argument, "data") else { return };
        let group = if MODULES[place].1 == "meta" { "resource" } else { MODULES[place].1 };
        let draft = Draft {
            msg_id: &id,
            sync: true,
            source: MODULES[place].0,
            group,
            operation: operation::QUERY,
            resource: "default/pod/p",
            ..Draft::default()
        };
        let timeout = (argument >= 128).then(|| Duration::from_millis(u64::from(argument - 128) * 100));
        if let Ok(message) = draft.encode() {
            self.module(module, ModuleEvent::Sent { message, timeout, receipt: None });
        }
    }

    /// A module gives back the credit that it used, or a part of it.
    pub(in super::super) fn module_takes(&mut self, argument: u8) {
        let place = usize::from(argument) % MODULES.len();
        let Some(module) = self.people.joined[place] else { return };
        let most = if argument >= 128 { u32::MAX } else { u32::from(argument / 4) };
        let credit = self.people.owed[place].min(most);
        if credit > 0 {
            self.people.owed[place] -= credit;
            self.module(module, ModuleEvent::Ready { credit });
        }
    }

    /// A module acknowledges everything that it was given.
    pub(in super::super) fn module_acknowledges(&mut self, argument: u8) {
        let place = usize::from(argument) % MODULES.len();
        while let Some(message) = self.people.unacknowledged[place].pop_front() {
            let Some((module, _, id)) = self.people.speaker(argument, "control") else { return };
            if let Ok(message) = Draft::response_to(&message, &id, self.clock().wall).encode() {
                self.module(module, ModuleEvent::Sent { message, timeout: None, receipt: None });
            }
        }
    }

    pub(in super::super) fn module_comes_or_goes(&mut self, argument: u8) {
        let place = usize::from(argument) % MODULES.len();
        if let Some(module) = self.people.joined[place].take() {
            self.people.owed[place] = 0;
            self.people.unacknowledged[place].clear();
            return self.module(module, ModuleEvent::Left);
        }
        if self.stopped {
            return;
        }
        let module = ModuleId(self.people.numbers);
        self.people.numbers += 1;
        self.people.joined[place] = Some(module);
        let (name, group) = MODULES[place];
        let event = ModuleEvent::Joined { name: name.into(), groups: vec![group.into()], credit: 2 };
        self.module(module, event);
    }

    /// Modules that are away come back: what waits for their acknowledgement would be sent for ever.
    pub(super) fn everybody_is_there(&mut self) {
        for place in 0..MODULES.len() {
            if self.people.joined[place].is_none() {
                self.module_comes_or_goes(place as u8);
            }
        }
    }

    pub(in super::super) fn cloud_sends(&mut self, argument: u8) {
        let (group, source) = ROUTES[usize::from(argument) % ROUTES.len()];
        let place = usize::from(argument) % ROUTES.len();
        self.people.commands += 1;
        let draft = Draft {
            msg_id: &format!("command/{}", self.people.commands),
            source,
            group,
            operation: if argument >= 250 { "ping" } else { "update" },
            resource: "default/pod/p",
            ..Draft::default()
        };
        // Acknowledged delivery is for modules that are there: what nobody takes would be sent for ever.
        let taken = self.people.joined.get(place).is_some_and(Option::is_some) && argument < 250;
        let delivery =
            if taken && argument >= 128 { Delivery::Acknowledged } else { Delivery::Unacknowledged };
        self.send_down(draft, delivery);
    }

    /// As many commands for `twin` as fill its inbox, nearly or more than that.
    pub(in super::super) fn burst(&mut self, argument: u8) {
        for _ in 0..usize::from(argument) * 2 {
            self.people.commands += 1;
            let id = format!("command/{}", self.people.commands);
            let draft = Draft { msg_id: &id, group: "twin", operation: "update", ..Draft::default() };
            self.send_down(draft, Delivery::Unacknowledged);
        }
    }

    /// The cloud answers its oldest question.
    pub(in super::super) fn cloud_answers(&mut self, argument: u8) {
        let Some(question) = self.people.questions.pop_front() else { return };
        self.people.commands += 1;
        let id = format!("command/{}", self.people.commands);
        let answer = Draft::response_to(&question, &id, self.clock().wall);
        let failed = Draft { operation: operation::ERROR, ..answer };
        self.send_down(if argument.is_multiple_of(4) { failed } else { answer }, Delivery::Unacknowledged);
    }

    fn send_down(&mut self, draft: Draft<'_>, delivery: Delivery) {
        if let Ok(message) = draft.encode() {
            let node = NodeName::from("edge-1");
            self.tell_cloud(CloudInput::Send { node, message, delivery });
        }
    }
}
