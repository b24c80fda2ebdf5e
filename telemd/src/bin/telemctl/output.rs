//! What goes to the terminal: colours, and text of others made harmless.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};
use faults::Severity;
use telemd::cli;

/// Exit code when something could not be read or written.
pub(crate) const EXIT_UNREADABLE: u8 = 2;

/// What `--color` means.
pub(crate) const COLOR_HELP: &str = "Colours; auto: on terminals, unless NO_COLOR is set";

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Colours when asked for; by default when stdout is a terminal that has them and `NO_COLOR` is not set.
    pub(crate) fn new(choice: ColorChoice) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let on = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => io::stdout().is_terminal() && !set("NO_COLOR") && !dumb(),
        };
        Self { on }
    }

    /// A headline as bad as `severity`.
    pub(crate) fn headline(self, text: &str, severity: Severity) -> String {
        let color = match severity {
            Severity::Low => AnsiColor::Green,
            Severity::Medium => AnsiColor::Yellow,
            Severity::High | Severity::Critical => AnsiColor::Red,
        };
        self.styled(text, color.on_default().bold())
    }

    /// What the eye should find first.
    pub(crate) fn mark(self, text: &str) -> String {
        self.styled(text, AnsiColor::Red.on_default().bold())
    }

    /// Worth attention.
    pub(crate) fn notice(self, text: &str) -> String {
        self.styled(text, AnsiColor::Yellow.on_default())
    }

    /// Names of things.
    pub(crate) fn label(self, text: &str) -> String {
        self.styled(text, AnsiColor::Cyan.on_default())
    }

    /// Of less interest.
    pub(crate) fn faint(self, text: &str) -> String {
        self.styled(text, Style::new().dimmed())
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    fn styled(self, text: &str, style: Style) -> String {
        if self.on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// Text of others without what a terminal would obey: control characters and changes of direction are spelled out.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if obeyed(c) {
            // Writing to a String cannot fail.
            let _infallible = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The exit code when stdout does not take what is written: whoever closed a pipe has seen enough.
pub(crate) fn unwritten(error: &io::Error) -> ExitCode {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    cli::complain(&format!("telemctl: stdout: {error}"));
    ExitCode::from(EXIT_UNREADABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_cannot_steer_the_terminal() {
        assert_eq!(harmless("plain \t text é"), "plain \t text é");
        assert_eq!(
            harmless("a\u{1b}[2Jb\r\u{9b}\u{202e}"),
            "a\\u{1b}[2Jb\\r\\u{9b}\\u{202e}"
        );
    }

    #[test]
    fn colours_are_only_there_when_wanted() {
        assert_eq!(Paint { on: false }.mark("x"), "x");
        assert_eq!(Paint { on: true }.mark("x"), "\u{1b}[1m\u{1b}[31mx\u{1b}[0m");
        assert!(Paint::new(ColorChoice::Always).on && !Paint::new(ColorChoice::Never).on);
    }
}
