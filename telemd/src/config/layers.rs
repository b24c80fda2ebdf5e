//! The files of the configuration, one over the other.
//!
//! The file itself comes first, then those of the folder `conf.d` beside it whose names end in `.toml`, by name. A later one
//! says only what it wants otherwise: tables are joined key by key, and everything else is replaced. Each file is held to
//! the rules by itself, so that a mistake is told with its place; ranges are looked at in what came out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize as _, Serialize};
use toml::Table;
use toml::de::{DeTable, DeValue};

use super::error::line_at;
use super::{Config, ConfigError, DEFAULT_PATH, check, probes_d};

/// Files of that folder that are read: more would be a mistake.
const FILES: usize = 1_000;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Line number, from 1.
    pub line: usize,
}

/// A key of the configuration, as it is in effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// The key with its table, such as `storm.window_s`.
    pub key: String,
    /// What it is.
    pub value: toml::Value,
    /// Where that was written; `None`: it is the default.
    pub origin: Option<Origin>,
}

/// The configuration, and where it comes from.
#[derive(Debug)]
pub struct Effective {
    /// What came out.
    pub config: Config,
    /// The files that were read, in this order.
    pub files: Vec<PathBuf>,
    origins: BTreeMap<String, Origin>,
}

impl Effective {
    /// Reads `path`, or without one the default file, which may be missing, and the files of `conf.d` beside it.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let first = path.unwrap_or_else(|| Path::new(DEFAULT_PATH));
        let mut layers = Layers::default();
        match read(first) {
            Ok(text) => layers.add(first, &text)?,
            Err(error) if path.is_none() && is_missing(&error) => {}
            Err(error) => return Err(error),
        }
        for further in further_files(first)? {
            let text = read(&further)?;
            layers.add(&further, &text)?;
        }
        let mut effective = layers.finish(first)?;
        let probes = &mut effective.config.probes;
        probes.user = probes_d::Probes::of_folder(&probes.user_dir);
        Ok(effective)
    }

    /// Understands `text`, which came from `path`, by itself.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        layers.add(path, text)?;
        layers.finish(path)
    }

    /// Every key that has a value.
    pub fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        flatten(&self.config.table(), "", &mut values);
        for value in &mut values {
            value.origin = self.origins.get(&value.key).cloned();
        }
        values
    }
}

impl Config {
    /// Reads `path`, without one the default file, or all defaults when that does not exist, and the files of `conf.d`
    /// beside it; and the host's own probes, whose mistakes are no error: the others are watched all the same.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        Effective::load(path).map(|effective| effective.config)
    }

    /// Understands `text`, which came from `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Effective::parse(path, text).map(|effective| effective.config)
    }

    /// The keys whose values are not the same in `other`, in order.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let of = |config: &Self| {
            let mut values = Vec::new();
            flatten(&config.table(), "", &mut values);
            let keyed = values.into_iter().map(|value| (value.key, value.value));
            keyed.collect::<BTreeMap<_, _>>()
        };
        let (ours, theirs) = (of(self), of(other));
        let mut keys: Vec<_> = ours.keys().chain(theirs.keys()).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| ours.get(key) != theirs.get(key));
        keys
    }

    fn table(&self) -> Table {
        // All that a configuration holds has a form in TOML, and its numbers fit: the test of the defaults shows it.
        Table::try_from(self).unwrap_or_default()
    }
}

/// What has been read so far.
#[derive(Default)]
struct Layers {
    files: Vec<PathBuf>,
    table: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn add(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let wrong = |error: toml::de::Error| ConfigError::parse(path, text, &error);
        toml::from_str::<Config>(text).map_err(wrong)?;
        let table: Table = toml::from_str(text).map_err(wrong)?;
        let spans = DeTable::parse(text).map_err(wrong)?;
        note(&mut self.origins, "", spans.get_ref(), &|byte| Origin {
            file: path.to_owned(),
            line: line_at(text, byte),
        });
        merge(&mut self.table, table);
        self.files.push(path.to_owned());
        Ok(())
    }

    fn finish(self, first: &Path) -> Result<Effective, ConfigError> {
        let Self {
            files,
            table,
            origins,
        } = self;
        let config = Config::deserialize(table).map_err(|error| ConfigError::parse(first, "", &error))?;
        check::check(&config).map_err(|wrong| {
            let origin = place(&origins, wrong.key).unwrap_or_else(|| Origin {
                file: first.to_owned(),
                line: 1,
            });
            ConfigError::Value {
                path: origin.file,
                line: origin.line,
                key: wrong.key,
                value: wrong.value,
                problem: wrong.problem,
                remedy: wrong.remedy,
            }
        })?;
        Ok(Effective {
            config,
            files,
            origins,
        })
    }
}

/// Where a key was written, or else another of its table, because of which its default does not do.
fn place(origins: &BTreeMap<String, Origin>, key: &str) -> Option<Origin> {
    let of_table = || {
        let (table, _) = key.rsplit_once('.')?;
        let begins = format!("{table}.");
        let mut others = origins.iter().filter(|(other, _)| other.starts_with(&begins));
        // A list of tables is noted as a whole.
        others
            .next()
            .map(|(_, origin)| origin)
            .or_else(|| origins.get(table))
    };
    origins.get(key).or_else(of_table).cloned()
}

/// Notes where each key that is no table was written.
fn note(
    origins: &mut BTreeMap<String, Origin>,
    prefix: &str,
    table: &DeTable<'_>,
    at: &dyn Fn(usize) -> Origin,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            note(origins, &format!("{name}."), inner, at);
        } else {
            origins.insert(name, at(key.span().start));
        }
    }
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn flatten(table: &Table, prefix: &str, values: &mut Vec<Value>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => flatten(inner, &format!("{key}."), values),
            value => values.push(Value {
                key,
                value: value.clone(),
                origin: None,
            }),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

fn is_missing(error: &ConfigError) -> bool {
    matches!(error, ConfigError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// The files of the folder beside `first`, by name.
fn further_files(first: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = first.with_file_name(local::CONFIG_FOLDER);
    let failed = |source| ConfigError::Read {
        path: folder.clone(),
        source,
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries.take(FILES) {
        let path = entry.map_err(failed)?.path();
        let is_hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(local::CONFIG_FOLDER)).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn later_files_change_what_they_name_and_nothing_else() {
        let dir = folder(&[
            (
                "t.toml",
                "hostname = \"a\"\n[storm]\nfirst = 1\nwindow_s = 1\n[probes]\ndisable = [\"panic\"]",
            ),
            ("conf.d/20.toml", "[storm]\n\nfirst = 3"),
            (
                "conf.d/10.toml",
                "storm.first = 2\nprobes.disable = []\nprobes.hindsight.enabled = true",
            ),
            ("conf.d/30.toml.bak", "no TOML"),
            ("conf.d/.40.toml", "no TOML"),
        ]);
        let effective = Effective::load(Some(&dir.path().join("t.toml"))).unwrap();
        let config = &effective.config;
        assert_eq!((config.storm.first, config.storm.window_s), (3, 1));
        assert!(config.probes.disable.is_empty() && config.probes.hindsight.enabled);
        let names: Vec<_> = effective
            .files
            .iter()
            .map(|file| file.file_name().unwrap())
            .collect();
        assert_eq!(names, ["t.toml", "10.toml", "20.toml"]);
        let values = effective.values();
        let origin = |key: &str| {
            let value = values.iter().find(|value| value.key == key).unwrap();
            let origin = value.origin.as_ref()?;
            Some((origin.file.file_name()?.to_str()?.to_owned(), origin.line))
        };
        assert_eq!(origin("storm.first"), Some(("20.toml".into(), 3)));
        assert_eq!(origin("storm.window_s"), Some(("t.toml".into(), 4)));
        assert_eq!(origin("probes.hindsight.enabled"), Some(("10.toml".into(), 3)));
        assert_eq!(origin("log"), None);
    }

    #[test]
    fn a_mistake_is_told_with_the_file_that_holds_it() {
        let dir = folder(&[
            ("t.toml", "[spool]\nmax_bytes = 20000000"),
            ("conf.d/a.toml", "\n[spool]\nsegment_bytes = 16777216"),
        ]);
        let told = |expected: &str| {
            let error = Config::load(Some(&dir.path().join("t.toml")))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        };
        // Each is good by itself; it is their sum that is not.
        told("t.toml:2: spool.max_bytes = 20000000: out of range");
        fs::write(dir.path().join("conf.d/b.toml"), "[storm]\nfrist = 3").unwrap();
        told("conf.d/b.toml:2: frist: unknown field `frist`");
        told("did you mean first?");
    }

    #[test]
    fn what_differs_is_told_by_its_keys() {
        let parse = |text| Config::parse(Path::new("x"), text).unwrap();
        let ours = parse("hostname = \"a\"\nstorm.first = 3\nlog = \"debug\"");
        let theirs = parse("storm.first = 4\nlog = \"debug\"");
        assert_eq!(ours.differences(&theirs), ["hostname", "storm.first"]);
        assert!(ours.differences(&ours).is_empty());
    }

    #[test]
    fn every_default_has_a_form_in_toml_and_reads_back() {
        let table = Config::default().table();
        assert_eq!(Config::deserialize(table).unwrap(), Config::default());
    }
}
