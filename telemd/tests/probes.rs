//! `telemctl probes`: the catalogue, and files of probes.d compared with this kernel.
#![expect(clippy::unwrap_used, reason = "a test panics")]

mod common;

use std::process::Output;

use common::{Host, said};
use testing::skip;

const RIGHT: &str = r#"
[probe.signals]
tracepoint = "signal:signal_generate"
title = "{comm} is told to end"
filter = "sig == 15 && pid > 1 && comm != 'init'"
fields = ["sig", "pid"]
"#;

fn check(host: &Host, text: &str, args: &[&str]) -> Output {
    let file = host.path("mine.toml");
    std::fs::write(&file, text).unwrap();
    let command = [&["probes", "check"], args, &[file.to_str().unwrap()]].concat();
    host.telemctl(&command)
}

/// Why the kernel cannot be asked here.
fn silent(output: &Output) -> Option<String> {
    (output.status.code() == Some(2)).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_file_is_checked_without_the_kernel() {
    let host = Host::new("");
    let right = check(&host, RIGHT, &["--file-only"]);
    assert_eq!(right.status.code(), Some(0), "{right:?}");
    let wrong = check(
        &host,
        "[probe.x]\ntracepoint = 'a:b'\nfilter = 'c = 1'\nfoo = 3",
        &["--file-only"],
    );
    let said = said(&host, &wrong);
    assert!(
        said.starts_with("exit 1") && said.contains("DIR/mine.toml:4:1: unknown field `foo`"),
        "{said}"
    );
}

#[test]
fn a_probe_that_fits_this_kernel_is_shown_as_it_will_be() {
    let name = "a_probe_that_fits_this_kernel_is_shown_as_it_will_be";
    let host = Host::new("");
    let output = check(&host, RIGHT, &["--json"]);
    if let Some(reason) = silent(&output) {
        return skip(name, &reason);
    }
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let probe = &answer["probes"][0];
    assert_eq!(probe["state"], "fits");
    assert_eq!(
        probe["filter"]["kernel"],
        serde_json::json!(["sig == 15", "pid > 1"])
    );
    assert_eq!(
        probe["filter"]["user_space"],
        serde_json::json!(["comm != \"init\""])
    );
    assert_eq!(
        probe["here"]["example"]["fields"],
        serde_json::json!({"sig": "15", "pid": "2"})
    );
    let text = said(&host, &check(&host, RIGHT, &[]));
    assert!(
        text.contains("mine.toml: probe signals fits this kernel"),
        "{text}"
    );
    assert!(text.ends_with("1 probe, 0 mistakes\n--- stderr\n"), "{text}");
}

#[test]
fn what_this_kernel_has_not_is_told_with_what_is_like_it() {
    let name = "what_this_kernel_has_not_is_told_with_what_is_like_it";
    let host = Host::new("");
    let text = "[probe.a]\ntracepoint = 'signal:signal_generte'\n\
                [probe.b]\ntracepoint = 'signal:signal_generate'\nfilter = 'sig == 15 && grp == 1'\nfields = ['pidd']";
    let output = check(&host, text, &[]);
    if let Some(reason) = silent(&output) {
        return skip(name, &reason);
    }
    let said = said(&host, &output);
    assert!(said.starts_with("exit 1"), "{said}");
    for part in [
        "mine.toml:2:15: probe.a: this kernel has no tracepoint `signal:signal_generte`",
        "did you mean \"signal:signal_generate\"?",
        "mine.toml:5:24: probe.b: the tracepoint `signal_generate` has no field `grp` here",
        "mine.toml:6:12: probe.b: the tracepoint `signal_generate` has no field `pidd` here",
        "did you mean `pid`?",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn without_the_agent_the_catalogue_is_listed_with_what_the_kernel_offers() {
    let host = Host::new("");
    std::fs::create_dir(host.path("probes.d")).unwrap();
    std::fs::write(host.path("probes.d/mine.toml"), RIGHT).unwrap();
    let output = host.telemctl(&["probes", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    for hook in probe_user::hook::ALL.iter().copied().chain(["user.signals"]) {
        let row = rows.iter().find(|row| row["hook"] == hook).unwrap();
        assert!(row["attached"].is_null() && row["reason"] != "", "{row}");
    }
    let said = said(&host, &output);
    assert!(said.contains("telemd is not running"), "{said}");
}

#[test]
fn a_hook_and_a_probe_are_shown_and_a_slip_is_recognised() {
    let host = Host::new("");
    std::fs::create_dir(host.path("probes.d")).unwrap();
    std::fs::write(host.path("probes.d/mine.toml"), RIGHT).unwrap();
    let hook = said(&host, &host.telemctl(&["probes", "show", "signal_deliver"]));
    assert!(
        hook.starts_with("exit 0") && hook.contains("tp_btf signal_deliver"),
        "{hook}"
    );
    let probe = said(&host, &host.telemctl(&["probes", "show", "signals"]));
    assert!(probe.contains("tracepoint signal:signal_generate"), "{probe}");
    let slip = said(&host, &host.telemctl(&["probes", "show", "signal_delivr"]));
    assert!(
        slip.starts_with("exit 1") && slip.contains("did you mean `signal_deliver`?"),
        "{slip}"
    );
}
