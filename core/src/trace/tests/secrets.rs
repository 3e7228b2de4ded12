//! With contents kept, secrets are not.

use crate::config::Config;
use crate::hub::{Hub, Input, LinkEpoch, LinkEvent, ModuleEvent, ModuleId};
use crate::message::{Content, Draft};
use crate::time::Now;
use crate::trace::{Contents, Header, Recorder, Trace, replay};
use std::vec::Vec;

/// A trace of what the cloud sends about these resources, and what a module sends about them; the hub still has them when
/// a checkpoint is made.
fn about(resources: &[&str], text: &str) -> Vec<u8> {
    let header = Header { contents: Contents::Kept, config: Config::default(), ..Header::default() };
    let mut recorder = Recorder::new(header.clone(), 1, usize::MAX);
    let (mut hub, mut file) = (Hub::new(header.config, 0, Now::default()), recorder.head());
    let joined = ModuleEvent::Joined { name: "meta".into(), groups: std::vec!["resource".into()], credit: 1 };
    let mut inputs = std::vec![
        Input::Module { module: ModuleId(1), event: joined },
        Input::Link { epoch: LinkEpoch(1), event: LinkEvent::Opened },
    ];
    for (number, resource) in resources.iter().enumerate() {
        let id = std::format!("{number}");
        let draft = Draft {
            msg_id: &id,
            group: "resource",
            resource,
            content: Content::Text(text),
            ..Draft::default()
        };
        let message = draft.encode().unwrap();
        inputs.push(Input::Link { epoch: LinkEpoch(1), event: LinkEvent::Received(message.clone()) });
        let sent = ModuleEvent::Sent { message, timeout: None, receipt: None };
        inputs.push(Input::Module { module: ModuleId(1), event: sent });
    }
    for (number, input) in inputs.into_iter().enumerate() {
        let now = Now::new(number as u64, 0);
        recorder.input(now, &input, &hub);
        hub.handle(now, input);
        while let Some(output) = hub.poll_output() {
            recorder.output(&output);
        }
        recorder.drained(&hub);
    }
    recorder.checkpoint(&hub);
    while let Some(block) = recorder.next_block() {
        file.extend_from_slice(&block.pack());
    }
    file
}

fn holds(file: &[u8], text: &str) -> bool {
    file.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn contents_of_secrets_are_in_no_trace() {
    // Of bytes that LZ4 finds nowhere else, so that it leaves them as they are.
    let text = "hunter2-q8Zx";
    let secrets = ["default/secret/database", "default/serviceaccounttoken/pod-1", "node/a/default/Secret/x"];
    let file = about(&secrets, text);
    assert!(!holds(&file, text));
    let trace = Trace::open(&file).unwrap();
    assert_eq!(trace.damage(), []);
    let replayed = replay(&trace).unwrap();
    assert!(replayed.compared > 3, "{replayed:?}");
    assert!(holds(&about(&["default/configmap/secrets", "default/pod/secret-keeper"], text), text));
}
