use std::path::Path;

use super::*;

fn problem(text: &str) -> String {
    Config::parse(Path::new("telemd.toml"), text)
        .unwrap_err()
        .to_string()
}

#[test]
fn an_empty_file_means_all_defaults() {
    assert_eq!(Config::parse(Path::new("x"), "").unwrap(), Config::default());
}

#[test]
fn the_documented_file_is_the_default() {
    let document = include_str!("../../../docs/configuration.md");
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    assert_eq!(Config::parse(Path::new("x"), text).unwrap(), Config::default());
    // The keys without a default are named too, and are keys.
    let with_all = text
        .replace("# hostname", "hostname")
        .replace("# object", "object")
        .replace("# url", "url");
    let all = Config::parse(Path::new("x"), &with_all).unwrap();
    assert!(all.hostname.is_some() && all.probes.object.is_some() && all.collector.url.len() == 2);
}

#[test]
fn every_key_is_read() {
    let text = r#"
        state_dir = "/s"
        opt_in_file = "/o"
        socket_path = "/k"
        user = "u"
        control_path = "/c"
        hostname = "web-1"
        log = "debug"
        [collector]
        enabled = false
        url = ["http://[::1]:9", "https://b.example"]
        ca_file = "/ca"
        certificate_file = "/cert"
        key_file = "/key"
        insecure = true
        [probes]
        enabled = false
        object = "p.o"
        ring_bytes = 65536
        disable = ["panic"]
        socket = "/s"
        user_dir = "/d"
        kmsg_path = "/m"
        pstore_dir = "/p"
        earlier_root = "/r"
        hindsight = { enabled = true, bytes = 65536 }
        [consent]
        classes = ["kernel.*"]
        except = ["kernel.warning"]
        sources = ["hook.*"]
        [identity]
        mode = "rotating"
        rotate_s = 7200
        [[rate]]
        class = "kernel.*"
        records = 5
        bytes = 1000
        window_s = 60
        [[drop]]
        dir = "/drop"
        class = "org.example/probe"
        [storm]
        first = 3
        window_s = 5
        [quota]
        records = 7
        bytes = 500000
        window_s = 60
        [privacy]
        pointer = "hash"
        mac = "keep"
        ip = "mask"
        host = "replace"
        user = "keep"
        file = "hash"
        cmdline = "mask"
        email = "keep"
        serial = "replace"
        [journal]
        max_bytes = 2000000
        payloads = true
        [ledger]
        max_bytes = 3000000
        [spool]
        segment_bytes = 1048576
        max_bytes = 4194304
        max_age_s = 86400
        [heartbeat]
        interval_s = 7
    "#;
    insta::assert_debug_snapshot!(Config::parse(Path::new("x"), text).unwrap());
}

#[test]
fn every_mistake_is_told_with_file_line_key_and_remedy() {
    let mistakes = [
        "state_dir = [1]",
        "\n[storm]\nfirts = 3",
        "[storm]\n\nwindow_s = 0",
        "[collector]\nurl = \"127.0.0.1:7130\"",
        "[collector]\nurl = \"http://x:1\"",
        "[collector]\nurl = \"http://x:1/v2\"",
        "[collector]\nurl = [\"https://x:1\", 5]",
        "[collector]\nkey_file = \"/k\"",
        "[probes]\nring_bytes = 5000",
        "[probes]\ndisable = [\"printk\"]",
        "[spool]\nmax_bytes = 1",
        "[consent]\nclasses = [\"kernel.*\", \"a*b\"]",
        "[consent]\nsources = [\"hooks\"]",
        "[identity]\nmode = \"none\"",
        "[identity]\nrotate_s = 60",
        "[[rate]]\nclass = \"*\"",
        "[[rate]]\nclass = \"*\"\nrecords = 0",
        "[[rate]]\nclass = \"*\"\nrecords = 1\nstrategy = \"spool\"",
        "[[drop]]\ndir = \"drop\"\nclass = \"a/b\"",
        "[[drop]]\ndir = \"/drop\"\nclass = \"a/b/c\"",
        "storm.first = 0",
        "hostname = \"\"",
        "heartbeat = 5",
        "this is not TOML",
        "[storm",
    ];
    let answers: Vec<_> = mistakes
        .iter()
        .map(|text| format!("{text}\n=> {}\n", problem(text)))
        .collect();
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn a_socket_path_that_the_kernel_would_refuse_is_refused_first() {
    let text = format!("socket_path = \"/{}\"", "a".repeat(107));
    assert!(problem(&text).contains("108 bytes long"), "{}", problem(&text));
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_the_default_is_not() {
    let error = Config::load(Some(Path::new("/nonexistent/telemd.toml"))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read /nonexistent/telemd.toml"),
        "{error}"
    );
}
