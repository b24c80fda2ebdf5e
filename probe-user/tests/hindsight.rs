//! What comes before a fault, caused for real: a program whose cgroup is full. Needs root and an object built by `cargo xtask
//! build-ebpf`; what is not possible here is skipped with its reason.

#![expect(clippy::unwrap_used, reason = "a test panics")]

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use probe_common::SignKind;
use probe_user::{
    AttachError, Options, Probes,
    hindsight::{Hindsight, Precursor, Wanted},
    hook,
};
use testing::skip;

/// Memory that the program may use, and how much more than that the file has which it reads.
const LIMIT_BYTES: u64 = 16 << 20;
const FILE_BYTES: u64 = 4 * LIMIT_BYTES;
/// How often the program reads it, should the kernel not say anything yet.
const READINGS: usize = 30;

/// A cgroup with a limit of memory, removed when it is dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    /// One of version 1 or 2, whichever has the memory controller.
    fn new() -> Result<Self, String> {
        let versions = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.high"),
        ];
        let mut reason = String::new();
        for (root, limit) in versions {
            let cgroup = Self(Path::new(root).join(format!("telemetrics-test-{}", std::process::id())));
            let made = fs::create_dir(&cgroup.0)
                .and_then(|()| fs::write(cgroup.0.join(limit), LIMIT_BYTES.to_string()));
            match made {
                Ok(()) => return Ok(cgroup),
                Err(error) => reason = format!("no cgroup with a limit of memory can be made: {error}"),
            }
        }
        Err(reason)
    }

    /// Reads a file there that is in nobody's memory: what is read before has to go for what is read next.
    fn read(&self, file: &Path) {
        let script = r#"echo $$ > "$0/cgroup.procs" && exec dd if="$1" of=/dev/null bs=1M"#;
        let status = Command::new("sh")
            .args(["-c", script])
            .args([self.0.as_path(), file])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The kernel may still be busy with what ran there; what is left is an empty folder.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Now, as `CLOCK_BOOTTIME` counts, and a second on top: what is asked for is what came before.
fn soon_ns() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    (Duration::from_secs_f64(seconds) + Duration::from_secs(1))
        .as_nanos()
        .try_into()
        .unwrap()
}

fn large_file(folder: &Path) -> PathBuf {
    let path = folder.join("large");
    let mut file = File::create(&path).unwrap();
    let block = vec![1; 1 << 20];
    for _ in 0..FILE_BYTES >> 20 {
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    path
}

#[test]
fn a_program_whose_cgroup_is_full_is_seen_before_anything_fails() {
    let test = "a_program_whose_cgroup_is_full_is_seen_before_anything_fails";
    let options = Options {
        disable: hook::ALL.map(str::to_owned).to_vec(),
        hindsight: Some(Wanted {
            stall_ns: 1,
            ..Wanted::default()
        }),
        ..Options::default()
    };
    let mut probes = match Probes::attach(&options) {
        Ok(probes) => probes,
        Err(error @ (AttachError::NoObject | AttachError::NotPermitted(_))) => {
            return skip(test, &error.to_string());
        }
        Err(error) => panic!("{error:?}"),
    };
    let states = probes.states();
    let row = states
        .iter()
        .find(|state| &*state.hook == "hindsight.mm_vmscan_memcg_reclaim_end")
        .unwrap();
    if row.attach.is_none() {
        return skip(test, &row.reason);
    }
    let cgroup = match Cgroup::new() {
        Ok(cgroup) => cgroup,
        Err(reason) => return skip(test, &reason),
    };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = large_file(folder.path());
    let (map, room) = probes.signs().unwrap();
    let hindsight = Hindsight::open(map, room).unwrap();
    let is_it =
        |seen: &Precursor| seen.kind == SignKind::CgroupReclaim && seen.comm == "dd" && seen.value > 0;
    let seen = (0..READINGS).any(|_| {
        cgroup.read(&file);
        hindsight.before(soon_ns()).iter().any(is_it)
    });
    assert!(seen, "{:?}", hindsight.before(soon_ns()));
}

#[test]
fn without_being_asked_for_nothing_is_loaded() {
    let test = "without_being_asked_for_nothing_is_loaded";
    let disable = hook::ALL.map(str::to_owned).to_vec();
    let options = Options {
        disable,
        ..Options::default()
    };
    match Probes::attach(&options) {
        Ok(mut probes) => {
            assert!(probes.signs().is_none());
            assert_eq!(probes.states().len(), hook::ALL.len());
        }
        Err(error @ (AttachError::NoObject | AttachError::NotPermitted(_))) => skip(test, &error.to_string()),
        Err(error) => panic!("{error:?}"),
    }
}
