//! What is wrong with the configuration.

use std::io;
use std::path::{Path, PathBuf};

use probe_user::user_probe::nearest;
use serde::Serialize;

/// What is wrong with the configuration: where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}\n  create it (an empty file means all defaults), or name another with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file is not TOML, or a key or its type is not known.
    #[error("{}:{line}: {key}{problem}\n  {remedy}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The key on that line and ": ", or empty when there is none.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
    /// A value is out of its range.
    #[error("{}:{line}: {key} = {value}: {problem}\n  {remedy}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The key with its table, such as `storm.window_s`.
        key: &'static str,
        /// The value as understood.
        value: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
}

/// A [`ConfigError`], for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// Line number, from 1; `None` when the file cannot be read.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl ConfigError {
    /// The error, for programs.
    pub fn mistake(&self) -> Mistake {
        let (file, line) = match self {
            Self::Read { path, .. } => (path, None),
            Self::Parse { path, line, .. } | Self::Value { path, line, .. } => (path, Some(*line)),
        };
        let told = self.to_string();
        // Invariant: every message of this type has its remedy on a line of its own.
        let (problem, remedy) = told.split_once("\n  ").unwrap_or((&told, ""));
        let place = line.map_or_else(String::new, |line| format!("{}:{line}: ", file.display()));
        Mistake {
            file: file.clone(),
            line,
            problem: problem.strip_prefix(&place).unwrap_or(problem).to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    /// What the TOML of `path`, whose text is `text`, does not follow.
    pub(super) fn parse(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let line = line_at(text, error.span().map_or(0, |span| span.start));
        let key = text
            .lines()
            .nth(line - 1)
            .and_then(|line| line.split_once('='))
            .map(|(key, _)| format!("{}: ", key.trim()));
        let problem = error.message().trim_end().replace('\n', "; ");
        Self::Parse {
            path: path.to_owned(),
            line,
            key: key.unwrap_or_default(),
            remedy: remedy(&problem),
            problem,
        }
    }
}

/// The line, from 1, of a byte of a text.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    let before = &text.as_bytes()[..byte.min(text.len())];
    before.split(|byte| *byte == b'\n').count()
}

/// serde names the key in the first pair of backticks, and all that there are in the others.
fn remedy(problem: &str) -> String {
    if problem.starts_with("unknown field `strategy`") {
        return "what is over a limit is counted as lost. Where it should be kept and shipped later there is no limit: records are shipped \
                in order, and wait on disk in any case. Remove that line, or the whole [[rate]]"
            .to_owned();
    }
    let mut words = problem.split('`').skip(1).step_by(2);
    let meant = words
        .next()
        .filter(|_| problem.starts_with("unknown "))
        .and_then(|word| nearest(word, words));
    match meant {
        Some(meant) => format!("did you mean {meant}? Correct or remove that line"),
        None => "correct or remove that line".to_owned(),
    }
}
