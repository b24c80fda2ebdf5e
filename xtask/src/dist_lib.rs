//! `cargo xtask dist-lib`: the C library, its header and its pkg-config file, below a prefix.
//!
//! rustc makes a static library and the C compiler links it into the shared one: rustc's own `cdylib` has a version script
//! without names, which no linker joins with one that gives symbols versions.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{packages, paths, profile::Profile, progress};

/// What programs ask the loader for: that of Clear Linux's library, libtool's 4:1:0.
const SONAME: &str = "libtelemetry.so.4";
/// Version of the library: the first number is the soname's, the second is that of the newest symbols.
const VERSION: &str = "4.1.0";
/// The interface: with none of them asked for, the linker would leave all of the static library out.
const SYMBOLS: [&str; 7] = [
    "tm_set_config_file",
    "tm_create_record",
    "tm_set_event_id",
    "tm_set_payload",
    "tm_send_record",
    "tm_is_opted_in",
    "tm_free_record",
];
/// What rustc's standard library needs (`rustc --print native-static-libs`); glibc since 2.34 has the rest in libc.
const SYSTEM_LIBRARIES: [&str; 5] = ["-lgcc_s", "-lpthread", "-lm", "-ldl", "-lc"];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask dist-lib --prefix /usr/local && ldconfig\n  \
                  cargo xtask dist-lib && PKG_CONFIG_PATH=target/libtelemetry/lib/pkgconfig pkg-config --libs libtelemetry"
)]
pub(crate) struct Args {
    /// Where lib/ and include/ are [default: target/libtelemetry]
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Build without optimisation, which is faster
    #[arg(long)]
    debug: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let prefix = match &args.prefix {
        Some(prefix) => std::path::absolute(prefix).context("find the prefix")?,
        None => paths::target().join("libtelemetry"),
    };
    let profile = if args.debug {
        Profile::Dev
    } else {
        Profile::Release
    };
    install(&prefix, profile)?;
    progress::say(format!(
        "{} is there: PKG_CONFIG_PATH={}",
        prefix.join("lib").join(SONAME).display(),
        prefix.join("lib/pkgconfig").display()
    ));
    Ok(())
}

/// Builds the library and puts it, its header and its pkg-config file below `prefix`.
pub(crate) fn install(prefix: &Path, profile: Profile) -> Result<()> {
    packages::ensure_program("cc", "gcc")?;
    let archive = build(profile)?;
    let [lib, include, pkgconfig] = ["lib", "include", "lib/pkgconfig"].map(|name| prefix.join(name));
    for dir in [&include, &pkgconfig] {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    let file = format!("libtelemetry.so.{VERSION}");
    link(&archive, &lib.join(&file))?;
    link_name(&file, &lib.join(SONAME))?;
    link_name(SONAME, &lib.join("libtelemetry.so"))?;
    let header = include.join("telemetry.h");
    fs::copy(room().join("include/telemetry.h"), &header)
        .with_context(|| format!("write {}", header.display()))?;
    let described = pkgconfig.join("libtelemetry.pc");
    fs::write(&described, description(prefix)?).with_context(|| format!("write {}", described.display()))
}

fn room() -> PathBuf {
    paths::workspace().join("crates/libtelemetry")
}

/// The static library.
fn build(profile: Profile) -> Result<PathBuf> {
    let mut cargo = profile.cargo("rustc");
    cargo.args(["-p", "libtelemetry", "--lib", "--crate-type", "staticlib"]);
    progress::run("build libtelemetry", &mut cargo)?;
    Ok(profile.folder().join("libtelemetry.a"))
}

fn link(archive: &Path, library: &Path) -> Result<()> {
    // A program that runs keeps the file it has.
    let new = library.with_extension("new");
    let mut versions = std::ffi::OsString::from("-Wl,--version-script=");
    versions.push(room().join("libtelemetry.map"));
    progress::run(
        "link libtelemetry.so",
        Command::new("cc")
            .args(["-shared", "-o"])
            .arg(&new)
            .arg(format!("-Wl,-soname,{SONAME}"))
            .arg(versions)
            .args([
                "-Wl,--gc-sections",
                "-Wl,-z,defs,-z,relro,-z,now",
                "-Wl,--strip-debug",
            ])
            .args(SYMBOLS.map(|symbol| format!("-Wl,-u,{symbol}")))
            .arg(archive)
            .args(SYSTEM_LIBRARIES),
    )?;
    fs::rename(&new, library).with_context(|| format!("write {}", library.display()))
}

/// A symbolic link, in place of one that may be there.
fn link_name(to: &str, name: &Path) -> Result<()> {
    if name.symlink_metadata().is_ok() {
        fs::remove_file(name).with_context(|| format!("replace {}", name.display()))?;
    }
    symlink(to, name).with_context(|| format!("link {}", name.display()))
}

/// What pkg-config reads.
pub(crate) fn description(prefix: &Path) -> Result<String> {
    let prefix = prefix.to_str().context("the prefix is not UTF-8")?;
    // It would be a second option of the compiler.
    ensure!(
        !prefix.contains(char::is_whitespace),
        "the prefix {prefix:?} has white space: choose another"
    );
    Ok(format!(
        "prefix={prefix}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: libtelemetry\nDescription: Hands records to the telemetry agent of this host\nVersion: {VERSION}\n\
         Libs: -L${{libdir}} -ltelemetry\nCflags: -I${{includedir}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_header_has_a_version_and_is_asked_for() {
        let header = fs::read_to_string(room().join("include/telemetry.h")).unwrap();
        let versions = fs::read_to_string(room().join("libtelemetry.map")).unwrap();
        let declared: Vec<_> = header
            .lines()
            .filter(|line| line.ends_with(");") && !line.starts_with(" *"))
            .filter_map(|line| line.split('(').next()?.split_whitespace().last())
            .filter(|name| name.starts_with("tm_"))
            .collect();
        assert_eq!(declared.len(), SYMBOLS.len(), "{declared:?}");
        for name in declared {
            assert!(SYMBOLS.contains(&name), "{name}");
            assert!(versions.contains(&format!(" {name};")), "{name}");
        }
    }

    #[test]
    fn pkg_config_is_told_where_things_are() {
        let text = description(Path::new("/opt/t")).unwrap();
        assert!(
            text.starts_with("prefix=/opt/t\nlibdir=${prefix}/lib\n"),
            "{text}"
        );
        assert!(text.contains("\nLibs: -L${libdir} -ltelemetry\n"), "{text}");
        assert!(description(Path::new("/opt/two words")).is_err());
    }
}
