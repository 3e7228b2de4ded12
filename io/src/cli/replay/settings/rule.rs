//! A rule of the classes, as text: `operation=update&resource=device/*->telemetry`, or `any->state`.

use edgehub::core::class::{Classes, Kind, Rule};

/// What stands between what a rule asks for and the class that it gives.
const GIVES: &str = "->";

/// What stands between two things that a rule asks for.
const AND: char = '&';

/// A rule that asks for nothing.
const ANY: &str = "any";

/// The kinds of messages, as a configuration names them.
const KINDS: [(&str, Kind); 3] =
    [("answer", Kind::Answer), ("request", Kind::Request), ("link-control", Kind::LinkControl)];

/// The rule that a text says, with a class of these.
pub(super) fn parsed(text: &str, classes: &Classes) -> Result<Rule, String> {
    let (asks, class) = text.rsplit_once(GIVES).ok_or_else(|| expected(text))?;
    let names = || classes.classes.iter().map(|class| &*class.name).collect::<Vec<_>>().join(", ");
    let place = classes.named(class);
    let class = place.ok_or_else(|| format!("expected one of the classes {}, found {class:?}", names()))?;
    let mut rule = Rule { class, ..Rule::default() };
    if asks == ANY {
        return Ok(rule);
    }
    for part in asks.split(AND) {
        let (field, value) = part.split_once('=').ok_or_else(|| expected(text))?;
        let place = match field {
            "kind" => {
                let kind = KINDS.iter().find(|(word, _)| *word == value);
                let words = KINDS.map(|(word, _)| word).join(", ");
                let told = || format!("expected one of the kinds {words}, found {value:?}");
                rule.kind = Some(kind.ok_or_else(told)?.1);
                continue;
            }
            "group" => &mut rule.group,
            "source" => &mut rule.source,
            "operation" => &mut rule.operation,
            "resource" => &mut rule.resource,
            _ => return Err(expected(text)),
        };
        *place = Some(value.into());
    }
    Ok(rule)
}

/// The text that says a rule.
pub(super) fn shown(rule: &Rule, classes: &Classes) -> String {
    let kind = KINDS.iter().find(|(_, kind)| Some(*kind) == rule.kind).map(|(word, _)| *word);
    let asked = [
        ("kind", kind),
        ("group", rule.group.as_deref()),
        ("source", rule.source.as_deref()),
        ("operation", rule.operation.as_deref()),
        ("resource", rule.resource.as_deref()),
    ];
    let asked: Vec<String> =
        asked.iter().filter_map(|(field, value)| Some(format!("{field}={}", (*value)?))).collect();
    let asks = if asked.is_empty() { ANY.into() } else { asked.join(&AND.to_string()) };
    let class = classes.classes.get(rule.class).map_or("", |class| &class.name);
    format!("{asks}{GIVES}{class}")
}

fn expected(text: &str) -> String {
    format!(
        "expected what a message must have and its class, such as operation=update&resource=device/*{GIVES}telemetry or \
         {ANY}{GIVES}state; there are kind, group, source, operation and resource; found {text:?}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_meant() {
        let classes = Classes::default();
        let place = |name: &str| classes.named(name).unwrap();
        let rule = Rule {
            kind: Some(Kind::Request),
            group: Some("meta".into()),
            source: Some("twin".into()),
            operation: Some("query".into()),
            resource: Some("a->b/*".into()),
            class: place("telemetry"),
        };
        for rule in [rule, Rule { class: place("state"), ..Rule::default() }].iter().chain(&classes.rules) {
            assert_eq!(parsed(&shown(rule, &classes), &classes).as_ref(), Ok(rule));
        }
        assert_eq!(shown(&Rule { class: place("state"), ..Rule::default() }, &classes), "any->state");
    }

    #[test]
    fn what_is_no_rule_is_told() {
        let classes = Classes::default();
        for (text, word) in [
            ("state", "any->state"),
            ("any->none", "one of the classes"),
            ("kind=odd->state", "one of the kinds"),
            ("colour=red->state", "resource"),
            ("meta->state", "found \"meta->state\""),
        ] {
            let told = parsed(text, &classes).unwrap_err();
            assert!(told.contains(word), "{told}");
        }
    }
}
