//! C programs that are built with `pkg-config --cflags --libs libtelemetry` send records that arrive.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use proto::v1::Custom;
use system_tests::{or_skip, process::wait_for, programs, system::System};

/// How long records may take to arrive.
const ARRIVAL: Duration = Duration::from_mins(3);

/// The library as `cargo xtask dist-lib` installs it.
struct Library {
    prefix: PathBuf,
}

impl Library {
    /// The installed library. None: C programs cannot be built with it here, and the test was skipped.
    fn find(test: &str) -> Option<Self> {
        let [described] = programs(test, ["libtelemetry/lib/pkgconfig/libtelemetry.pc"])?;
        for tool in ["cc", "pkg-config"] {
            let there = Command::new(tool).arg("--version").output();
            or_skip(test, there.map_err(|error| format!("no {tool}: {error}")))?;
        }
        let prefix = described.ancestors().nth(3).expect("it is that deep below it");
        Some(Self {
            prefix: prefix.to_owned(),
        })
    }

    fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    /// What pkg-config says.
    fn flags(&self) -> Vec<String> {
        let output = Command::new("pkg-config")
            .args(["--cflags", "--libs", "libtelemetry"])
            .env("PKG_CONFIG_PATH", self.lib().join("pkgconfig"))
            .output()
            .expect("pkg-config runs");
        assert!(output.status.success(), "{output:?}");
        let flags = String::from_utf8(output.stdout).expect("flags are text");
        flags.split_whitespace().map(str::to_owned).collect()
    }

    fn run(&self, program: &Path, args: &[&str]) -> Output {
        Command::new(program)
            .args(args)
            .env("LD_LIBRARY_PATH", self.lib())
            .output()
            .expect("the program runs")
    }
}

/// Builds `tests/programs/NAME.c` into `dir`.
fn build(name: &str, flags: &[String], dir: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("programs/{name}.c"));
    let built = dir.join(name);
    let output = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
        .arg(&built)
        .arg(source)
        .args(flags)
        .output()
        .expect("cc runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    built
}

fn stored(system: &System, classification: &str, count: usize) -> Vec<Custom> {
    let mut found = Vec::new();
    wait_for("the records to arrive", ARRIVAL, || {
        found = system.database.stored_customs().expect("read the records");
        found.retain(|custom| custom.classification == classification);
        found.len() >= count
    })
    .expect("they arrive");
    assert_eq!(found.len(), count, "{found:?}");
    found
}

#[test]
fn c_programs_send_records_that_arrive() {
    let test = "c_programs_send_records_that_arrive";
    let Some(library) = Library::find(test) else {
        return;
    };
    let Some(system) = System::start(test, "[storm]\nfirst = 1000") else {
        return;
    };
    let config = system.agent.config().display().to_string();
    let flags = library.flags();

    let threads = build("threads", &flags, system.dir.path());
    let ran = library.run(&threads, &[&config, "8"]);
    assert!(ran.status.success(), "{ran:?}");
    let mut payloads: Vec<_> = stored(&system, "org.example/library/threads", 8)
        .into_iter()
        .map(|custom| (custom.payload, custom.payload_version, custom.comm))
        .collect();
    payloads.sort();
    let expected: Vec<_> = (0..8)
        .map(|number| (format!("thread {number}, grüß"), 2, "threads".to_owned()))
        .collect();
    assert_eq!(payloads, expected);

    let old_style = build("old_style", &flags, system.dir.path());
    let ran = library.run(&old_style, &[&config]);
    assert!(ran.status.success(), "{ran:?}");
    let old = stored(&system, "org.example/library/old", 2);
    assert!(
        old.iter()
            .all(|custom| custom.event_id == "0123456789abcdef0123456789abcdef"),
        "{old:?}"
    );
    let mut lengths: Vec<_> = old.iter().map(|custom| custom.payload.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [4, 9000]);

    let loaded = build("loaded", &["-ldl".to_owned()], system.dir.path());
    let ran = library.run(&loaded, &[&config]);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(
        stored(&system, "org.example/library/loaded", 1)[0].payload,
        "loaded"
    );

    std::fs::remove_file(system.agent.opt_in_file()).expect("withdraw consent");
    let ran = library.run(&threads, &[&config, "1"]);
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("not opted in"), "{said}");
}
