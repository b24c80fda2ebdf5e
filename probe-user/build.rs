//! Puts the eBPF object, when `cargo xtask build-ebpf` has built it, where `probes.rs` includes it from; otherwise an
//! empty file, so that this crate builds everywhere.

use std::{env, fs, path::PathBuf};

fn main() {
    let object = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default())
        .join("../target/bpf/probes.bpf.o");
    let embedded = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("probes.bpf.o");
    // A watched file that does not exist would run this script in every build, so its folder is watched then.
    let watched = if object.is_file() {
        object.as_path()
    } else {
        object.parent().unwrap_or(&object)
    };
    if !object.is_file() && fs::create_dir_all(watched).is_err() {
        println!("cargo::warning={} cannot be created", watched.display());
    }
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed=build.rs");

    let bytes = fs::read(&object).unwrap_or_default();
    if let Err(error) = fs::write(&embedded, bytes) {
        println!("cargo::error=write {}: {error}", embedded.display());
    }
}
