//! Where the agent listens, and the file that says that this host takes part.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What a client has to know of the agent's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The agent's local socket.
    pub socket_path: PathBuf,
    /// This host takes part when it exists.
    pub opt_in_file: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            socket_path: local::SOCKET_PATH.into(),
            opt_in_file: local::OPT_IN_FILE.into(),
        }
    }
}

/// What a file of the agent's says of them.
#[derive(Debug, Default, Deserialize)]
struct Written {
    socket_path: Option<PathBuf>,
    opt_in_file: Option<PathBuf>,
}

/// Why a configuration file does not tell the places.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// It could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is not TOML.
    #[error("{} is not TOML: `telemd --config {}` says where", path.display(), path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<toml::de::Error>,
    },
}

impl Places {
    /// What the agent's own configuration says; the defaults when there is none.
    pub fn of_host() -> Result<Self, PlacesError> {
        let first = Path::new(local::CONFIG_FILE);
        let mut places = Self::default();
        match read(first) {
            Ok(text) => places.take(first, &text)?,
            Err(PlacesError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        places.take_folder(first)?;
        Ok(places)
    }

    /// What `path` says: the agent's configuration file (`.toml`) with those of the folder `conf.d` beside it, or a file of
    /// Clear Linux (`[settings]`, `key=value`). Everything else in it is the agent's matter and is passed over.
    pub fn of_file(path: &Path) -> Result<Self, PlacesError> {
        let text = read(path)?;
        if !is_toml(path) {
            return Ok(Self::of_settings(&text));
        }
        let mut places = Self::default();
        places.take(path, &text)?;
        places.take_folder(path)?;
        Ok(places)
    }

    fn take(&mut self, path: &Path, text: &str) -> Result<(), PlacesError> {
        let written: Written = toml::from_str(text).map_err(|source| PlacesError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        if let Some(socket_path) = written.socket_path {
            self.socket_path = socket_path;
        }
        if let Some(opt_in_file) = written.opt_in_file {
            self.opt_in_file = opt_in_file;
        }
        Ok(())
    }

    /// As the agent does: the files of the folder beside `first`, by name.
    fn take_folder(&mut self, first: &Path) -> Result<(), PlacesError> {
        let Ok(entries) = std::fs::read_dir(first.with_file_name(local::CONFIG_FOLDER)) else {
            return Ok(());
        };
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| is_toml(path) && !is_hidden(path));
        files.sort_unstable();
        files.iter().try_for_each(|path| self.take(path, &read(path)?))
    }

    /// Clear Linux's form. Its opt-in file cannot be chosen.
    fn of_settings(text: &str) -> Self {
        let socket = text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "socket_path").then(|| value.trim())
        });
        let mut places = Self::default();
        if let Some(socket) = socket.filter(|socket| !socket.is_empty()) {
            places.socket_path = socket.into();
        }
        places
    }
}

fn read(path: &Path) -> Result<String, PlacesError> {
    std::fs::read_to_string(path).map_err(|source| PlacesError::Read {
        path: path.to_owned(),
        source,
    })
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Result<Places, PlacesError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Places::of_file(&path)
    }

    #[test]
    fn the_agents_file_tells_the_places_and_what_else_is_in_it_does_not_matter() {
        let text = "log = \"debug\"\nsocket_path = \"/run/x\"\n[spool]\nmax_bytes = 3\nwrong = 1\n";
        let places = of("telemd.toml", text).unwrap();
        assert_eq!(places.socket_path, Path::new("/run/x"));
        assert_eq!(places.opt_in_file, Places::default().opt_in_file);
        assert_eq!(of("telemd.toml", "").unwrap(), Places::default());
    }

    #[test]
    fn further_files_beside_it_come_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telemetrics.toml");
        std::fs::create_dir(dir.path().join(local::CONFIG_FOLDER)).unwrap();
        std::fs::write(&path, "socket_path = \"/run/a\"\nopt_in_file = \"/a\"").unwrap();
        for (name, text) in [
            ("2.toml", "socket_path = \"/run/c\""),
            ("1.toml", "socket_path = \"/run/b\""),
            ("3.txt", "="),
        ] {
            std::fs::write(dir.path().join(local::CONFIG_FOLDER).join(name), text).unwrap();
        }
        let places = Places::of_file(&path).unwrap();
        assert_eq!(places.socket_path, Path::new("/run/c"));
        assert_eq!(places.opt_in_file, Path::new("/a"));
    }

    #[test]
    fn clear_linuxs_file_tells_the_socket() {
        let text = "[settings]\n# socket_path=/no\nserver=http://x\nsocket_path = /run/y \nspool_dir=/z\n";
        let places = of("telemetrics.conf", text).unwrap();
        assert_eq!(places.socket_path, Path::new("/run/y"));
        assert_eq!(of("x.conf", "[settings]\n").unwrap(), Places::default());
    }

    #[test]
    fn a_broken_or_missing_file_is_an_error_with_its_name() {
        let broken = of("telemd.toml", "socket_path = ").unwrap_err();
        assert!(broken.to_string().contains("telemd.toml is not TOML"), "{broken}");
        let missing = Places::of_file(Path::new("/nonexistent/telemd.toml")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read /nonexistent/telemd.toml");
    }
}
