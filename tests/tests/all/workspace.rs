//! The arrows between the crates, as `cargo metadata` sees them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each workspace crate may use of the others, tests included.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("edgehub-core", &[]),
    ("edgehub", &["edgehub-core"]),
    ("edgehub-sim", &["edgehub-core"]),
    ("edgehub-fuzz", &["edgehub-core", "edgehub-sim", "edgehub"]),
    ("edgehub-tests", &["edgehub-core", "edgehub", "edgehub-sim"]),
];

/// What the core may depend on, outside its own tests: crates that work without std, clocks and threads.
const CORE_MAY_USE: [&str; 11] = [
    "bytes",
    "bytestring",
    "serde",
    "serde_json",
    "arbitrary",
    "crc32fast",
    "prost",
    "itoa",
    "lz4_flex",
    "miniz_oxide",
    "xxhash-rust",
];

/// Nobody here depends on these: there is one runtime, one TLS and one WebSocket library.
const NOBODY_USES: [&str; 6] = ["tokio", "async-std", "native-tls", "openssl", "tokio-tungstenite", "hyper"];

fn packages(manifest: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The dependencies of each package: name, and whether it is for tests only.
fn dependencies(manifest: &Path) -> BTreeMap<String, BTreeSet<(String, bool)>> {
    let text = |value: &Value| value.as_str().unwrap().to_string();
    packages(manifest)
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let each = |dependency: &Value| (text(&dependency["name"]), dependency["kind"] == "dev");
            (text(&package["name"]), dependencies.iter().map(each).collect())
        })
        .collect()
}

fn every_package() -> BTreeMap<String, BTreeSet<(String, bool)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut packages = dependencies(&root.join("Cargo.toml"));
    // The fuzz targets are a workspace of their own: cargo-fuzz builds them with its own flags.
    let fuzz = root.join("fuzz/Cargo.toml");
    if fuzz.exists() {
        packages.extend(dependencies(&fuzz));
    }
    packages
}

#[test]
fn arrows_point_the_right_way() {
    let packages = every_package();
    for (name, dependencies) in &packages {
        let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| of == name) else {
            panic!("{name} is a new crate: say in MAY_USE what it may use");
        };
        for (used, _) in dependencies.iter().filter(|(used, _)| packages.contains_key(used)) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn the_core_touches_nothing() {
    let packages = every_package();
    for (used, only_in_tests) in &packages["edgehub-core"] {
        assert!(*only_in_tests || CORE_MAY_USE.contains(&used.as_str()), "the core must not use {used}");
    }
}

/// Bugs on purpose are for one test, which asks for them by name: no package asks for them by itself.
#[test]
fn nobody_has_bugs_on_purpose() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let is_bugs = |feature: &Value| feature.as_str().is_some_and(|feature| feature.contains("canaries"));
    let asks = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(is_bugs));
    for package in packages(&root.join("Cargo.toml")).iter().chain(&packages(&root.join("fuzz/Cargo.toml"))) {
        let mut dependencies = package["dependencies"].as_array().unwrap().iter();
        assert!(!asks(&package["features"]["default"]), "{} has bugs by default", package["name"]);
        assert!(!dependencies.any(|used| asks(&used["features"])), "{} asks for bugs", package["name"]);
    }
}

/// quinn brings tokio for its channels. What a runtime is made of is not compiled into any of it: the features are those of all
/// packages together.
#[test]
fn no_tokio_runtime_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO")).args(arguments).current_dir(root).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let version = cargo(&["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = cargo(&["metadata", "--format-version", "1", "--offline", "--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let is = |id: &Value, name: &str| {
        let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["id"] == *id);
        package.unwrap()["name"] == name
    };
    let mut found = 0;
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let uses = node["deps"].as_array().unwrap().iter().any(|used| is(&used["pkg"], "tokio"));
        assert!(!uses || is(&node["id"], "quinn"), "{} must not use tokio", node["id"]);
        if is(&node["id"], "tokio") {
            found += 1;
            for feature in
                node["features"].as_array().unwrap().iter().map(|feature| feature.as_str().unwrap())
            {
                let is_runtime = feature.starts_with("rt") || ["net", "time", "full"].contains(&feature);
                assert!(!is_runtime, "tokio is compiled with {feature}");
            }
        }
    }
    assert_eq!(found, 1, "quinn needs it, or this test is not needed any more");
}

#[test]
fn one_runtime_one_tls() {
    for (name, dependencies) in every_package() {
        for (used, _) in dependencies {
            assert!(!NOBODY_USES.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

/// Where code, but for tests, may name a lane: what is said on it, who chooses it, who is configured, and what is read back of all that. Everybody else moves messages
/// and knows no lane.
const MAY_NAME_LANES: [&str; 9] = [
    "core/src/config.rs",
    "core/src/hub/lanes.rs",
    "core/src/trace/describe.rs",
    "core/src/trace/digest.rs",
    "io/src/lane",
    "io/src/config",
    "io/src/cli",
    "io/src/loopback.rs",
    // Whether it is listened on is an option.
    "io/src/server.rs",
];

#[test]
fn drivers_know_no_lane() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    ["core/src", "io/src"].iter().for_each(|folder| sources(&root.join(folder), &mut files));
    let mut named = BTreeSet::new();
    for file in &files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap();
        if name.contains("/tests/") || name.ends_with("/tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().position(|line| names_a_lane(&code_of(line)));
        match (line, MAY_NAME_LANES.iter().find(|place| name.starts_with(**place))) {
            (Some(_), Some(place)) => drop(named.insert(*place)),
            (Some(line), None) => panic!("{name}:{} names a lane", line + 1),
            (None, _) => {}
        }
    }
    let unused: Vec<_> = MAY_NAME_LANES.iter().filter(|place| !named.contains(**place)).collect();
    assert!(unused.is_empty(), "they need not be in the list: {unused:?}");
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, files),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
}

/// A line without its texts and its comment. Of a text over several lines each counts as code.
fn code_of(line: &str) -> String {
    let texts_out: String = line.split('"').step_by(2).collect();
    texts_out.split("//").next().unwrap_or_default().to_owned()
}

/// `Lane::WebSocket`, `Quic`, `quic`, `QUIC_SCHEME`, but not `quick`.
fn names_a_lane(code: &str) -> bool {
    let lower = code.to_ascii_lowercase();
    let mut quics = lower.match_indices("quic");
    ["Lane::", "LaneChoice::"].iter().any(|name| code.contains(name))
        || quics.any(|(at, found)| !lower[at + found.len()..].starts_with('k'))
}

#[test]
fn a_lane_is_named_by_code_alone() {
    for (line, is) in [
        ("if lane == Lane::Quic {", true),
        ("if lane != Lane::WebSocket {", true),
        ("let quic = Some(1); // why", true),
        ("info!(\"QUIC gets through\"); // QUIC", false),
        ("/// It must be quick.", false),
        ("let quick = QUIC_SCHEME;", true),
        ("quicker(1)", false),
    ] {
        assert_eq!(names_a_lane(&code_of(line)), is, "{line}");
    }
}
