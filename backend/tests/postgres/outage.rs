//! PostgreSQL may go away at any moment.

use std::{path::Path, time::Duration};

use backend::store::Sender;
use rustix::process::{Pid, Signal, kill_process};
use tonic::{Code, Status, transport::Channel};

use crate::support::{Collector, Database, PATIENCE, Stream, batch, sender};

/// Records that have to arrive.
const RECORDS: u64 = 3000;

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_killed_under_load_loses_and_duplicates_nothing() {
    let Some(db) = Database::alone("postgresql_killed_under_load_loses_and_duplicates_nothing").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let pid_file = db.postgres.dir.join("postgres/data/postmaster.pid");
    let killing = tokio::spawn(async move {
        for signal in [Signal::QUIT, Signal::KILL, Signal::INT] {
            tokio::time::sleep(Duration::from_millis(400)).await;
            kill(&pid_file, signal).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    });
    let mut agents = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let channel = collector.channel().await;
        agents.spawn(async move {
            let (sender, mut stored, mut outages) = (sender(), 0, 0);
            while let Err(status) = connect_and_send(channel.clone(), &sender, &mut stored).await {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                outages += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            outages
        });
    }
    let outages: Vec<u32> = tokio::time::timeout(PATIENCE * 2, agents.join_all())
        .await
        .expect("delivery resumes by itself");
    killing.await.expect("three kills");
    assert!(
        outages.iter().any(|outages| *outages > 0),
        "the kills disturbed nobody: nothing was tested"
    );
    assert_eq!(
        db.count("SELECT count(*) FROM records").await,
        4 * i64::try_from(RECORDS).unwrap()
    );
    db.assert_balanced().await;
    collector.stop().await;
}

/// Sends the server a signal, as soon as there is one: it may take its time to come back.
async fn kill(pid_file: &Path, signal: Signal) {
    for _ in 0..PATIENCE.as_millis() / 50 {
        let text = std::fs::read_to_string(pid_file).unwrap_or_default();
        let pid = text.lines().next().and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw);
        if pid.is_some_and(|pid| kill_process(pid, signal).is_ok()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("PostgreSQL does not come back");
}

/// Says Hello, then sends small batches slowly enough for all kills to come in between.
async fn connect_and_send(channel: Channel, sender: &Sender, stored: &mut u64) -> Result<(), Status> {
    let mut stream = Stream::open(channel).await;
    let known = stream.hello(sender).await?;
    assert!(known >= *stored, "what was acknowledged is stored");
    *stored = known;
    while *stored < RECORDS {
        let count = (RECORDS - *stored).min(10);
        *stored = stream.batch(batch(*stored + 1, count)).await?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}
