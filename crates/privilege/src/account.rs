//! Users of this host, as `/etc/passwd` lists them.
//!
//! Only that file is read: a service's own user is a local one, and asking the name service would load its plug-ins
//! into a process that is still root.

use std::io;
use std::path::{Path, PathBuf};

/// Where users are listed (`passwd(5)`).
pub const PASSWD: &str = "/etc/passwd";
/// The longest list that is read, bytes: some hosts list tens of thousands of people at about 60 bytes each.
const LIST_BYTES: u64 = 16 << 20;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
}

/// The list of users could not be read.
#[derive(Debug, thiserror::Error)]
#[error("read {}", path.display())]
pub struct ListError {
    /// The file.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

/// Looks a user up by name in `list`, usually [`PASSWD`]; `None` when there is no such user, or no list.
pub fn find(list: &Path, name: &str) -> Result<Option<Account>, ListError> {
    match read(list) {
        Ok(text) => Ok(String::from_utf8_lossy(&text)
            .lines()
            .find_map(|line| parse(line, name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ListError {
            path: list.to_owned(),
            source,
        }),
    }
}

fn read(list: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(list)?
        .take(LIST_BYTES)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// `name:password:uid:gid:comment:home:shell`
fn parse(line: &str, wanted: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| *name == wanted && !name.is_empty())?;
    let _password = fields.next()?;
    Some(Account {
        name: name.to_owned(),
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &str = "root:x:0:0:root:/root:/bin/sh\n# comment\n:x:1:1::/:\nbroken:x:many:1::/:\n\
                        telemetrics:x:990:991:Telemetrics:/var/lib/telemetrics:/usr/sbin/nologin\nshort:x:5\n";

    fn find_in(text: &str, name: &str) -> Option<Account> {
        let list = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(list.path(), text).unwrap();
        find(list.path(), name).unwrap()
    }

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let account = find_in(LIST, "telemetrics").unwrap();
        assert_eq!((account.uid, account.gid), (990, 991));
        for name in ["telemetric", "broken", "short", "", "# comment"] {
            assert_eq!(find_in(LIST, name), None, "{name:?}");
        }
    }

    #[test]
    fn a_host_without_a_list_has_no_users() {
        assert_eq!(find(Path::new("/nonexistent/passwd"), "root").unwrap(), None);
        let error = find(Path::new("/"), "root").unwrap_err();
        assert_eq!(error.to_string(), "read /");
    }

    proptest! {
        #[test]
        fn any_line_is_a_user_of_that_name_or_none(line in ".{0,60}", name in "[a-z:]{0,4}") {
            if let Some(account) = parse(&line, &name) {
                prop_assert_eq!(account.name, name);
            }
        }
    }
}
