use std::path::Path;

use faults::log;
use probe_user::past::{self, Places};
use proto::v1::Severity as WireSeverity;
use proto::v1::record::Payload;

use faults::scrub::{Policy, Scrubber};

use super::*;
use crate::storm::Storm;

const OOPS: &str = "\
<1>[   10.000001][  T138] BUG: kernel NULL pointer dereference, address: 0000000000000000
<1>[   10.000002][  T138] #PF: supervisor write access in kernel mode
<4>[   10.000003][  T138] Oops: 0002 [#1] PREEMPT SMP PTI
<4>[   10.000004][  T138] CPU: 1 PID: 138 Comm: insmod Not tainted 6.1.0-56-amd64 #1
<4>[   10.000005][  T138] RIP: 0010:example_init+0x7/0x1000 [example]
<4>[   10.000006][  T138] Call Trace:
<4>[   10.000007][  T138]  <TASK>
<4>[   10.000008][  T138]  do_one_initcall+0x59/0x220
<4>[   10.000009][  T138]  </TASK>
<4>[   10.000010][  T138] ---[ end trace 0000000000000000 ]---
";
const PANIC: &str = "\
<6>[   60.307357][    T1] sysrq: Trigger a crash
<0>[   60.312827][    T1] Kernel panic - not syncing: sysrq triggered crash
<4>[   60.369920][    T1] CPU: 1 PID: 1 Comm: init Not tainted 6.1.0-56-amd64 #1
<4>[   60.370843][    T1] Call Trace:
<4>[   60.371410][    T1]  <TASK>
<4>[   60.372017][    T1]  panic+0x6c/0x6c
<4>[   60.372085][    T1]  sysrq_handle_crash+0x1a/0x20
<4>[   60.415754][    T1]  </TASK>
";

const OOM: &str = "\
<4>[   40.000001][   T77] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
<3>[   40.000002][   T77] Memory cgroup out of memory: Killed process 77 (hog) total-vm:100kB, anon-rss:50kB
";

/// A recorder on a spool of its own, and what earlier runs left in it.
struct Host {
    dir: tempfile::TempDir,
    recorder: Recorder,
    kept: Kept,
}

impl Host {
    fn start(dir: tempfile::TempDir) -> Self {
        let opened =
            spool::Spool::open(&dir.path().join("spool"), spool::Options::default(), [1; 16]).unwrap();
        let path = dir.path().join("kept.json");
        let epoch = Uuid::from_bytes(opened.spool.epoch());
        let kept = Kept::load(&path, epoch, opened.spool.durable_seq()).unwrap();
        let (keeper, _thread) = crate::keeper::start(opened.spool, kept.clone(), path).unwrap();
        let scrubber = Scrubber::new(&Policy::default()).unwrap();
        let recorder = Recorder::new(Boot::default(), keeper, Storm::new(10, 1_000), scrubber);
        Self { dir, recorder, kept }
    }

    /// What a kernel that died leaves: ramoops keeps an oops and the panic after it in a file each.
    fn dump(&self, oops: &str, panic: &str) -> std::path::PathBuf {
        let pstore = self.dir.path().join("pstore");
        std::fs::create_dir_all(&pstore).unwrap();
        std::fs::write(pstore.join("dmesg-ramoops-0"), format!("Oops#1 Part1\n{oops}")).unwrap();
        std::fs::write(
            pstore.join("dmesg-ramoops-1"),
            format!("Panic#2 Part1\n{oops}{panic}"),
        )
        .unwrap();
        pstore
    }

    async fn keep(&mut self, pstore: &Path) {
        let places = Places {
            root: self.dir.path().join("root"),
            pstore: pstore.to_owned(),
        };
        let past = past::read(&places, "");
        let mut done = Vec::new();
        let mut teller = Teller {
            boots: &boots(),
            previous_began_ns: Some(0),
            kept: self.kept.clone(),
            recorder: &self.recorder,
            now: Moment::now(),
        };
        teller.keep(&past, &mut done).await.unwrap();
        past::clear(&places, &done).unwrap();
    }

    /// Puts a file below the root.
    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.path().join("root").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    async fn records(&self) -> Vec<Record> {
        use prost::Message as _;
        let chunk = self.recorder.keeper().read(1, 100, 1 << 20).await.unwrap();
        let spool::Chunk::Records { records, .. } = chunk else {
            return Vec::new();
        };
        records
            .iter()
            .map(|bytes| Record::decode(&bytes[..]).unwrap())
            .collect()
    }
}

fn boots() -> Boots {
    Boots {
        current: "now".into(),
        previous: "then".into(),
    }
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[tokio::test]
async fn every_fault_of_a_dead_boot_is_told_once_and_its_dumps_are_removed() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let pstore = host.dump(OOPS, PANIC);
    host.keep(&pstore).await;
    let records = host.records().await;
    let classes: Vec<_> = records.iter().map(|record| record.class.as_str()).collect();
    assert_eq!(classes, ["kernel.oops", "kernel.panic"]);
    let panic = &records[1];
    assert!(panic.title.contains("sysrq triggered crash"), "{}", panic.title);
    assert_eq!(panic.severity(), WireSeverity::Critical);
    assert_eq!(
        (panic.boot_id.as_str(), panic.kernel_release.as_str()),
        ("then", "6.1.0-56-amd64")
    );
    assert_eq!(panic.since_boot_ns, 60_312_827_000);
    assert!(panic.occurred_at_unix_ns > 0);
    assert_eq!(files(&pstore), 0);
}

#[tokio::test]
async fn dumps_that_come_back_after_a_restart_are_not_told_again() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let pstore = host.dump(OOPS, PANIC);
    host.keep(&pstore).await;
    // As if removing had failed, and the agent started again.
    let Host { dir, recorder, .. } = host;
    drop(recorder);
    let mut host = loop_until_unlocked(dir).await;
    host.dump(OOPS, PANIC);
    host.keep(&pstore).await;
    assert_eq!(host.records().await.len(), 2);
    assert_eq!(files(&pstore), 0);
}

#[tokio::test]
async fn what_was_caught_live_is_not_told_again() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let report = faults::parse(&lines(OOPS)).unwrap();
    for (title, at_s) in [(report.title.as_str(), 12), ("memory.oom_kill", 41)] {
        let mark = Mark::Report {
            boot_id: "then".into(),
            title: title.into(),
            at_s,
        };
        host.kept.note(mark, Uuid::nil(), 0);
    }
    let pstore = host.dump(OOPS, &format!("{OOM}{PANIC}"));
    host.keep(&pstore).await;
    let records = host.records().await;
    let classes: Vec<_> = records.iter().map(|record| record.class.as_str()).collect();
    assert_eq!(classes, ["kernel.panic"]);
    assert_eq!(files(&pstore), 0);
}

#[tokio::test]
async fn a_panic_right_behind_a_fault_that_was_caught_live_is_told() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let report = faults::parse(&lines(OOPS)).unwrap();
    let mark = Mark::Report {
        boot_id: "then".into(),
        title: report.title,
        at_s: 10,
    };
    host.kept.note(mark, Uuid::nil(), 0);
    // As most kernels are built: no line says which task printed it, so the panic's seem to be the oops's.
    let bare = |log: &str| log.replace("][  T138] ", "] ").replace("][    T1] ", "] ");
    let pstore = host.dump(&bare(OOPS), &bare(PANIC).replace("   60.", "   11."));
    host.keep(&pstore).await;
    let records = host.records().await;
    let classes: Vec<_> = records.iter().map(|record| record.class.as_str()).collect();
    assert_eq!(classes, ["kernel.panic"]);
    assert!(
        records[0].title.contains("sysrq triggered crash"),
        "{}",
        records[0].title
    );
    assert_eq!(files(&pstore), 0);
}

#[tokio::test]
async fn a_panic_without_a_report_is_still_told_and_a_shutdown_is_no_fault() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let pstore = host.dir.path().join("pstore");
    std::fs::create_dir_all(&pstore).unwrap();
    std::fs::write(
        pstore.join("dmesg-ramoops-0"),
        "Panic#1 Part1\n<6>[    1.0] hello\n",
    )
    .unwrap();
    std::fs::write(
        pstore.join("dmesg-ramoops-1"),
        "Shutdown#2 Part1\n<6>[    1.0] bye\n",
    )
    .unwrap();
    host.keep(&pstore).await;
    let records = host.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].class, "kernel.panic");
    let Some(Payload::KernelReport(report)) = &records[0].payload else {
        panic!("{records:?}");
    };
    assert!(report.text.contains("hello"));
    // The shutdown's is left to whoever wants it.
    assert_eq!(files(&pstore), 1);
}

#[tokio::test]
async fn copies_of_a_dump_that_was_told_from_pstore_are_known_and_stay() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let pstore = host.dump(OOPS, PANIC);
    host.keep(&pstore).await;
    let Host { dir, recorder, .. } = host;
    drop(recorder);
    let mut host = loop_until_unlocked(dir).await;
    host.put(
        "var/lib/systemd/pstore/dmesg-ramoops-1",
        format!("Panic#2 Part1\n{OOPS}{PANIC}").as_bytes(),
    );
    // kdump has more of the log, and the same faults.
    host.put(
        "var/crash/1/vmcore-dmesg.txt",
        format!("{OOPS}{PANIC}").as_bytes(),
    );
    host.keep(&pstore).await;
    assert_eq!(host.records().await.len(), 2);
    assert_eq!(files(&host.dir.path().join("root/var/lib/systemd/pstore")), 1);
    assert_eq!(files(&host.dir.path().join("root/var/crash/1")), 1);
}

#[tokio::test]
async fn errors_that_the_firmware_kept_are_told_once_in_a_boot() {
    let mut host = Host::start(tempfile::tempdir().unwrap());
    let mut region = vec![0; 20 + 64 + 80];
    region[12] = 64 + 80;
    region[16] = 1;
    region[20..36].copy_from_slice(&faults::cper::guids::MEMORY.bytes());
    region[36] = 1;
    region[44] = 80;
    region[84..92].copy_from_slice(&(1u64 << 14).to_le_bytes());
    region[84 + 72] = 3;
    host.put("sys/firmware/acpi/tables/data/BERT", &region);
    let mut check = vec![0; 128];
    check[..8].copy_from_slice(&0xbe00_0000_0080_0400_u64.to_le_bytes());
    let pstore = host.dir.path().join("pstore");
    std::fs::create_dir_all(&pstore).unwrap();
    std::fs::write(pstore.join("mce-erst-1"), &check).unwrap();
    host.keep(&pstore).await;
    let records = host.records().await;
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.class.as_str(), record.hook.as_ref().unwrap().name.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("hardware.machine_check", "pstore"),
            ("hardware.memory_error", "bert")
        ]
    );
    assert_eq!(records[1].title, "memory error: multi-bit ECC (fatal)");
    let Some(Payload::HardwareError(error)) = &records[1].payload else {
        panic!("{records:?}");
    };
    assert_eq!((error.source.as_str(), error.raw.len()), ("BERT", 80));
    assert_eq!(files(&pstore), 0);

    let Host { dir, recorder, .. } = host;
    drop(recorder);
    let mut host = loop_until_unlocked(dir).await;
    host.keep(&pstore).await;
    assert_eq!(host.records().await.len(), 2);
}

#[tokio::test]
async fn dumps_of_other_times_are_told_without_a_boot_and_very_old_ones_not_at_all() {
    let host = Host::start(tempfile::tempdir().unwrap());
    for (name, age_s) in [("1", 60), ("2", OLD_S + 60)] {
        host.put(
            &format!("var/crash/{name}/dmesg.txt"),
            format!("{name}{PANIC}").as_bytes(),
        );
        let path = host.dir.path().join(format!("root/var/crash/{name}/dmesg.txt"));
        let written = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(Moment::now().unix_ns)
            - std::time::Duration::from_secs(age_s);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(written).unwrap();
    }
    let places = Places {
        root: host.dir.path().join("root"),
        pstore: host.dir.path().join("pstore"),
    };
    let mut teller = Teller {
        boots: &boots(),
        previous_began_ns: Some(Moment::now().unix_ns),
        kept: host.kept.clone(),
        recorder: &host.recorder,
        now: Moment::now(),
    };
    let past = past::read(&places, "");
    teller.keep(&past, &mut Vec::new()).await.unwrap();
    let records = host.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (
            records[0].boot_id.as_str(),
            records[0].hook.as_ref().unwrap().name.as_str()
        ),
        ("", "kdump")
    );
}

fn lines(log: &str) -> String {
    log::lines(log.as_bytes())
        .map(|line| String::from_utf8_lossy(&line.text).into_owned() + "\n")
        .collect()
}

/// The keeper's thread lets go of the spool a moment after its last handle.
async fn loop_until_unlocked(dir: tempfile::TempDir) -> Host {
    for _ in 0..500 {
        let path = dir.path().join("spool");
        match spool::Spool::open(&path, spool::Options::default(), [1; 16]) {
            Ok(opened) => {
                drop(opened);
                return Host::start(dir);
            }
            Err(_locked) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    panic!("the spool stays locked");
}
