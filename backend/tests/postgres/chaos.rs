//! Two collectors before one database, each killed at random under load, and the database too.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backend::store::Sender;
use rustix::process::Signal;
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tonic::transport::Channel;

use crate::support::{Database, PATIENCE, Postgres, Stream, batch, sender};

/// Agents that send at the same time.
const AGENTS: usize = 6;
/// Kills that have to happen while they do.
const KILLS: u32 = 12;
/// Records of a batch at most.
const BATCH: u64 = 40;
/// How long a collector may take to listen again, and an agent to deliver its last records.
const LONG: Duration = PATIENCE.saturating_mul(2);

/// A collector as a process of its own.
struct Collector {
    child: Child,
    url: String,
    addresses: PathBuf,
}

impl Collector {
    fn start(url: &str, dir: &Path, name: &str) -> Self {
        let addresses = dir.join(name);
        let child = spawn(url, &addresses);
        Self {
            child,
            url: url.to_owned(),
            addresses,
        }
    }

    async fn kill(&mut self) {
        self.child.start_kill().expect("a child of ours");
        self.child.wait().await.expect("a child of ours");
        std::fs::remove_file(&self.addresses).ok();
    }

    fn restart(&mut self) {
        self.child = spawn(&self.url, &self.addresses);
    }
}

fn spawn(url: &str, addresses: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_backend"))
        .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--address-file")
        .arg(addresses)
        .env("BACKEND_DATABASE_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_and_database_killed_under_load_lose_and_duplicate_nothing() {
    let test = "collectors_and_database_killed_under_load_lose_and_duplicate_nothing";
    let Some(db) = Database::alone(test).await else {
        return;
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut collectors = ["one", "two"].map(|name| Collector::start(&db.url, dir.path(), name));
    let ended = Arc::new(AtomicBool::new(false));
    let mut agents = JoinSet::new();
    for number in 0..AGENTS {
        let addresses = collectors.each_ref().map(|collector| collector.addresses.clone());
        agents.spawn(agent(addresses, number, seed, Arc::clone(&ended)));
    }
    let kills = wreck(&mut collectors, &db.postgres, fastrand::Rng::with_seed(seed)).await;
    ended.store(true, Ordering::Relaxed);
    let sent: Vec<Sent> = timeout(LONG, agents.join_all())
        .await
        .expect("delivery resumes by itself");
    println!("{kills:?} kills of one, two and PostgreSQL; {sent:?}");
    assert!(
        kills.iter().all(|kills| *kills > 0),
        "{kills:?}: not all were killed"
    );
    assert!(
        sent.iter().map(|sent| sent.broken).sum::<u32>() > 0,
        "the kills disturbed nobody: nothing was tested"
    );
    let records = sent.iter().map(|sent| sent.records).sum::<u64>();
    assert_eq!(
        db.count("SELECT count(*) FROM records").await,
        i64::try_from(records).expect("a number of records")
    );
    db.counted().await;
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups").await,
        i64::try_from(records).expect("a number of records")
    );
    db.assert_balanced().await;
    for mut collector in collectors {
        collector.kill().await;
    }
}

/// Kills one of the three after the other at random moments, each at least once; says how often each.
async fn wreck(collectors: &mut [Collector; 2], postgres: &Postgres, mut random: fastrand::Rng) -> [u32; 3] {
    let mut kills = [0; 3];
    let mut which = 0;
    while kills.iter().sum::<u32>() < KILLS {
        sleep(Duration::from_millis(random.u64(100..900))).await;
        if let Some(collector) = collectors.get_mut(which) {
            // In the middle of its start, too.
            collector.kill().await;
            sleep(Duration::from_millis(random.u64(..300))).await;
            collector.restart();
        } else {
            postgres.kill(random.choice([Signal::KILL, Signal::QUIT]).expect("two"));
        }
        kills[which] += 1;
        which = if kills.contains(&0) {
            (which + 1) % 3
        } else {
            random.usize(..3)
        };
    }
    kills
}

/// What an agent has done.
#[derive(Debug, Default)]
struct Sent {
    records: u64,
    /// Streams that broke.
    broken: u32,
}

/// Sends until `ended` and everything it began to send is stored, to whichever collector answers.
async fn agent(addresses: [PathBuf; 2], number: usize, seed: u64, ended: Arc<AtomicBool>) -> Sent {
    let (sender, mut sent) = (sender(), Sent::default());
    let mut random = fastrand::Rng::with_seed(seed ^ number as u64);
    let until = Instant::now() + LONG * 2;
    while Instant::now() < until {
        let Some(channel) = connect(&addresses[random.usize(..2)]).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        match deliver(channel, &sender, &mut sent.records, &mut random, &ended).await {
            Some(()) => return sent,
            None => sent.broken += 1,
        }
    }
    panic!("agent {number} cannot deliver: {sent:?}");
}

async fn connect(addresses: &Path) -> Option<Channel> {
    let text = std::fs::read(addresses).ok()?;
    let addresses: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let grpc: SocketAddr = addresses["grpc"].as_str()?.parse().ok()?;
    let channel = Channel::from_shared(format!("http://{grpc}")).ok()?;
    channel.connect().await.ok()
}

/// Delivers over one stream. None: it broke.
async fn deliver(
    channel: Channel,
    sender: &Sender,
    records: &mut u64,
    random: &mut fastrand::Rng,
    ended: &AtomicBool,
) -> Option<()> {
    let mut stream = Stream::try_open(channel).await?;
    let stored = stream.hello(sender).await.ok()?;
    assert!(
        stored >= *records,
        "{stored} are stored, {records} were acknowledged"
    );
    *records = stored;
    while !ended.load(Ordering::Relaxed) {
        let count = random.u64(1..=BATCH);
        let stored = stream.batch(batch(*records + 1, count)).await.ok()?;
        assert_eq!(stored, *records + count);
        *records = stored;
        sleep(Duration::from_millis(random.u64(..20))).await;
    }
    Some(())
}
