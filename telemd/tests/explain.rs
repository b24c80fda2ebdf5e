//! What `telemctl explain` says, run as a user runs it: no agent, no configuration.

#![expect(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::io::Write as _;
use std::process::{Output, Stdio};

use common::bare::{self, file, text};
use serde_json::Value;

const NULL: &str = "\
[    4.100000][   T77] eth0: link up\n\
[    5.140900][  T321] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
[    5.140910][  T321] #PF: supervisor write access in kernel mode\n\
[    5.140920][  T321] Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI\n\
[    5.140930][  T321] CPU: 1 UID: 0 PID: 321 Comm: sh Tainted: G           OE      6.12.1-test #1\n\
[    5.140940][  T321] Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE\n\
[    5.140950][  T321] Hardware name: Example Board/X1, BIOS 1.0 01/02/2024\n\
[    5.140960][  T321] RIP: 0010:example_write+0x5/0x20 [example]\n\
[    5.140970][  T321] Code: 48 8b 07 c3 <c7> 04 25 08 00 00 00 00 00 00 00\n\
[    5.140980][  T321] Call Trace:\n\
[    5.140990][  T321]  <TASK>\n\
[    5.141000][  T321]  ? stale_frame+0x1/0x2\n\
[    5.141010][  T321]  vfs_write+0xf8/0x450\n\
[    5.141020][  T321]  ksys_write+0x6b/0xf0\n\
[    5.141030][  T321]  </TASK>\n\
[    5.141040][  T321] ---[ end trace 0000000000000000 ]---\n";

const ATOMIC: &str = "\
[   12.500000][   T77] BUG: scheduling while atomic: test/77/0x00000002\n\
[   12.500100][   T77] Call Trace:\n\
[   12.500200][   T77]  example_wait+0x1f/0x40\n\
[   12.500300][   T77]  example_main+0x1f/0x40\n";

fn explain(args: &[&str], stdin: &[u8]) -> Output {
    bare::telemctl(&[&["explain"], args].concat(), stdin)
}

/// The objects of `--json`, one a line.
fn objects(output: &Output) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap();
    text(&output.stdout).lines().map(parse).collect()
}

#[test]
fn a_report_is_told_to_people() {
    let output = explain(&[], format!("{NULL}{ATOMIC}").as_bytes());
    insta::assert_snapshot!(text(&output.stdout));
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn every_file_has_an_object_in_order_and_one_failure_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let oops = file(dir.path(), "oops.log", NULL.as_bytes());
    let quiet = file(dir.path(), "quiet.log", b"[    1.0] eth0: link up\n");
    let missing = dir.path().join("missing").display().to_string();
    let folder = dir.path().display().to_string();
    let output = explain(
        &["--json", &missing, &oops, "-", &quiet, &folder],
        ATOMIC.as_bytes(),
    );
    assert_eq!(output.status.code(), Some(2));
    let objects = objects(&output);
    let files: Vec<_> = objects
        .iter()
        .map(|object| object["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, [&missing, &oops, "-", &quiet, &folder]);
    let titles: Vec<_> = objects
        .iter()
        .map(|object| object["reports"][0]["title"].as_str())
        .collect();
    assert_eq!(
        titles,
        [
            None,
            Some("BUG: unable to handle kernel NULL pointer dereference in example_write"),
            Some("BUG: scheduling while atomic in example_wait"),
            None,
            None
        ]
    );
    for (at, object) in objects.iter().enumerate() {
        assert!(object["reports"].is_array());
        assert_eq!(object.get("error").is_some(), at == 0 || at == 4, "{object}");
    }
    let complaints = text(&output.stderr);
    assert!(
        complaints.contains("missing: cannot be read: No such file"),
        "{complaints}"
    );
    assert!(
        complaints.contains("is a directory; name the files in it"),
        "{complaints}"
    );
}

#[test]
fn a_report_in_json_has_everything_by_name() {
    let output = explain(&["--json"], NULL.as_bytes());
    let object = &objects(&output)[0];
    let report = &object["reports"][0];
    assert_eq!(object["file"], "-");
    assert_eq!(report["kind"], "null_dereference");
    assert_eq!(report["class"], "kernel.oops");
    assert_eq!(report["severity"], "high");
    assert_eq!(report["function"], "example_write");
    assert_eq!(report["module"], "example");
    assert_eq!(report["corrupted"], false);
    assert_eq!(
        report["alt_titles"],
        serde_json::json!(["bad-access in example_write"])
    );
    assert_eq!(report["first_at_us"], 5_140_900);
    assert_eq!(
        (report["first_line"].as_u64(), report["last_line"].as_u64()),
        (Some(2), Some(16))
    );
    let title = report["fingerprint"].as_str().unwrap();
    assert_eq!(report["fingerprints"]["title"], title);
    assert!(report["fingerprints"]["stack"].is_string() && report["fingerprints"]["top_frames"].is_string());
    assert_eq!(title.len(), 32);
}

#[test]
fn the_exit_code_says_whether_something_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let oops = file(dir.path(), "oops.log", NULL.as_bytes());
    let folder = dir.path().display().to_string();
    for (args, code) in [
        (&[oops.as_str()][..], 0),
        (&["/dev/null"], 1),
        (&["/dev/null", &oops], 0),
        (&[&oops, &folder], 2),
        (&["--nonsense"], 64),
        (&["--color", "sometimes", &oops], 64),
    ] {
        for json in [&[][..], &["--json"]] {
            let output = explain(&[json, args].concat(), b"");
            assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        }
    }
    let output = explain(&["/dev/null"], b"");
    assert_eq!(text(&output.stdout), "/dev/null: no kernel report found\n");
}

#[test]
fn a_broken_configuration_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let config = file(dir.path(), "telemd.toml", b"[storm]\nfirts = 3");
    let output = explain(&["--config", &config], ATOMIC.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn compressed_logs_are_unpacked_or_the_command_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(NULL.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    // Rotated logs are often appended to each other.
    let twice = [gzip.as_slice(), &gzip].concat();
    for (packed, reports) in [
        (gzip.clone(), 1),
        (twice, 2),
        (zstd::encode_all(NULL.as_bytes(), 3).unwrap(), 1),
    ] {
        let output = explain(&["--json"], &packed);
        assert_eq!(objects(&output)[0]["reports"].as_array().unwrap().len(), reports);
    }
    let cut = file(dir.path(), "cut.gz", &gzip[..gzip.len() - 20]);
    let output = explain(&["--json", &cut], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("cannot be unpacked (gzip)"),
        "{output:?}"
    );
    for (begin, remedy) in [
        (&b"\xfd7zXZ\0..."[..], "xzcat FILE | telemctl explain -"),
        (b"BZh9...", "bzcat FILE | telemctl explain -"),
        (
            b"LPKSHHRH....",
            "journalctl --file FILE -k -o short-monotonic | telemctl explain -",
        ),
    ] {
        let path = file(dir.path(), "foreign", begin);
        let output = explain(&[&path], b"");
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr).replace(&path, "FILE");
        assert!(said.contains(remedy), "{said}");
    }
}

#[test]
fn repeated_reports_are_folded_unless_all_are_wanted() {
    let log = [NULL, ATOMIC, NULL, ATOMIC, NULL].concat();
    let folded = text(&explain(&[], log.as_bytes()).stdout);
    assert_eq!(folded.matches("call trace").count(), 2, "{folded}");
    assert!(
        folded.contains("1. came 3 times: BUG: unable to handle"),
        "{folded}"
    );
    assert!(folded.ends_with("5 reports, 3 of them repeat others and are not shown (--all shows them)\n"));
    let all = text(&explain(&["--all"], log.as_bytes()).stdout);
    assert_eq!(all.matches("call trace").count(), 5, "{all}");
    // The numbers are those of the reports in the file.
    assert!(all.contains("\n5. BUG: unable to handle"), "{all}");
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let plain = explain(&[], NULL.as_bytes()).stdout;
    assert!(!plain.contains(&0x1b));
    let coloured = explain(&["--color", "always"], NULL.as_bytes()).stdout;
    assert!(coloured.contains(&0x1b));
}

#[test]
fn a_log_cannot_steer_the_terminal() {
    let log = ATOMIC.replace("example_main", "\u{1b}]0;owned\u{7}\u{9b}2Jexample_main");
    let output = explain(&["--full"], log.as_bytes());
    let shown = text(&output.stdout);
    let controls: Vec<_> = shown.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(controls.is_empty(), "{controls:?}");
}

#[test]
fn any_bytes_are_read() {
    let mix = |n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[1];
    let garbage: Vec<u8> = (0..300_000).map(mix).collect();
    assert_eq!(explain(&[], &garbage).status.code(), Some(1));
    assert_eq!(explain(&["--json"], b"").status.code(), Some(1));
    let mut long = vec![b'x'; 9 << 20];
    long.extend_from_slice(b"\n");
    long.extend_from_slice(NULL.as_bytes());
    let output = explain(&["--json"], &long);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(objects(&output)[0]["reports"][0]["first_line"], 3);
}

#[test]
fn a_fifo_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
    let child = bare::command(&["explain", "--json"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::fs::write(&path, NULL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(objects(&output)[0]["reports"].as_array().unwrap().len(), 1);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let log = file(dir.path(), "log", NULL.repeat(2_000).as_bytes());
    for json in [&["--all"][..], &["--json"]] {
        let mut child = bare::command(&["explain", &log])
            .args(json)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn what_symbols_lack_is_said_and_a_wrong_path_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    let output = explain(&["--symbols", &folder], NULL.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(said.contains("no debug file of the kernel is there"), "{said}");
    assert!(
        said.contains("no debug file of module example is there"),
        "{said}"
    );
    let no_elf = file(dir.path(), "vmlinux", b"text");
    for path in [&no_elf, "/nonexistent"] {
        let output = explain(&["--symbols", path], NULL.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains("--symbols"), "{output:?}");
    }
    // A folder with a file that is none: the others still count.
    let said = text(&explain(&["--symbols", &folder], NULL.as_bytes()).stdout);
    assert!(said.contains("not an ELF file"), "{said}");
}

#[test]
fn the_report_that_a_log_is_about_comes_first() {
    let disk = "[    1.000000] EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm sh: reading directory\n";
    let output = explain(&["--json"], format!("{disk}{NULL}").as_bytes());
    let object = &objects(&output)[0];
    let kinds: Vec<_> = object["reports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|report| report["kind"].as_str())
        .collect();
    assert_eq!(kinds, [Some("null_dereference"), Some("filesystem_error")]);
    let people = text(&explain(&[], format!("{disk}{NULL}").as_bytes()).stdout);
    assert!(people.contains("\n2. EXT4-fs error"), "{people}");
}
