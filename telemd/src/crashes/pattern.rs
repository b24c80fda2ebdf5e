//! The value of `kernel.core_pattern` that has dumps read and passed on.
//!
//! The kernel splits a command at its spaces and puts values in for `%` (`fs/coredump.c`: `format_corename`, Linux 5.10 and later), so what
//! took the dumps before is written behind the helper's own arguments, and gets from the kernel what it always got:
//!
//! ```text
//! |/usr/bin/telemd-crash %P %s %d program /usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h
//! |/usr/bin/telemd-crash %P %s %d file %c %u %g core.%p
//! |/usr/bin/telemd-crash %P %s %d nothing
//! ```

/// The helper.
pub const PROGRAM: &str = "/usr/bin/telemd-crash";
/// The setting.
pub const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";
/// Longest value, bytes (`include/linux/binfmts.h`: `CORENAME_MAX_SIZE`, without its NUL). The kernel cuts what is longer.
pub const PATTERN_BYTES: usize = 127;

/// Where dumps go once they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// To a program, as after `|`.
    Program(String),
    /// Into a file of this name.
    File(String),
    /// Nowhere.
    Nothing,
}

/// Why dumps cannot go there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The value would be too long.
    #[error(
        "kernel.core_pattern would have {0} bytes, and the kernel takes {PATTERN_BYTES}\n  \
         name a shorter command or file with --then"
    )]
    Long(usize),
    /// It is a socket, which only the kernel can connect to for a program.
    #[error(
        "dumps go to a socket now ({0}), and cannot be passed on to one\n  \
         name a command, a file or `nothing` with --then"
    )]
    Socket(String),
    /// It has a newline or a NUL.
    #[error("a pattern is one line of text")]
    Text,
}

impl Then {
    /// Where a value of `kernel.core_pattern` sends dumps. `numbered`: the process id is added to files' names that have none
    /// (`kernel.core_uses_pid`).
    pub fn of_pattern(pattern: &str, numbered: bool) -> Result<Self, PatternError> {
        let pattern = pattern.trim();
        if pattern.contains(['\n', '\0']) {
            return Err(PatternError::Text);
        }
        if pattern.starts_with('@') {
            return Err(PatternError::Socket(pattern.to_owned()));
        }
        Ok(match pattern.strip_prefix('|') {
            // The kernel has no program to start.
            Some(command) if command.trim().is_empty() => Self::Nothing,
            Some(command) => ours(command).unwrap_or_else(|| Self::Program(command.trim().to_owned())),
            None if pattern.is_empty() || pattern == "nothing" => Self::Nothing,
            None if numbered && !pattern.contains("%p") => Self::File(format!("{pattern}.%p")),
            None => Self::File(pattern.to_owned()),
        })
    }

    /// The value that has dumps read, and then go there. `config`: the file that the helper reads, where it is not the usual one.
    pub fn pattern(&self, config: Option<&str>) -> Result<String, PatternError> {
        let config = config.map_or_else(String::new, |file| format!(" --config={file}"));
        let then = match self {
            Self::Program(command) => format!("program {command}"),
            Self::File(name) => format!("file %c %u %g {name}"),
            Self::Nothing => "nothing".to_owned(),
        };
        let pattern = format!("|{PROGRAM}{config} %P %s %d {then}");
        if pattern.len() > PATTERN_BYTES {
            return Err(PatternError::Long(pattern.len()));
        }
        Ok(pattern)
    }
}

impl std::fmt::Display for Then {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program(command) => write!(out, "|{command}"),
            Self::File(name) => out.write_str(name),
            Self::Nothing => out.write_str("nothing"),
        }
    }
}

/// Whether a value of `kernel.core_pattern` has dumps read here.
pub fn is_ours(pattern: &str) -> bool {
    pattern.strip_prefix('|').and_then(ours).is_some()
}

fn ours(command: &str) -> Option<Then> {
    let arguments = command.strip_prefix(PROGRAM)?.strip_prefix(' ')?;
    let arguments = match arguments.strip_prefix("--config=") {
        Some(rest) => rest.split_once(' ')?.1,
        None => arguments,
    };
    let then = arguments.strip_prefix("%P %s %d ")?.trim_end();
    if let Some(program) = then.strip_prefix("program ") {
        return Some(Then::Program(program.to_owned()));
    }
    if let Some(name) = then.strip_prefix("file %c %u %g ") {
        return Some(Then::File(name.to_owned()));
    }
    (then == "nothing").then_some(Then::Nothing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dumps_go_on_to_whoever_took_them_before() {
        let systemd = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h";
        for (before, with) in [
            (
                systemd,
                "program /usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h",
            ),
            ("core\n", "file %c %u %g core"),
            ("/var/crash/core.%e.%p", "file %c %u %g /var/crash/core.%e.%p"),
            ("", "nothing"),
        ] {
            let then = Then::of_pattern(before, false).unwrap();
            let pattern = then.pattern(None).unwrap();
            assert_eq!(pattern, format!("|/usr/bin/telemd-crash %P %s %d {with}"));
            assert!(is_ours(&pattern) && !is_ours(before));
            // Enabling twice is enabling once, with whatever file of configuration.
            assert_eq!(Then::of_pattern(&pattern, false).unwrap(), then);
            assert_eq!(
                Then::of_pattern(&then.pattern(Some("/etc/x.toml")).unwrap(), true).unwrap(),
                then
            );
        }
        assert_eq!(
            Then::of_pattern("core", true).unwrap(),
            Then::File("core.%p".into())
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_before_the_kernel_cuts_it() {
        let long = Then::of_pattern(&format!("|/opt/{}", "x".repeat(100)), false).unwrap();
        assert!(matches!(long.pattern(None), Err(PatternError::Long(128..))));
        let socket = Then::of_pattern("@@/run/coredump", false);
        assert!(matches!(socket, Err(PatternError::Socket(_))));
        assert_eq!(Then::of_pattern("a\nb", false), Err(PatternError::Text));
    }

    proptest! {
        #[test]
        fn whatever_took_the_dumps_is_found_again_in_the_pattern(before in "[|a-z/%. ]{0,60}") {
            if let Ok(then) = Then::of_pattern(&before, false)
                && let Ok(pattern) = then.pattern(None)
            {
                prop_assert_eq!(Then::of_pattern(&pattern, false).unwrap(), then);
            }
        }
    }
}
