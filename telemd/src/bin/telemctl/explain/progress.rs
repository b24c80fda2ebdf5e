//! How far a long log is.

use std::io::{self, IsTerminal as _, Write as _};

use telemd::clock::Moment;

/// Nothing is said before, milliseconds.
const PATIENCE_MS: u64 = 2_000;
/// Time between two lines, milliseconds.
const INTERVAL_MS: u64 = 250;

/// Tells on stderr how far reading is, when that is a terminal and it takes long.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    file: &'a str,
    terminal: bool,
    next_ms: u64,
    shown: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self {
            file,
            terminal: io::stderr().is_terminal(),
            next_ms: Moment::now().since_boot_ms() + PATIENCE_MS,
            shown: false,
        }
    }

    /// `taken` bytes of `size` are read.
    pub(super) fn tell(&mut self, taken: u64, size: Option<u64>) {
        if !self.terminal {
            return;
        }
        let now_ms = Moment::now().since_boot_ms();
        if now_ms < self.next_ms {
            return;
        }
        self.next_ms = now_ms + INTERVAL_MS;
        self.shown = true;
        let _closed = write!(io::stderr(), "\r\x1b[K{}: {}", self.file, text(taken, size));
    }

    /// Makes room for other text.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _closed = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn text(taken: u64, size: Option<u64>) -> String {
    let mib = |bytes: u64| bytes >> 20;
    match size {
        Some(size) => format!(
            "{} % of {} MiB",
            taken.min(size).saturating_mul(100) / size.max(1),
            mib(size)
        ),
        None => format!("{} MiB", mib(taken)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_makes_percents() {
        assert_eq!(text(50 << 20, Some(100 << 20)), "50 % of 100 MiB");
        assert_eq!(text(9, Some(3)), "100 % of 0 MiB");
        assert_eq!(text(7 << 20, None), "7 MiB");
    }
}
