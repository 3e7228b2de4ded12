//! `edgehub bench`, where it answers questions meanwhile.

use super::edgehub;

/// Who waits, each way, is served while user data flows and after a fault; nothing is lost.
#[test]
fn the_mixed_benchmark_answers_every_question() {
    for lane in ["websocket", "quic"] {
        let mixed = ["bench", "--mode", "mixed", "--lane", lane, "--seconds", "1", "--rate", "200"];
        let output = edgehub(&[&mixed[..], &["--meanwhile", "true"]].concat());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{report}");
        assert_eq!((&report["messages"], &report["lost"]), (&200.into(), &0.into()), "{report}");
        for asked in [&report["control"], &report["sync"]] {
            assert_eq!((&asked["asked"], &asked["answered"]), (&20.into(), &20.into()), "{report}");
        }
        assert!(report["recovered_after_s"].is_number(), "{report}");
    }
}

#[test]
fn what_is_for_the_mixed_benchmark_alone_is_refused_elsewhere() {
    let output = edgehub(&["bench", "--rate", "5"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--mode mixed"));
    let output = edgehub(&["bench", "--mode", "mixed", "--meanwhile", "echo no >&2; false"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no"));
}
