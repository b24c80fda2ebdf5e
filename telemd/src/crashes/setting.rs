//! Having the kernel start the helper, now and after each boot, and undoing it.
//!
//! What is set is in a file of sysctl.d(5), behind systemd-coredump's own (50), with what was there before as comments.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::crashes::pattern::{self, PROGRAM, PatternError, Then};
use crate::durable;

/// The file, below the root of the host.
const FILE: &str = "etc/sysctl.d/60-telemetrics-crashes.conf";
/// Where the kernel is told, below the root of the host.
const KERNEL: &str = "proc/sys/kernel";
/// How many dumps the kernel hands out at the same time; more are not dumped. With 0 there is no limit, and a process may be gone before
/// it was looked at. As many as systemd-coredump's.
const AT_ONCE: u32 = 16;
/// What begins a line that says what was before.
const BEFORE: &str = "# before: ";
const CORE_PATTERN: &str = "core_pattern";
const PIPE_LIMIT: &str = "core_pipe_limit";

/// The setting of a host.
#[derive(Debug)]
pub struct Setting {
    root: PathBuf,
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `kernel.core_pattern`
    pub pattern: String,
    /// Where dumps go once they are read; `None`: they are not read here.
    pub then: Option<Then>,
    /// They are to be read after the next boot.
    pub is_kept: bool,
    /// The helper is there.
    pub is_installed: bool,
}

/// Why it stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A pattern does not do.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The helper is not installed.
    #[error("there is no {PROGRAM} for the kernel to start: install the package telemetrics-agent")]
    NotInstalled,
    /// A file could not be read or written.
    #[error("{what} {}: {source}\n  run this as root, on the host itself and not in a container", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
}

impl Setting {
    /// The setting of the host whose files are below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// How it is.
    pub fn state(&self) -> Result<State, SettingError> {
        let pattern = self.get(CORE_PATTERN)?;
        Ok(State {
            then: pattern::is_ours(&pattern)
                .then(|| Then::of_pattern(&pattern, false))
                .transpose()?,
            pattern,
            is_kept: self.file().exists(),
            is_installed: self.root.join(PROGRAM.trim_start_matches('/')).exists(),
        })
    }

    /// Has dumps read, and then go to `then`, a pattern as in core(5), or to whatever takes them now. Answers where.
    pub fn enable(&self, then: Option<&str>, config: Option<&str>) -> Result<Then, SettingError> {
        let state = self.state()?;
        if !state.is_installed {
            return Err(SettingError::NotInstalled);
        }
        let numbered = self.get("core_uses_pid").is_ok_and(|value| value != "0");
        let then = Then::of_pattern(then.unwrap_or(&state.pattern), numbered)?;
        let pattern = then.pattern(config)?;
        let before = match self.before(CORE_PATTERN)? {
            Some(before) if state.then.is_some() => before,
            _ if state.then.is_some() => then.to_string(),
            _ => state.pattern,
        };
        let limit_before = match self.before(PIPE_LIMIT)? {
            Some(before) if state.then.is_some() => before,
            _ => self.get(PIPE_LIMIT)?,
        };
        let limit = match limit_before.as_str() {
            "0" => AT_ONCE.to_string(),
            limited => limited.to_owned(),
        };
        let text = format!(
            "# Written by `telemctl crashes enable`; `telemctl crashes disable` removes it.\n\
             {BEFORE}{CORE_PATTERN}={before}\n{BEFORE}{PIPE_LIMIT}={limit_before}\n\
             kernel.{PIPE_LIMIT} = {limit}\nkernel.{CORE_PATTERN} = {pattern}\n"
        );
        self.write_file(&text)?;
        self.set(PIPE_LIMIT, &limit)?;
        self.set(CORE_PATTERN, &pattern)?;
        Ok(then)
    }

    /// Has dumps go where they went before. Answers where that is; `None`: they were not read here.
    pub fn disable(&self) -> Result<Option<String>, SettingError> {
        let state = self.state()?;
        let [before, limit] = [self.before(CORE_PATTERN)?, self.before(PIPE_LIMIT)?];
        let mut restored = None;
        if let Some(then) = state.then {
            let before = before.unwrap_or_else(|| match then {
                Then::Nothing => String::new(),
                then => then.to_string(),
            });
            self.set(CORE_PATTERN, &before)?;
            if let Some(limit) = limit {
                self.set(PIPE_LIMIT, &limit)?;
            }
            restored = Some(before);
        }
        let file = self.file();
        durable::remove(&file).map_err(|source| failed("cannot remove", &file, source))?;
        Ok(restored)
    }

    /// What the file says was before.
    fn before(&self, name: &str) -> Result<Option<String>, SettingError> {
        let file = self.file();
        let text = durable::read(&file).map_err(|source| failed("cannot read", &file, source))?;
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(BEFORE)?.split_once('='));
        Ok(lines
            .find(|(found, _)| *found == name)
            .map(|(_, before)| before.to_owned()))
    }

    fn write_file(&self, text: &str) -> Result<(), SettingError> {
        let file = self.file();
        let folder = file.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(|source| failed("cannot create", folder, source))?;
        durable::write(&file, text.as_bytes()).map_err(|source| failed("cannot write", &file, source))
    }

    fn file(&self) -> PathBuf {
        self.root.join(FILE)
    }

    fn get(&self, name: &str) -> Result<String, SettingError> {
        let path = self.root.join(KERNEL).join(name);
        let value = fs::read_to_string(&path).map_err(|source| failed("cannot read", &path, source))?;
        Ok(value.trim_end_matches('\n').to_owned())
    }

    fn set(&self, name: &str, value: &str) -> Result<(), SettingError> {
        let path = self.root.join(KERNEL).join(name);
        fs::write(&path, format!("{value}\n")).map_err(|source| failed("cannot write", &path, source))
    }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> SettingError {
    SettingError::File {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(pattern: &str) -> (tempfile::TempDir, Setting) {
        let dir = tempfile::tempdir().unwrap();
        for folder in [KERNEL, "usr/bin"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("usr/bin/telemd-crash"), "").unwrap();
        let setting = Setting::new(dir.path());
        for (name, value) in [(CORE_PATTERN, pattern), (PIPE_LIMIT, "0"), ("core_uses_pid", "1")] {
            setting.set(name, value).unwrap();
        }
        (dir, setting)
    }

    #[test]
    fn what_is_enabled_is_undone_whatever_was_before() {
        for (before, then) in [
            ("core", "file %c %u %g core.%p"),
            (
                "|/usr/lib/systemd/systemd-coredump %P %u",
                "program /usr/lib/systemd/systemd-coredump %P %u",
            ),
            ("", "nothing"),
        ] {
            let (dir, setting) = host(before);
            // Twice is as once.
            for _ in 0..2 {
                setting.enable(None, None).unwrap();
                assert_eq!(
                    setting.get(CORE_PATTERN).unwrap(),
                    format!("|/usr/bin/telemd-crash %P %s %d {then}")
                );
                assert_eq!(setting.get(PIPE_LIMIT).unwrap(), "16");
            }
            let kept = fs::read_to_string(dir.path().join(FILE)).unwrap();
            let line = format!("\nkernel.core_pattern = {}\n", setting.get(CORE_PATTERN).unwrap());
            assert!(kept.contains(&line), "{kept}");
            setting.enable(Some("nothing"), None).unwrap();
            assert_eq!(setting.state().unwrap().then, Some(Then::Nothing));
            assert_eq!(setting.disable().unwrap().as_deref(), Some(before));
            let state = setting.state().unwrap();
            assert_eq!(
                (state.pattern.as_str(), state.then, state.is_kept),
                (before, None, false)
            );
            assert_eq!(setting.get(PIPE_LIMIT).unwrap(), "0");
            assert_eq!(setting.disable().unwrap(), None);
        }
    }

    #[test]
    fn what_somebody_else_set_since_stays() {
        let (_dir, setting) = host("core");
        setting.enable(None, None).unwrap();
        setting.set(CORE_PATTERN, "|/usr/bin/other %P").unwrap();
        assert!(setting.state().unwrap().is_kept);
        assert_eq!(setting.disable().unwrap(), None);
        assert_eq!(setting.get(CORE_PATTERN).unwrap(), "|/usr/bin/other %P");
    }

    #[test]
    fn nothing_is_changed_where_the_helper_is_missing() {
        let (dir, setting) = host("core");
        fs::remove_file(dir.path().join("usr/bin/telemd-crash")).unwrap();
        assert!(matches!(
            setting.enable(None, None),
            Err(SettingError::NotInstalled)
        ));
        assert_eq!(setting.get(CORE_PATTERN).unwrap(), "core");
    }
}
