//! The generated code is what the `.proto` files say.

use std::{fs, path::Path};

use tonic_prost_build::Config;

/// Regenerates into a temporary folder and compares with `src/generated/`; with `UPDATE_GENERATED=1` it writes there.
#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "record",
        "collector",
        "enrolment",
        "query",
        "issues",
        "hosts",
        "hardware",
        "statistics",
        "local",
        "symbols",
    ]
    .map(|name| root.join(format!("telemetry/v1/{name}.proto")));
    let descriptors = protox::compile(files, [root]).expect("the .proto files compile");
    let fresh = tempfile::tempdir().expect("a temporary folder");
    let mut config = Config::new();
    config.bytes(["."]);
    tonic_prost_build::configure()
        .out_dir(fresh.path())
        .compile_fds_with_config(descriptors.clone(), config)
        .expect("code generation");
    fs::write(
        fresh.path().join("telemetry.v1.fds"),
        prost::Message::encode_to_vec(&descriptors),
    )
    .expect("write descriptors");

    let kept = root.join("src/generated");
    for name in ["telemetry.v1.rs", "telemetry.v1.fds"] {
        let made = fs::read(fresh.path().join(name)).expect("a generated file");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::create_dir_all(&kept).expect("create src/generated");
            fs::write(kept.join(name), &made).expect("write a generated file");
        }
        let have = fs::read(kept.join(name)).unwrap_or_default();
        assert!(
            have == made,
            "src/generated/{name} is not current: run `UPDATE_GENERATED=1 cargo test -p proto` and commit"
        );
    }
}
