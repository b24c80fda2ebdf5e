//! A private apt: packages of another suite of the Debian archive, with the archive's signatures checked and without
//! a change to this system's own lists.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{packages, paths, progress};

/// The archive's public keys, from the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One suite, with its security updates where it has them, in an apt configuration of its own.
#[derive(Debug)]
pub(super) struct Suite {
    config: PathBuf,
    name: &'static str,
}

/// Where this system's own sources find Debian.
#[derive(Debug, PartialEq, Eq)]
struct Archives {
    main: String,
    security: Option<String>,
}

impl Suite {
    /// Writes the configuration for a suite and fetches its lists.
    pub(super) fn open(name: &'static str, has_security: bool) -> Result<Self> {
        packages::ensure_program(KEYRING, "debian-archive-keyring")?;
        let archives = system_archives()?;
        let dir = paths::cache()?.join("apt").join(name);
        for part in ["state/lists/partial", "cache/archives/partial"] {
            let part = dir.join(part);
            fs::create_dir_all(&part).with_context(|| format!("create {}", part.display()))?;
        }
        let sources = dir.join("sources.list");
        fs::write(&sources, sources_list(&archives, name, has_security))
            .with_context(|| format!("write {}", sources.display()))?;
        let config = dir.join("apt.conf");
        fs::write(&config, apt_conf(&dir)).with_context(|| format!("write {}", config.display()))?;
        let suite = Self { config, name };
        progress::run(
            format!("apt-get update for Debian {name}"),
            suite.command("apt-get").arg("update"),
        )?;
        Ok(suite)
    }

    /// The packages that a package depends on whose names start with `prefix`.
    pub(super) fn dependencies(&self, package: &str, prefix: &str) -> Result<Vec<String>> {
        let text = output(self.command("apt-cache").args(["depends", package]))?;
        Ok(dependencies_in(&text, prefix))
    }

    /// Downloads the newest version of a package into a folder; apt checks it against the signed lists.
    pub(super) fn download(&self, package: &str, into: &Path) -> Result<PathBuf> {
        progress::run(
            format!("download {package} of Debian {}", self.name),
            self.command("apt-get")
                .args(["download", package])
                .current_dir(into),
        )?;
        let prefix = format!("{package}_");
        for entry in fs::read_dir(into).with_context(|| format!("list {}", into.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&prefix) {
                return Ok(path);
            }
        }
        bail!("apt-get download {package} left no file in {}", into.display())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).env("LC_ALL", "C");
        command
    }
}

/// The Debian archive that this system's own sources name.
pub(crate) fn main_archive() -> Result<String> {
    Ok(system_archives()?.main)
}

fn system_archives() -> Result<Archives> {
    let text = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE) $(ORIGIN)",
        "Created-By: Packages",
    ]))?;
    archives_in(&text).context("this system's apt sources name no Debian archive")
}

/// Reads lines of "URI RELEASE ORIGIN".
fn archives_in(text: &str) -> Option<Archives> {
    let mut main = None;
    let mut security = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(uri), Some(release)) = (words.next(), words.next()) else {
            continue;
        };
        // Without lists apt does not know the origin and prints the variable's name.
        let is_debian = match words.next() {
            Some("Debian") => true,
            Some("$(ORIGIN)") => uri.contains("/debian"),
            _ => false,
        };
        if !is_debian {
            continue;
        }
        let is_security = release.contains("security");
        // A backports or updates suite is in the same archive.
        let slot = if is_security { &mut security } else { &mut main };
        slot.get_or_insert_with(|| uri.to_owned());
    }
    main.map(|main| Archives { main, security })
}

fn sources_list(archives: &Archives, suite: &str, has_security: bool) -> String {
    let mut text = format!("deb [signed-by={KEYRING}] {} {suite} main\n", archives.main);
    if has_security && let Some(security) = &archives.security {
        // Invariant: writing to a String cannot fail.
        let _infallible = writeln!(text, "deb [signed-by={KEYRING}] {security} {suite}-security main");
    }
    text
}

/// Everything else (proxies, transports) is as this system's own apt has it.
fn apt_conf(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{dir}/state";
Dir::State::status "/dev/null";
Dir::Cache "{dir}/cache";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Default-Release "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"#
    )
}

/// Reads `apt-cache depends`.
fn dependencies_in(text: &str, prefix: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("  Depends: "))
        .filter(|package| package.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("start {program}"))?;
    ensure!(
        output.status.success(),
        "{program} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archives_are_those_of_the_systems_sources() {
        let text = "https://download.example/node/ nodistro . nodistro\n\
                    http://mirror.example/debian/ bookworm Debian\n\
                    http://mirror.example/debian/ bookworm-updates Debian\n\
                    http://security.example/debian-security/ bookworm-security Debian\n";
        let expected = Archives {
            main: "http://mirror.example/debian/".into(),
            security: Some("http://security.example/debian-security/".into()),
        };
        assert_eq!(archives_in(text), Some(expected));
        assert_eq!(archives_in("http://archive.example/ubuntu/ noble Ubuntu\n"), None);
        assert_eq!(archives_in(""), None);
        let without_lists =
            "http://other.example/node nodistro $(ORIGIN)\nhttp://m.example/debian/ trixie $(ORIGIN)\n";
        let found = archives_in(without_lists).map(|archives| archives.main);
        assert_eq!(found.as_deref(), Some("http://m.example/debian/"));
    }

    #[test]
    fn a_meta_package_names_the_real_one() {
        let text = "linux-image-amd64\n  PreDepends: linux-base\n  Depends: linux-base-amd64\n  \
                    Depends: linux-image-7.2.13+deb14-amd64\n  Suggests: linux-image-dbg\n";
        assert_eq!(
            dependencies_in(text, "linux-image-"),
            ["linux-image-7.2.13+deb14-amd64"]
        );
        assert!(dependencies_in("linux-image-amd64\n", "linux-image-").is_empty());
    }

    #[test]
    fn only_a_suite_with_security_updates_gets_their_line() {
        let archives = Archives {
            main: "http://m/debian/".into(),
            security: Some("http://s/".into()),
        };
        assert_eq!(sources_list(&archives, "sid", false).lines().count(), 1);
        assert!(sources_list(&archives, "trixie", true).contains("http://s/ trixie-security main"));
    }
}
