//! Where PostgreSQL's programs are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::EmbeddedError;

/// The oldest version that will do.
const OLDEST: u32 = 15;
/// Where Debian and its kin keep the versions: `VERSION/bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of one installed version.
#[derive(Clone, Debug)]
pub struct Programs {
    bin: PathBuf,
}

impl Programs {
    /// Those of the newest version, or of the one that made `data`.
    pub async fn find(given: Option<&Path>, data: &Path) -> Result<Self, EmbeddedError> {
        let wanted = fs::read_to_string(data.join("PG_VERSION"))
            .ok()
            .and_then(|text| text.trim().parse::<u32>().ok());
        let folders = given.map_or_else(folders, |bin| vec![bin.to_owned()]);
        let mut found = Vec::new();
        for bin in folders {
            if let Some(version) = version(&bin).await {
                found.push((version, bin));
            }
        }
        found.sort();
        let fits = |version: u32| wanted.map_or(version >= OLDEST, |wanted| version == wanted);
        if let Some((_, bin)) = found.iter().rev().find(|(version, _)| fits(*version)) {
            return Ok(Self { bin: bin.clone() });
        }
        let needed = wanted.map_or_else(
            || format!("PostgreSQL {OLDEST} or newer"),
            |wanted| format!("PostgreSQL {wanted}, which made {},", data.display()),
        );
        let seen: Vec<String> = found
            .iter()
            .map(|(version, bin)| format!("{version} in {}", bin.display()))
            .collect();
        let seen = if seen.is_empty() {
            String::new()
        } else {
            format!(" (there is {})", seen.join(", "))
        };
        Err(EmbeddedError::Missing(format!("{needed} is not installed{seen}")))
    }

    /// `initdb`.
    pub fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }

    /// `postgres`.
    pub fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }
}

/// A program of PostgreSQL's clients, such as `pg_dump`, of the newest version that is here: it also reads older servers.
pub fn client_program(name: &str) -> Result<PathBuf, EmbeddedError> {
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    debian.sort_unstable();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let newest_first = debian.into_iter().rev().map(|(_, bin)| bin);
    newest_first
        .chain(std::env::split_paths(&path))
        .map(|bin| bin.join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| EmbeddedError::Missing(format!("{name} is not here")))
}

fn folders() -> Vec<PathBuf> {
    let debian = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .chain(std::env::split_paths(&path))
        .filter(|bin| bin.join("initdb").is_file())
        .collect()
}

/// The major version of the server in a folder. None: there is none that works.
async fn version(bin: &Path) -> Option<u32> {
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .await
        .ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// From "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
fn major(text: &str) -> Option<u32> {
    let number = text.split_once(") ")?.1;
    number
        .split(|character: char| !character.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("bash: not found"), None);
    }
}
