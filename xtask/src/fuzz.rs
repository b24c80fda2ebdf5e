//! `cargo xtask fuzz`: the targets of `crates/fuzz-targets` with libFuzzer, on stable Rust, as one program.
//!
//! libFuzzer needs to know which branches an input takes. rustc has LLVM's pass for that and takes its options, on every
//! channel (`-C passes`, `-C llvm-args`); only sanitizers need a nightly compiler, and code without `unsafe` needs none of
//! them. The flags are those of cargo-fuzz 0.13 with `--sanitizer none`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{packages, paths, progress};

/// What rustc is told, beside the caller's own flags.
const FLAGS: [&str; 8] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];
/// What cargo builds in `fuzz/`.
const PROGRAM: &str = "fuzz";
/// Memory of one target, MiB: more is a bug of what it tests.
const MEMORY_MIB: u32 = 2048;
/// How long one input may take, seconds: more is a bug of what it tests, also on a busy machine.
const INPUT_SECONDS: u32 = 60;
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask fuzz --runs 1000           a quick look at all targets\n  \
                  cargo xtask fuzz reader --seconds 600\n  \
                  cargo xtask fuzz config --input fuzz/artifacts/config/crash-1234\n\n\
                  What is interesting stays in fuzz/corpus/TARGET, what fails in fuzz/artifacts/TARGET."
)]
pub(crate) struct Args {
    /// Targets, by the names of their files [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// So many inputs for each target instead, always the same ones
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<u32>,
    /// One input only, such as one that failed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seconds", "runs"])]
    input: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let targets = chosen(&args.targets, &all_targets()?)?;
    ensure!(
        args.input.is_none() || targets.len() == 1,
        "an input is of one target: name it before --input"
    );
    let program = build()?;
    let mut failed = Vec::new();
    for target in &targets {
        if let Err(error) = fuzz(args, target, &program) {
            progress::print_error(&error);
            failed.push(target.as_str());
        }
    }
    if !failed.is_empty() {
        bail!(
            "{} of {} targets failed: {}; see fuzz/artifacts, and try one with `cargo xtask fuzz TARGET --input FILE`",
            failed.len(),
            targets.len(),
            failed.join(", ")
        );
    }
    progress::result(format!("{} targets, nothing found", targets.len()));
    Ok(())
}

/// Runs one target, and sees that it was led by the branches that inputs take.
fn fuzz(args: &Args, target: &str, program: &Path) -> Result<()> {
    let output = progress::output(format!("fuzz {target}"), &mut command(args, target, program)?)?;
    if args.input.is_none() {
        let (inputs, branches) =
            done(&output).context("libFuzzer counted no branches: does rustc still take the flags?")?;
        progress::say(format!("      {inputs} inputs, {branches} branches"));
    }
    Ok(())
}

/// How many inputs were tried, and how many branches they took in all, by libFuzzer's line `#N DONE cov: N ft: ...`; what it
/// has counted none of it leaves out.
fn done(output: &str) -> Option<(u64, u64)> {
    let mut words = output
        .lines()
        .find(|line| line.contains("DONE"))?
        .split_ascii_whitespace();
    let inputs = words.next()?.strip_prefix('#')?.parse().ok()?;
    words.find(|word| *word == "cov:")?;
    Some((inputs, words.next()?.parse().ok()?))
}

fn folder() -> PathBuf {
    paths::workspace().join("fuzz")
}

/// Where the targets are.
fn crate_folder() -> PathBuf {
    paths::workspace().join("crates/fuzz-targets")
}

/// The names of all targets, sorted: their files beside the one that lists them.
fn all_targets() -> Result<Vec<String>> {
    let dir = crate_folder().join("src");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry.with_context(|| format!("list {}", dir.display()))?.path();
        if let Some(name) = path.file_stem().filter(|name| *name != "lib") {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Those that were asked for; all when none was.
fn chosen(asked: &[String], all: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    Ok(if asked.is_empty() { all } else { asked }.to_vec())
}

/// Builds the program that has all targets.
fn build() -> Result<PathBuf> {
    packages::ensure_program("c++", "g++")?;
    let host = host()?;
    let target_dir = paths::target().join("fuzz");
    let own = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut cargo = Command::new("cargo");
    // With --target the flags are not for build scripts and macros.
    cargo
        .args(["build", "--release", "--target", &host])
        .env("RUSTFLAGS", format!("{own} {}", FLAGS.join(" ")))
        .env("CARGO_TARGET_DIR", &target_dir)
        .current_dir(folder());
    progress::run("build the fuzz targets, which takes minutes once", &mut cargo)?;
    Ok(target_dir.join(host).join("release").join(PROGRAM))
}

/// What rustc compiles for when nothing else is said.
fn host() -> Result<String> {
    let output = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .context("start rustc")?;
    ensure!(output.status.success(), "rustc does not say what it compiles for");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A target with what it is to do.
fn command(args: &Args, target: &str, program: &Path) -> Result<Command> {
    let [corpus, artifacts] = ["corpus", "artifacts"].map(|name| folder().join(name).join(target));
    for dir in [&corpus, &artifacts] {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    let mut command = Command::new(program);
    command
        .env("FUZZ_TARGET", target)
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .current_dir(folder());
    if let Some(input) = &args.input {
        command.arg(std::path::absolute(input).context("find the input")?);
        return Ok(command);
    }
    match args.runs {
        Some(runs) => command.arg(format!("-runs={runs}")).arg("-seed=1"),
        None => command.arg(format!("-max_total_time={}", args.seconds)),
    };
    command.arg(corpus);
    // The first folder is written, the others are only read.
    let seeds = crate_folder().join("seeds").join(target);
    if seeds.exists() {
        command.arg(seeds);
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_target() {
        let list = fs::read_to_string(crate_folder().join("src/lib.rs")).unwrap();
        for name in all_targets().unwrap() {
            assert!(list.contains(&format!("\n    {name}\n")), "{name}");
        }
    }

    #[test]
    fn what_was_tried_is_read_and_blindness_is_noticed() {
        let output = "INFO: seed corpus: files: 12\n#2\tINITED cov: 7 ft: 9\n#1000\tDONE   cov: 345 ft: 567 corp: 9/96b lim: 4 \
                      exec/s: 0 rss: 44Mb\nDone 1000 runs in 0 second(s)\n";
        assert_eq!(done(output), Some((1000, 345)));
        assert_eq!(
            done("#1000\tDONE   corp: 1/1b lim: 4 exec/s: 0 rss: 44Mb\n"),
            None
        );
    }

    #[test]
    fn a_name_that_is_no_target_is_told_with_those_there_are() {
        let all = all_targets().unwrap();
        assert_eq!(chosen(&[], &all).unwrap(), all);
        let unknown = chosen(&["nonsense".to_owned()], &all).unwrap_err();
        assert!(unknown.to_string().contains("socket_frame"), "{unknown}");
    }
}
