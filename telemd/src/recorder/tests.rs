use faults::{Class, Severity};
use prost::Message as _;
use proto::v1::record::Payload;
use spool::Chunk;

use super::*;

fn moment(ms: u64) -> Moment {
    Moment {
        unix_ns: ms * 1_000_000,
        since_boot_ns: ms * 1_000_000,
        asleep_ns: 0,
    }
}

async fn losses(recorder: &Recorder) -> Vec<(LossReason, String, u64)> {
    let Chunk::Records { records, .. } = recorder.keeper().read(1, 100, 1 << 20).await.unwrap() else {
        return Vec::new();
    };
    records.iter().filter_map(|bytes| loss(bytes)).collect()
}

fn nothing_private() -> Scrubber {
    Scrubber::new(&faults::scrub::Policy::default()).unwrap()
}

fn loss(bytes: &[u8]) -> Option<(LossReason, String, u64)> {
    match Record::decode(bytes).unwrap().payload {
        Some(Payload::Loss(loss)) => Some((loss.reason(), loss.title, loss.count)),
        _ => None,
    }
}

#[tokio::test]
async fn what_the_disk_refuses_is_an_error_and_told_as_soon_as_it_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool");
    let limits = spool::Options {
        segment_bytes: 4_096,
        max_bytes: 1 << 20,
        ..spool::Options::default()
    };
    let opened = spool::Spool::open(&path, limits, [1; 16]).unwrap();
    let kept = crate::kept::Kept::default();
    let (keeper, _thread) = crate::keeper::start(opened.spool, kept, dir.path().join("kept.json")).unwrap();
    let recorder = Recorder::new(Boot::default(), keeper, Storm::new(10, 1_000), nothing_private());
    // The first segment is full and the second cannot be made.
    recorder.keeper().keep(vec![0; 4_000], Vec::new()).await.unwrap();
    let in_the_way = path.join("segment-00000000000000000002.new");
    std::fs::create_dir(&in_the_way).unwrap();
    recorder.lost(LossReason::RingFull, "panic", 4);
    let told = recorder.tell_losses(moment(1)).await;
    assert!(matches!(told, Err(KeepError::NotDurable)), "{told:?}");
    recorder.reject();
    let told = recorder.tell_losses(moment(2)).await;
    assert!(matches!(told, Err(KeepError::Refused)), "{told:?}");

    // What is told again by itself does not count as lost.
    let dump = Boot::default().record(Class::KernelOops, Severity::High, "t", moment(2));
    let kept = recorder.keep_always(dump, Vec::new()).await;
    assert!(matches!(kept, Err(KeepError::Refused)), "{kept:?}");

    std::fs::remove_dir(&in_the_way).unwrap();
    recorder.tell_losses(moment(3)).await.unwrap();
    let Chunk::Records { records, .. } = recorder.keeper().read(2, 100, 1 << 20).await.unwrap() else {
        panic!("nothing was told");
    };
    let reasons: Vec<_> = records
        .iter()
        .filter_map(|bytes| loss(bytes))
        .map(|(reason, ..)| reason)
        .collect();
    assert_eq!(reasons, [LossReason::RingFull, LossReason::Rejected]);
    assert_eq!(records.len(), 2);
}

#[tokio::test]
async fn what_is_private_never_gets_to_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let opened = spool::Spool::open(&dir.path().join("spool"), spool::Options::default(), [1; 16]).unwrap();
    let kept = crate::kept::Kept::default();
    let (keeper, thread) = crate::keeper::start(opened.spool, kept, dir.path().join("kept.json")).unwrap();
    let policy = faults::scrub::Policy::all(faults::scrub::Action::Replace);
    let recorder = Recorder::new(
        Boot::default(),
        keeper,
        Storm::new(1, 1_000),
        Scrubber::new(&policy).unwrap(),
    );
    let title = "crash of alice@example.org";
    let record = || Boot::default().record(Class::KernelOops, Severity::High, title, moment(1));
    recorder.keep(record(), moment(1)).await.unwrap();
    let found = Found {
        record: record(),
        mark: None,
    };
    recorder.hand_over(found, None, moment(2_000)).await.unwrap();
    recorder.keep(record(), moment(2_001)).await.unwrap();
    recorder.close_windows(moment(4_000), true);
    recorder.tell_losses(moment(4_000)).await.unwrap();
    drop(recorder);
    thread.join().unwrap();
    for file in std::fs::read_dir(dir.path().join("spool")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(5).any(|five| five == b"alice"));
    }
}

#[tokio::test]
async fn kept_and_told_as_lost_is_all_there_was() {
    let dir = tempfile::tempdir().unwrap();
    let opened = spool::Spool::open(&dir.path().join("spool"), spool::Options::default(), [1; 16]).unwrap();
    let (keeper, thread) = crate::keeper::start(
        opened.spool,
        crate::kept::Kept::default(),
        dir.path().join("kept.json"),
    )
    .unwrap();
    let recorder = Recorder::new(Boot::default(), keeper, Storm::new(2, 1_000), nothing_private());
    for ms in 0..7 {
        let record = Boot::default().record(Class::KernelOops, Severity::High, "t", moment(ms));
        let kept = recorder.keep(record, moment(ms)).await.unwrap();
        assert_eq!(kept == Kept::Counted, ms >= 2);
    }
    recorder.reject();
    recorder.lost(LossReason::RingFull, "panic", 4);
    recorder.close_windows(moment(2_000), false);
    recorder.tell_losses(moment(2_000)).await.unwrap();
    recorder.tell_losses(moment(2_001)).await.unwrap();
    assert_eq!(
        losses(&recorder).await,
        [
            (LossReason::RingFull, String::new(), 4),
            (LossReason::Storm, "t".into(), 5),
            (LossReason::Rejected, String::new(), 1),
        ]
    );
    assert_eq!(recorder.counts(), (5, 1));
    drop(recorder);
    thread.join().unwrap();
}

/// Nanoseconds of a year.
const YEAR_NS: u64 = 31_536_000_000_000_000;

#[tokio::test]
async fn a_clock_that_jumps_by_a_year_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let limits = spool::Options {
        max_age: std::time::Duration::from_hours(1),
        ..spool::Options::default()
    };
    let opened = spool::Spool::open(&dir.path().join("spool"), limits, [1; 16]).unwrap();
    let kept = crate::kept::Kept::default();
    let (keeper, thread) = crate::keeper::start(opened.spool, kept, dir.path().join("kept.json")).unwrap();
    let recorder = Recorder::new(Boot::default(), keeper, Storm::new(1, 1_000), nothing_private());
    let base = 2 * YEAR_NS;
    // Ahead by a year, back by two, and right again: half a second of the clock that nobody sets passes in all.
    for (step, unix_ns) in [(0, base), (1, base + YEAR_NS), (2, base - YEAR_NS), (3, base + 3)] {
        let now = Moment {
            unix_ns,
            since_boot_ns: step * 100_000_000,
            asleep_ns: 0,
        };
        let record = Boot::default().record(Class::KernelOops, Severity::High, "t", now);
        let kept = recorder.keep(record, now).await.unwrap();
        // One window of storm control, whatever the clock on the wall says.
        assert_eq!(kept == Kept::Counted, step > 0, "step {step}");
        let record = Boot::default().record(Class::KernelOops, Severity::High, &step.to_string(), now);
        assert_eq!(recorder.keep(record, now).await.unwrap(), Kept::Seq(step + 2));
        recorder.close_windows(now, false);
        recorder.tell_losses(now).await.unwrap();
    }
    recorder.close_windows(moment(2_000), true);
    recorder.tell_losses(moment(2_000)).await.unwrap();
    let told = losses(&recorder).await;
    assert_eq!(told, [(LossReason::Storm, "t".into(), 3)]);
    let Chunk::Records { records, .. } = recorder.keeper().read(1, 100, 1 << 20).await.unwrap() else {
        panic!("nothing was kept");
    };
    let last = Record::decode(records.last().unwrap().as_slice()).unwrap();
    let Some(Payload::Loss(loss)) = last.payload else {
        panic!("the count comes last");
    };
    assert_eq!(
        (loss.first_unix_ns, loss.last_unix_ns),
        (base - YEAR_NS, base + YEAR_NS)
    );
    assert_eq!(loss.examples.len(), 3);
    // One and four in full, and the count.
    assert_eq!(records.len(), 6);
    drop(recorder);
    thread.join().unwrap();
}
