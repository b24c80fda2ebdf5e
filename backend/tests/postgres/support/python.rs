//! A Python with packages of `PyPI`, in an environment of its own below the target folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use testing::skip;

/// The interpreter of an environment that has these packages. None: it cannot be had here, and the test was skipped visibly.
pub(crate) fn python(test: &str, packages: &[&str]) -> Option<PathBuf> {
    match environment(packages) {
        Ok(python) => Some(python),
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

/// Makes the environment, or takes the one that an earlier run has made: its name says which packages are in it.
fn environment(packages: &[&str]) -> Result<PathBuf, String> {
    let name = packages.join("-").replace("==", "-");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let (python, complete) = (kept.join("bin/python"), kept.join("complete"));
    if complete.exists() {
        return Ok(python);
    }
    // What was left half done is made anew.
    std::fs::remove_dir_all(&kept).ok();
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&kept),
        "python3 makes no environment (Debian has that in python3-venv)",
    )?;
    let quiet = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    run(
        Command::new(&python)
            .args(["-m", "pip", "install"])
            .args(quiet)
            .args(packages),
        "PyPI's packages cannot be installed",
    )?;
    std::fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command, what: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.trim().lines().last().unwrap_or_default();
    Err(format!("{what}: {last}"))
}
