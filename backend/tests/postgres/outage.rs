//! PostgreSQL may go away at any moment.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tonic::Code;

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
            let text = std::fs::read_to_string(&pid_file).expect("PostgreSQL runs");
            let pid = text
                .lines()
                .next()
                .and_then(|pid| pid.parse().ok())
                .and_then(Pid::from_raw)
                .expect("a pid");
            kill_process(pid, signal).expect("PostgreSQL runs");
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    });
    let mut agents = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let channel = collector.channel().await;
        agents.spawn(async move {
            let (sender, mut outages) = (sender(), 0);
            let mut stored = 0;
            while stored < RECORDS {
                let mut stream = Stream::open(channel.clone()).await;
                let status = loop {
                    let answer = match stream.hello(&sender).await {
                        Ok(known) => {
                            assert!(known >= stored, "what was acknowledged is stored");
                            stored = known;
                            send(&mut stream, &mut stored).await
                        }
                        Err(status) => Err(status),
                    };
                    match answer {
                        Ok(()) => return outages,
                        Err(status) => break status,
                    }
                };
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                outages += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            outages
        });
    }
    let outages = tokio::time::timeout(PATIENCE * 2, agents.join_all())
        .await
        .expect("delivery resumes by itself");
    killing.await.expect("three kills");
    assert!(
        outages.iter().sum::<u32>() > 0,
        "the kills disturbed nobody: nothing was tested"
    );
    assert_eq!(
        db.count("SELECT count(*) FROM records").await,
        4 * i64::try_from(RECORDS).unwrap()
    );
    db.assert_balanced().await;
    collector.stop().await;
}

/// Sends small batches slowly enough for all kills to come in between.
async fn send(stream: &mut Stream, stored: &mut u64) -> Result<(), tonic::Status> {
    while *stored < RECORDS {
        let count = (RECORDS - *stored).min(10);
        *stored = stream.batch(batch(*stored + 1, count)).await?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}
