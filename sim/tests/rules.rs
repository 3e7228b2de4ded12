//! Which rules can fail: each is what catches most of a bug on purpose (`canaries.rs`), or is broken by a unit test beside it, or is
//! listed. The list may only become shorter: a new rule comes with a bug that it catches.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rules without a bug of their own. Some of them catch a few of the bugs for which the table names another rule.
const UNPROVEN: &str = include_str!("unproven-rules.txt");

/// The names of checks that do not say theirs in their own file; the rules of `reasons` are used by several.
const NAMES: [(&str, &str); 15] = [
    ("broken", "world"),
    ("cloud", "cloud"),
    ("confirmation", "confirmation"),
    ("flight", "flight"),
    ("intake", "intake"),
    ("letters", "stored"),
    ("model", "model"),
    ("pace", "pace"),
    ("rate", "rate limit"),
    ("reading", "reading"),
    ("reasons", "reasons"),
    ("receipts", "receipts"),
    ("stored", "stored"),
    ("timely", "timely"),
    ("upstream", "way up"),
];

/// What stands before the name of a rule, or of a check and its rule.
const CALLS: [&str; 8] =
    ["broken(", "Broken::new(", "missing(", "Due::new(", "overdue: ", "untimed: ", "rule: ", "=> \"false-"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

/// The texts in quotes at the beginning, with commas between them.
fn literals(mut text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    while let Some((literal, rest)) =
        text.trim_start().strip_prefix('"').and_then(|text| text.split_once('"'))
    {
        found.push(literal);
        text = rest.trim_start().strip_prefix(',').unwrap_or_default();
    }
    found
}

/// The name of the check to which this place of a file belongs: of several, the last that said its name before, or the first.
fn name(path: &Path, text: &str, at: usize) -> String {
    let place = path.strip_prefix(folder("src/checks")).ok().and_then(|path| path.iter().next());
    let stem = place.and_then(|place| place.to_str()).unwrap_or_default().trim_end_matches(".rs");
    let names: Vec<usize> = text.match_indices("fn name(&self)").map(|(name, _)| name).collect();
    let own = names.iter().rfind(|name| **name < at).or(names.first());
    let own = own.and_then(|name| text[*name..].split('"').nth(1)).filter(|_| stem != "reasons");
    let known = NAMES.iter().find(|(of, _)| *of == stem).map(|(_, name)| *name);
    own.or(known).unwrap_or("liveness").to_string()
}

fn rules_of(path: &Path, text: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for call in CALLS {
        let quoted = call.find('"').unwrap_or(call.len());
        for (at, _) in text.match_indices(call) {
            let (check, found) = (name(path, text, at), literals(&text[at + quoted..]));
            match (call, &*found) {
                ("Broken::new(", [check, rule, ..]) => rules.push(format!("{check}/{rule}")),
                ("Due::new(", [overdue, untimed, ..]) => {
                    rules.extend([overdue, untimed].map(|rule| format!("{check}/{rule}")));
                }
                (
                    "broken(" | "missing(" | "overdue: " | "untimed: " | "rule: " | "=> \"false-",
                    [rule, ..],
                ) => {
                    rules.push(format!("{check}/{rule}"));
                }
                _ => {}
            }
        }
    }
    rules
}

#[test]
fn every_rule_can_fail_or_is_known_not_to_be_shown() {
    let table = fs::read_to_string(folder("tests/canaries.rs")).unwrap();
    let rows = table.lines().filter(|line| line.contains("Canary::") && line.ends_with("\"),"));
    let caught: BTreeSet<&str> = rows.filter_map(|row| row.split('"').nth(1)).collect();
    let (mut all, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for path in ["src/checks", "src/world"].into_iter().flat_map(|of| sources(&folder(of))) {
        let text = fs::read_to_string(&path).unwrap();
        let (code, tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for rule in rules_of(&path, code) {
            let (_, own) = rule.rsplit_once('/').unwrap();
            let of_reasons = |caught: &&str| rule.starts_with("reasons/") && caught.ends_with(own);
            let by_test = tests.contains(&format!("\"{own}\""));
            if by_test || caught.contains(&*rule) || caught.iter().any(of_reasons) {
                shown.insert(rule.clone());
            }
            all.insert(rule);
        }
    }
    assert!(all.len() > 150, "only {} rules are found where they are written", all.len());
    let unknown: Vec<_> =
        caught.iter().filter(|rule| !all.contains(**rule) && !rule.contains("false-")).collect();
    assert!(unknown.is_empty(), "the table of canaries speaks of rules that are nowhere: {unknown:?}");
    let unproven: String = all.difference(&shown).map(|rule| format!("{rule}\n")).collect();
    if std::env::var_os("EDGEHUB_UPDATE_RULES").is_some() {
        fs::write(folder("tests/unproven-rules.txt"), &unproven).unwrap();
        return;
    }
    assert_eq!(
        unproven, UNPROVEN,
        "new rules need a bug that they catch; those that have one leave the list"
    );
}
