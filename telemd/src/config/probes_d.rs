//! The probes of the host's administrator: `probes.d/*.toml`.
//!
//! A file holds tables `[probe.NAME]`. A mistake in one probe leaves the others alone: the agent watches those that are
//! right and says what is wrong with the rest.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use probe_user::user_probe::{DEFAULT_RATE, HOOK_PREFIX, Part, UserProbe, Written, Wrong};
use serde::Deserialize;
use toml::Spanned;

use crate::text::cut;

#[cfg(test)]
mod tests;

/// Longest file that is read, bytes.
pub const FILE_BYTES: u64 = 256 * 1024;
/// The most probes of all files: each takes a slot of the generic program, and hooks of the catalogue need some too.
pub const MAX_PROBES: usize = 16;

/// Longest name of a hook in a heartbeat, bytes (`HookState.name`).
const HOOK_BYTES: usize = 64;

/// A probe and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The probe.
    pub probe: UserProbe,
    file: PathBuf,
    /// Its name and the places of its parts.
    places: Places,
}

/// Something that has to be corrected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {problem}\n  {remedy}", file.display())]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// The probe; `None` when it is the file that is wrong.
    pub probe: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// All probes that are right, and what is wrong with the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes {
    /// By file and name.
    pub probes: Vec<Probe>,
    /// In the order of the files.
    pub mistakes: Vec<Mistake>,
}

/// Where the parts of a probe are in its file: a line and a column for each byte of their texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    name: String,
    header: Place,
    parts: Vec<(Part, Place)>,
}

/// Where a text begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// Whether the text is written as it is, in one line: places in it count from its beginning.
    verbatim: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    probe: BTreeMap<Spanned<String>, Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    tracepoint: Spanned<String>,
    title: Option<Spanned<String>>,
    class: Option<Spanned<String>>,
    severity: Option<Spanned<String>>,
    #[serde(default)]
    fields: Vec<Spanned<String>>,
    filter: Option<Spanned<String>>,
    rate: Option<Spanned<u32>>,
    #[serde(default)]
    stack: bool,
}

impl Probes {
    /// Reads `*.toml` of a folder, by name. A folder that is not there holds no probes.
    pub fn of_folder(folder: &Path) -> Self {
        let files = fs::read_dir(folder).and_then(|entries| {
            let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
            Ok(paths?
                .into_iter()
                .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
                .collect::<Vec<_>>())
        });
        match files {
            Ok(mut files) => {
                files.sort();
                Self::of_files(&files)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => Self {
                probes: Vec::new(),
                mistakes: vec![unreadable(folder, &error)],
            },
        }
    }

    /// Reads files.
    pub fn of_files(files: &[PathBuf]) -> Self {
        let mut all = Self::default();
        for file in files {
            match read(file) {
                Ok(text) => all.add(file, &text),
                Err(error) => all.mistakes.push(unreadable(file, &error)),
            }
        }
        all
    }

    /// Understands `text`, which came from `file`.
    pub fn add(&mut self, file: &Path, text: &str) {
        let parsed: File = match toml::from_str(text) {
            Ok(parsed) => parsed,
            Err(error) => return self.mistakes.push(unparsed(file, text, &error)),
        };
        let before = self.mistakes.len();
        for (name, entry) in parsed.probe {
            let places = Places::new(text, &name, entry.get_ref());
            let written = entry.into_inner().written(name.into_inner());
            match UserProbe::new(&written) {
                Ok(probe) => self.add_probe(Probe {
                    probe,
                    file: file.to_owned(),
                    places,
                }),
                Err(wrongs) => {
                    let told = wrongs.iter().map(|wrong| places.mistake(file, wrong));
                    self.mistakes.extend(told);
                }
            }
        }
        self.mistakes[before..].sort_by_key(|mistake| (mistake.line, mistake.column));
    }

    /// The probes without their places.
    pub fn alone(&self) -> impl Iterator<Item = &UserProbe> {
        self.probes.iter().map(|located| &located.probe)
    }

    /// The hooks that mistakes left out, and the first mistake of each. Where no probe can be named, the file is.
    pub fn unfit(&self) -> BTreeMap<String, &Mistake> {
        let mut unfit = BTreeMap::new();
        for mistake in &self.mistakes {
            let of_probe = mistake
                .probe
                .as_ref()
                .map(|probe| format!("{HOOK_PREFIX}{probe}"));
            let is_free = |hook: &String| self.alone().all(|probe| probe.hook != *hook);
            let file = mistake.file.file_name().unwrap_or_default();
            let name = of_probe
                .filter(is_free)
                .unwrap_or_else(|| format!("{HOOK_PREFIX}{}", file.display()));
            unfit.entry(cut(&name, HOOK_BYTES).to_owned()).or_insert(mistake);
        }
        unfit
    }

    fn add_probe(&mut self, probe: Probe) {
        let twin = self
            .probes
            .iter()
            .find(|known| known.probe.hook == probe.probe.hook);
        let (problem, remedy) = match twin {
            Some(twin) => (
                format!("`{}` is in {} already", probe.name(), twin.file.display()),
                "give one of the two another name".to_owned(),
            ),
            None if self.probes.len() == MAX_PROBES => (
                format!("there are {MAX_PROBES} probes before this one"),
                format!("keep at most {MAX_PROBES} in all files together"),
            ),
            None => return self.probes.push(probe),
        };
        let wrong = Wrong {
            part: Part::Name,
            range: 0..0,
            problem,
            remedy,
        };
        self.mistakes.push(probe.mistake(&wrong));
    }
}

impl Probe {
    /// The name in `[probe.NAME]`.
    pub fn name(&self) -> &str {
        &self.places.name
    }

    /// The file it is in.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where in the file something is wrong with the probe.
    pub fn mistake(&self, wrong: &Wrong) -> Mistake {
        self.places.mistake(&self.file, wrong)
    }
}

impl Entry {
    fn written(self, name: String) -> Written {
        let text = |value: Option<Spanned<String>>| value.map(Spanned::into_inner).unwrap_or_default();
        Written {
            name,
            tracepoint: self.tracepoint.into_inner(),
            title: text(self.title),
            class: text(self.class),
            severity: text(self.severity),
            fields: self.fields.into_iter().map(Spanned::into_inner).collect(),
            filter: text(self.filter),
            rate: self.rate.map_or(DEFAULT_RATE, Spanned::into_inner),
            stack: self.stack,
        }
    }
}

impl Places {
    fn new(text: &str, name: &Spanned<String>, entry: &Entry) -> Self {
        let mut parts = vec![(Part::Tracepoint, Place::of_text(text, &entry.tracepoint))];
        let optional = [
            (Part::Title, &entry.title),
            (Part::Class, &entry.class),
            (Part::Severity, &entry.severity),
            (Part::Filter, &entry.filter),
        ];
        for (part, value) in optional {
            parts.extend(value.as_ref().map(|value| (part, Place::of_text(text, value))));
        }
        for (index, field) in entry.fields.iter().enumerate() {
            parts.push((Part::Field(index), Place::of_text(text, field)));
        }
        if let Some(rate) = &entry.rate {
            parts.push((Part::Rate, Place::at(text, rate.span().start)));
        }
        Self {
            name: name.get_ref().clone(),
            header: Place::at(text, name.span().start),
            parts,
        }
    }

    fn mistake(&self, file: &Path, wrong: &Wrong) -> Mistake {
        let place = self.parts.iter().find(|(part, _)| *part == wrong.part);
        let place = place.map_or(self.header, |(_, place)| *place);
        let Wrong {
            range,
            problem,
            remedy,
            ..
        } = wrong;
        Mistake {
            file: file.to_owned(),
            line: place.line,
            column: place.column + if place.verbatim { range.start } else { 0 },
            probe: Some(self.name.clone()),
            problem: format!("probe.{}: {problem}", self.name),
            remedy: remedy.clone(),
        }
    }
}

impl Place {
    /// The place of a byte of a file.
    fn at(text: &str, byte: usize) -> Self {
        let before = &text[..text.floor_char_boundary(byte)];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            verbatim: false,
        }
    }

    /// The place of a string's text. Escapes make its bytes others than those of the file: then it is that of the string.
    fn of_text(text: &str, value: &Spanned<String>) -> Self {
        let Range { start, end } = value.span();
        let inside = text.get(start + 1..end.saturating_sub(1));
        let is_plain = inside == Some(value.get_ref().as_str()) && value.get_ref().is_ascii();
        Self {
            verbatim: is_plain,
            ..Self::at(text, start + usize::from(is_plain))
        }
    }
}

fn read(file: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    fs::File::open(file)?
        .take(FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        let problem = format!("it has more than {FILE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(text)
}

fn unreadable(file: &Path, error: &io::Error) -> Mistake {
    Mistake {
        file: file.to_owned(),
        line: 1,
        column: 1,
        probe: None,
        problem: format!("cannot be read: {error}"),
        remedy: "make it readable for telemd, or remove it".to_owned(),
    }
}

fn unparsed(file: &Path, text: &str, error: &toml::de::Error) -> Mistake {
    let place = Place::at(text, error.span().map_or(0, |span| span.start));
    Mistake {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        probe: None,
        problem: error.message().trim_end().replace('\n', "; "),
        remedy: "correct or remove that line; a probe is a table [probe.NAME] with `tracepoint = \"CATEGORY:NAME\"`".to_owned(),
    }
}
