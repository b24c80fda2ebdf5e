//! Building for real.

use std::{fs, path::Path, process::Command};

use testing::skip;

use super::{Flavour, check, compile, linker, stamp, toolchain};
use crate::paths;

/// Copies what git knows of the checkout, as it is now.
fn copy_checkout(to: &Path) {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(paths::workspace())
        .output()
        .unwrap();
    assert!(listed.status.success());
    let names = String::from_utf8(listed.stdout).unwrap();
    for name in names.split_terminator('\0') {
        let (from, to) = (paths::workspace().join(name), to.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&from, &to).unwrap();
        }
    }
}

const TEST: &str = "build_ebpf::tests::the_object_is_the_same_from_any_folder";

/// Half a minute of compiling; only where the compiler and its object are there already.
#[test]
fn the_object_is_the_same_from_any_folder() {
    if !stamp::is_current(Flavour::Release).unwrap() {
        return skip(TEST, "there is no current object: run `cargo xtask build-ebpf`");
    }
    let toolchain = toolchain::find().unwrap();
    if !stamp::is_from(Flavour::Release, &toolchain.description).unwrap() {
        return skip(
            TEST,
            "the object came from another compiler: run `cargo xtask build-ebpf --force`",
        );
    }
    let linker = linker::ensure(&toolchain).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("a folder/elsewhere");
    copy_checkout(&elsewhere);
    let built = compile::compile(
        Flavour::Release,
        &toolchain,
        &linker,
        &elsewhere,
        &elsewhere.join("target/bpf/build"),
    )
    .unwrap();
    let bytes = fs::read(built).unwrap();
    check::check(&bytes).unwrap();
    // Not `assert_eq!`, which would print 400 kB.
    assert!(
        bytes == fs::read(Flavour::Release.path()).unwrap(),
        "the bytes depend on the folder"
    );
}
