//! `cargo xtask test`: every tier, every skip with its reason, and a last line with the counts.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    browser, build_ebpf, dist_lib, packages, paths,
    profile::Profile,
    progress,
    vm::{self, Series, Verdict},
};

/// The kernels whose guests have to work.
const KERNELS: [Series; 2] = [Series::V6_1, Series::V6_12];

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --no-vm")]
pub(crate) struct Args {
    /// Leave out the tier that boots real kernels in QEMU (shown as skipped)
    #[arg(long)]
    no_vm: bool,
}

/// What has been counted so far.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: Vec<String>,
}

impl Tally {
    fn skip(&mut self, test: &str, reason: &str) {
        self.skipped.push(format!("{test}: {reason}"));
    }

    /// Takes the counts of one "test result:" line of libtest.
    fn add_libtest_line(&mut self, line: &str) {
        let Some(counts) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        for part in counts.split(['.', ';']) {
            let mut words = part.split_ascii_whitespace();
            let (Some(number), Some(word)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                _ => {}
            }
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut tally = Tally::default();
    let mut bin_dir = None;
    prepare(&mut tally, &mut bin_dir);
    cargo_tests(&mut tally, bin_dir.as_deref())?;
    guests(&mut tally, args.no_vm);
    demo(&mut tally, args.no_vm)?;

    for skipped in &tally.skipped {
        progress::say(format!("SKIP {skipped}"));
    }
    let line = format!(
        "{} passed, {} failed, {} skipped",
        tally.passed,
        tally.failed,
        tally.skipped.len()
    );
    progress::result(&line);
    if tally.failed > 0 {
        bail!("{} tests failed", tally.failed);
    }
    Ok(())
}

/// Puts in place what the tiers need. What cannot be had turns into skips of the tests that need it.
fn prepare(tally: &mut Tally, bin_dir: &mut Option<std::path::PathBuf>) {
    if let Err(error) = packages::ensure_postgresql() {
        progress::print_error(&error.context("PostgreSQL could not be installed: its tests will skip"));
    }
    if let Err(error) = packages::ensure_python() {
        progress::print_error(&error.context("Python's venv could not be installed: its tests will skip"));
    }
    if let Err(error) = packages::ensure_program("prometheus-alertmanager", "prometheus-alertmanager") {
        progress::print_error(&error.context("Alertmanager could not be installed: its test will skip"));
    }
    let writer = "/lib/systemd/systemd-journal-remote";
    if let Err(error) = packages::ensure_program(writer, "systemd-journal-remote") {
        progress::print_error(
            &error.context("what writes journals could not be installed: its test will skip"),
        );
    }
    if let Err(error) = browser::ensure() {
        progress::print_error(&error.context("the browser could not be installed: its tests will skip"));
    }
    match build_ebpf::ensure()
        .and_then(|()| build_ebpf::ensure_log())
        .and_then(|()| vm::build_programs())
        .and_then(|programs| {
            dist_lib::install(&programs.join("libtelemetry"), Profile::Release)?;
            Ok(programs)
        }) {
        Ok(programs) => *bin_dir = Some(programs),
        Err(error) => {
            progress::print_error(&error);
            tally.failed += 1;
            progress::say("test prepare::build_programs ... FAILED");
        }
    }
}

/// Unit, property, PostgreSQL and host-kernel tests: all that cargo runs.
fn cargo_tests(tally: &mut Tally, bin_dir: Option<&Path>) -> Result<()> {
    let skip_log = tempfile::NamedTempFile::new().context("create the skip log")?;
    let mut command = Command::new("cargo");
    command
        .args(["test", "--workspace", "--exclude", "probe-ebpf", "--no-fail-fast"])
        .current_dir(paths::workspace())
        .env("TELEMETRICS_SKIP_LOG", skip_log.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(dir) = bin_dir {
        command.env("TELEMETRICS_BIN_DIR", dir);
    }
    let mut child = command.spawn().context("start cargo test")?;
    let stdout = child.stdout.take().context("cargo's output is piped")?;
    let failed_before = tally.failed;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("read cargo's output")?;
        tally.add_libtest_line(&line);
        progress::result(&line);
    }
    let status = child.wait().context("wait for cargo test")?;
    if !status.success() && tally.failed == failed_before {
        // A test binary that did not build or was killed has no result line.
        tally.failed += 1;
    }
    let skipped = fs::read_to_string(skip_log.path()).context("read the skip log")?;
    for line in skipped.lines() {
        // libtest counts a test that skips itself as passed.
        tally.passed = tally.passed.saturating_sub(1);
        tally.skipped.push(line.trim_start_matches("SKIP ").to_owned());
    }
    Ok(())
}

/// Real faults on real kernels.
fn guests(tally: &mut Tally, leave_out: bool) {
    if leave_out {
        for kernel in KERNELS {
            tally.skip(&format!("vm::{kernel}"), "left out by --no-vm");
        }
        return;
    }
    let checks = match vm::check(&KERNELS) {
        Ok(checks) => checks,
        Err(error) => {
            tally.failed += 1;
            progress::result("test vm ... FAILED");
            progress::print_error(&error);
            return;
        }
    };
    for vm::Check { test, verdict } in checks {
        match verdict {
            Verdict::Passed => {
                tally.passed += 1;
                progress::result(format!("test {test} ... ok"));
            }
            Verdict::Impossible(reason) => tally.skip(&test, &reason),
            Verdict::Failed(reason) => {
                tally.failed += 1;
                progress::result(format!("test {test} ... FAILED: {reason}"));
            }
        }
    }
}

/// What the README says first.
fn demo(tally: &mut Tally, leave_out: bool) -> Result<()> {
    const TEST: &str = "demo --check";
    if leave_out {
        tally.skip(TEST, "left out by --no-vm");
        return Ok(());
    }
    let xtask = std::env::current_exe().context("find this program")?;
    let status = Command::new(xtask)
        .args(["demo", "--check", "--http", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .status()
        .context("start the demo")?;
    if status.success() {
        tally.passed += 1;
        progress::result(format!("test {TEST} ... ok"));
    } else {
        tally.failed += 1;
        progress::result(format!("test {TEST} ... FAILED: {status}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn libtest_result_lines_are_counted() {
        let mut tally = Tally::default();
        tally.add_libtest_line(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
        );
        tally.add_libtest_line(
            "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        tally.add_libtest_line("running 3 tests");
        assert_eq!((tally.passed, tally.failed), (14, 5));
    }
}
