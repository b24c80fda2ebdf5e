//! What the tests of the pages need: Debian's Chromium with its driver, and axe-core, which says whether a page can be used by
//! people who do not see it, or not well.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::{build_ebpf::hex, packages, paths, progress};

/// axe-core as npm has it; with the next version its hash changes.
const AXE: &str = "axe-core@4.14.1";
/// SHA-256 of `axe.min.js` in it.
const AXE_SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// Puts all of it in place; axe-core as `axe.min.js` in the target folder, where the tests look for it.
pub(crate) fn ensure() -> Result<()> {
    packages::ensure_program("chromium", "chromium")?;
    packages::ensure_program("chromedriver", "chromium-driver")?;
    let file = paths::target().join("axe.min.js");
    if fs::read(&file).is_ok_and(|known| is_axe(&known)) {
        return Ok(());
    }
    packages::ensure_program("npm", "npm")?;
    let scratch = paths::scratch("axe")?;
    progress::run(
        format!("fetch {AXE}"),
        Command::new("npm")
            .args(["pack", AXE, "--silent", "--pack-destination"])
            .arg(scratch.path())
            .current_dir(scratch.path()),
    )?;
    let archive = AXE.replace('@', "-") + ".tgz";
    progress::run(
        "unpack axe-core",
        Command::new("tar")
            .args(["-xzf", &archive, "package/axe.min.js"])
            .current_dir(scratch.path()),
    )?;
    let fetched = fs::read(scratch.path().join("package/axe.min.js")).context("read axe.min.js")?;
    ensure!(
        is_axe(&fetched),
        "{AXE} is not the one that is known here: nothing of it is used"
    );
    fs::write(&file, fetched).with_context(|| format!("write {}", file.display()))
}

fn is_axe(content: &[u8]) -> bool {
    hex(&Sha256::digest(content)) == AXE_SHA256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_not_taken() {
        assert!(!is_axe(b"alert(1)"));
    }
}
