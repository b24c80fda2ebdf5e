use spool::Chunk;

use super::*;

fn keeper(dir: &std::path::Path) -> (Handle, JoinHandle<()>) {
    let opened = Spool::open(&dir.join("spool"), spool::Options::default(), [7; 16]).unwrap();
    start(opened.spool, Kept::default(), dir.join("kept.json")).unwrap()
}

#[tokio::test]
async fn what_is_answered_is_durable_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, thread) = keeper(dir.path());
    let records: Vec<_> = (0..100u8).map(|n| vec![n; 10]).collect();
    for (index, record) in records.iter().enumerate() {
        let seq = handle.keep(record.clone(), Vec::new()).await.unwrap();
        assert_eq!(seq, index as u64 + 1);
        assert!(handle.stats().borrow().durable_seq >= seq);
    }
    let chunk = handle.read(1, 4096, 1 << 20).await.unwrap();
    assert_eq!(
        chunk,
        Chunk::Records {
            first_seq: 1,
            records
        }
    );
    handle.acknowledge(40).await.unwrap();
    assert_eq!(
        handle.read(41, 1, 1).await.unwrap(),
        Chunk::Records {
            first_seq: 41,
            records: vec![vec![40; 10]]
        }
    );
    assert_eq!(handle.stats().borrow().backlog, 60);
    drop(handle);
    thread.join().unwrap();
}

#[tokio::test]
async fn many_at_once_share_syncs_and_all_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, thread) = keeper(dir.path());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let handle = handle.clone();
        tasks.spawn(async move { handle.keep(vec![1; 3_000], Vec::new()).await.unwrap() });
    }
    let mut seqs = tasks.join_all().await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1_000).collect::<Vec<u64>>());
    drop(handle);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_mark_is_on_disk_when_its_record_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, thread) = keeper(dir.path());
    let mark = Mark::Report {
        boot_id: "b".into(),
        title: "t".into(),
        at_s: 3,
    };
    let seq = handle.keep(vec![1], vec![mark]).await.unwrap();
    let kept = Kept::load(&dir.path().join("kept.json"), handle.epoch(), seq).unwrap();
    let (_, mut told) = kept.of_log("b");
    assert!(told.take(&Mark::Report {
        boot_id: "b".into(),
        title: "t".into(),
        at_s: 3,
    }));
    drop(handle);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_record_too_large_is_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, thread) = keeper(dir.path());
    let error = handle
        .keep(vec![0; spool::MAX_RECORD_BYTES + 1], Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(error, KeepError::Unfit(_)), "{error}");
    assert_eq!(handle.stats().borrow().refused, 1);
    assert_eq!(handle.keep(vec![0], Vec::new()).await.unwrap(), 1);
    drop(handle);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_thread_that_panics_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let options = spool::Options {
        segment_bytes: 4096,
        max_bytes: 2 * 4096,
        judge: |_| panic!("a bug"),
        ..spool::Options::default()
    };
    let opened = Spool::open(&dir.path().join("spool"), options, [7; 16]).unwrap();
    let (handle, thread) = start(opened.spool, Kept::default(), dir.path().join("kept.json")).unwrap();
    assert!(!handle.has_ended());
    // Until something has to be given up.
    while handle.keep(vec![1; 3_000], Vec::new()).await.is_ok() {}
    assert!(thread.join().is_err());
    assert!(handle.has_ended());
}
