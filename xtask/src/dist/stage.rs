//! Every file that is installed:
//!
//! ```text
//! agent/, backend/   as they are installed: programs, manual pages, completions, presets, polkit actions
//! lib/               the C library, its header and its pkg-config file; packages know where libraries belong
//! systemd/           units, users and folders; packages know where they belong
//! CHANGELOG.md
//! ```

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt as _},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::build::{AGENT, Built, install};
use crate::paths;

/// Programs that nobody calls by hand and that have no completions.
const NOT_CALLED: [&str; 2] = ["telemd-crash", "telemd-probes"];
/// Shells, with where their completions are installed and what their files are called.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/NAME"),
    ("fish", "usr/share/fish/vendor_completions.d/NAME.fish"),
    ("zsh", "usr/share/zsh/vendor-completions/_NAME"),
];
/// What the collector is installed as: `backend` says too little among all programs of a host.
pub(super) const BACKEND: &str = "telemetrics-backend";

/// Fills an empty folder.
pub(super) fn fill(stage: &Path, built: &Built) -> Result<()> {
    agent(&stage.join("agent"), built)?;
    backend(&stage.join("backend"), built)?;
    library(&stage.join("lib"), built)?;
    let deploy = paths::workspace().join("deploy");
    for entry in fs::read_dir(deploy.join("systemd")).context("list deploy/systemd")? {
        let path = entry.context("list deploy/systemd")?.path();
        let name = path.file_name().unwrap_or_default();
        install(&path, &stage.join("systemd").join(name), 0o644)?;
    }
    install(
        &paths::workspace().join("CHANGELOG.md"),
        &stage.join("CHANGELOG.md"),
        0o644,
    )
}

fn agent(root: &Path, built: &Built) -> Result<()> {
    for name in AGENT {
        program(root, &built.programs.join(name), name)?;
    }
    let configuration = paths::workspace().join("docs/configuration.md");
    let text = fs::read_to_string(&configuration).context("read docs/configuration.md")?;
    let page = manual::configuration::page(&text).context("docs/configuration.md has another form")?;
    let folder = root.join("usr/share/man/man5");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let file = folder.join(format!("{}.5", manual::configuration::NAME));
    fs::write(&file, page).with_context(|| format!("write {}", file.display()))?;
    let deploy = paths::workspace().join("deploy");
    preset(root, "telemetrics")?;
    let policy = "org.telemetrics.telemctl.policy";
    install(
        &deploy.join("polkit").join(policy),
        &root.join("usr/share/polkit-1/actions").join(policy),
        0o644,
    )?;
    match &built.ebpf {
        Some(object) => install(object, &root.join("usr/lib/telemetrics/probes.bpf.o"), 0o644),
        None => Ok(()),
    }
}

fn backend(root: &Path, built: &Built) -> Result<()> {
    program(root, &built.programs.join("backend"), BACKEND)?;
    preset(root, BACKEND)?;
    install(
        &paths::workspace().join("deploy/systemd/telemetrics-backend.default"),
        &root.join("etc/default").join(BACKEND),
        0o644,
    )
}

fn preset(root: &Path, name: &str) -> Result<()> {
    install(
        &paths::workspace().join(format!("deploy/systemd/{name}.preset")),
        &root.join(format!("usr/lib/systemd/system-preset/80-{name}.preset")),
        0o644,
    )
}

/// A program under its installed name, with its manual pages and completions. The built one is asked for these, by
/// that name: a copy just written is busy for as long as a child of another thread, not yet executing its own program,
/// has the file open (ETXTBSY in execve(2)).
fn program(root: &Path, from: &Path, name: &str) -> Result<()> {
    install(from, &root.join("usr/bin").join(name), 0o755)?;
    let called = || {
        let mut command = Command::new(from);
        command.arg0(name);
        command
    };
    manual_pages(called(), &root.join("usr/share/man"))?;
    if NOT_CALLED.contains(&name) {
        return Ok(());
    }
    for (shell, place) in SHELLS {
        let file = root.join(place.replace("NAME", name));
        let folder = file.parent().context("a file has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let script = completions(called, shell)?;
        fs::write(&file, script).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// Sorts the pages that a program writes into the folders of their sections.
fn manual_pages(mut program: Command, man: &Path) -> Result<()> {
    let pages = tempfile::tempdir().context("create a folder for manual pages")?;
    output(program.arg(manual::program::OPTION).arg(pages.path()))?;
    for entry in fs::read_dir(pages.path()).context("list manual pages")? {
        let path = entry.context("list manual pages")?.path();
        let section = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let name = path.file_name().unwrap_or_default();
        install(&path, &man.join(format!("man{section}")).join(name), 0o644)?;
    }
    Ok(())
}

/// Programs with subcommands have one for completions, the others an option.
fn completions(program: impl Fn() -> Command, shell: &str) -> Result<Vec<u8>> {
    output(program().args(["completions", shell]))
        .or_else(|_no_subcommands| output(program().args(["--completions", shell])))
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

fn library(to: &Path, built: &Built) -> Result<()> {
    let from = built.library.join("lib");
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(&from).with_context(|| format!("list {}", from.display()))? {
        let path = entry.with_context(|| format!("list {}", from.display()))?.path();
        let file = to.join(path.file_name().unwrap_or_default());
        if let Ok(target) = fs::read_link(&path) {
            symlink(target, &file).with_context(|| format!("link {}", file.display()))?;
        } else if path.is_file() {
            install(&path, &file, 0o644)?;
        }
    }
    install(
        &built.library.join("include/telemetry.h"),
        &to.join("telemetry.h"),
        0o644,
    )?;
    let described = to.join("libtelemetry.pc");
    fs::write(&described, crate::dist_lib::description(Path::new("/usr"))?)
        .with_context(|| format!("write {}", described.display()))
}
