//! Records of ten days: the first ones go the collector's way, the others are copies of them in the database.

use anyhow::{Context as _, Result};
use backend::store::{Sender, Store};
use prost::Message as _;
use proto::v1::{
    Batch, Custom, Fingerprint, FingerprintLevel, Heartbeat, Host, Record, Severity, record::Payload,
};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Hosts, and what each of them tells.
const HOSTS: u64 = 1000;
const RECORDS: u64 = 40;
/// Different faults.
const ISSUES: u64 = 2000;
/// Days that the copies are spread over.
const DAYS: i32 = 10;
/// Copies of everything that are made at once.
const COPIES: i64 = 10;

/// All hosts were watched for a month.
const WATCHED: &str = "
    INSERT INTO exposure
    SELECT agent_id, hour, os_build, kernel_release, product, 3600
    FROM hosts, generate_series(date_trunc('hour', now()) - interval '30 days', now(), interval '1 hour') AS hour;
    INSERT INTO exposure_daily
    SELECT agent_id, date_trunc('day', hour, 'UTC'), os_build, kernel_release, product, sum(seconds)
    FROM exposure GROUP BY 1, 2, 3, 4, 5";
/// They came to have their issues in the last ten days.
const SPREAD: &str = "
    CREATE FUNCTION pg_temp.ago(agent uuid, issue uuid) RETURNS interval IMMUTABLE LANGUAGE sql AS
        $$ SELECT abs(hashtext(agent::text || issue::text) % 10) * interval '24 hours' $$;
    UPDATE sightings SET day = day - pg_temp.ago(agent_id, issue), first_at = first_at - pg_temp.ago(agent_id, issue);
    UPDATE fingerprints SET first_seen = first_seen - pg_temp.ago(agent_id, issue)";

/// What can be asked for.
pub(crate) struct Known {
    pub(crate) host: String,
    pub(crate) agent_id: Uuid,
    pub(crate) issue: String,
}

/// Fills an empty database with about so many records.
pub(crate) async fn fill(store: &Store, url: &str, records: u64) -> Result<Known> {
    let mut last = None;
    for number in 0..HOSTS {
        let host = host(number);
        let sender = Sender::new(Uuid::new_v4(), Uuid::new_v4(), &host.kernel_release);
        store.hello(&sender, &host, "0.1.0").await?;
        let first = number * RECORDS;
        let told = (first..first + RECORDS).map(|number| record(number).encode_to_vec().into());
        let batch = Batch {
            first_seq: 1,
            records: told.collect(),
        };
        store.deliver(&sender, batch).await?;
        last = Some(Known {
            host: host.hostname,
            agent_id: sender.agent_id,
            issue: fingerprint((first + 2) * 7 % ISSUES),
        });
    }
    let (sql, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    sql.batch_execute(&format!("{WATCHED}; {SPREAD}")).await?;
    copy(&sql, i64::try_from(records / (HOSTS * RECORDS))?).await?;
    last.context("no hosts")
}

/// Makes so many copies in all, with times and ids before those of the originals.
async fn copy(sql: &Client, copies: i64) -> Result<()> {
    for day in 1..=DAYS + 1 {
        let partition = format!(
            "SELECT format('CREATE TABLE records_%s PARTITION OF records FOR VALUES FROM (%L) TO (%L)',
                           to_char(day, 'YYYYMMDD'), day, day + interval '1 day')
             FROM date_trunc('day', now() - {day} * interval '1 day', 'UTC') AS day"
        );
        let create: String = sql.query_one(&partition, &[]).await?.get(0);
        sql.batch_execute(&create).await?;
    }
    sql.batch_execute("CREATE TABLE originals AS SELECT * FROM records")
        .await?;
    for first in (1..copies).step_by(usize::try_from(COPIES)?) {
        let last = (first + COPIES - 1).min(copies - 1);
        sql.batch_execute(&format!(
            "INSERT INTO records (id, received_at, agent_id, epoch, seq, occurred_at, class, severity, housekeeping, title,
                                  kernel_release, issue, fingerprints, record)
             SELECT (lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0')
                     || '8' || substr(md5(o.id::text || n), 1, 15))::uuid,
                    at, agent_id, epoch, seq + n * 1000, occurred_at, class, severity, housekeeping, title,
                    kernel_release, issue, fingerprints, record
             FROM originals o, generate_series({first}, {last}) n,
                  LATERAL (SELECT received_at - n * interval '{DAYS} days' / {copies} - seq * interval '1 second' AS at) a,
                  LATERAL (SELECT (extract(epoch FROM at) * 1000000)::bigint AS us) b"
        ))
        .await?;
    }
    sql.batch_execute("DROP TABLE originals").await?;
    // Not within a transaction, which several statements at once are.
    sql.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}

fn host(number: u64) -> Host {
    Host {
        hostname: format!("host-{number:05}"),
        os_id: "debian".to_owned(),
        os_build: (40 + number % 4).to_string(),
        kernel_release: format!("6.12.{}-amd64", number % 5),
        product: format!("X{}", number % 8),
        cpus: 8,
        ..Host::default()
    }
}

fn fingerprint(fault: u64) -> String {
    format!("{:032x}", u128::from(fault) << 64 | 1)
}

fn record(number: u64) -> Record {
    let fault = number * 7 % ISSUES;
    let record = Record {
        occurred_at_unix_ns: 1_750_000_000_000_000_000 + number * 1_000_000,
        class: "custom".to_owned(),
        severity: Severity::Low.into(),
        title: "org.example/hello/world".to_owned(),
        ..Record::default()
    };
    match number % 10 {
        0 => Record {
            class: "telemetry.heartbeat".to_owned(),
            payload: Some(Payload::Heartbeat(Heartbeat::default())),
            ..record
        },
        1 => Record {
            payload: Some(Payload::Custom(Custom {
                classification: "org.example/hello/world".to_owned(),
                payload: "x".repeat(200),
                ..Custom::default()
            })),
            ..record
        },
        _ => Record {
            class: ["kernel.warning", "kernel.oops", "kernel.bug", "kernel.rcu_stall"]
                [usize::try_from(fault % 4).unwrap_or(0)]
            .to_owned(),
            severity: i32::try_from(2 + fault % 3).unwrap_or(2),
            title: format!("WARNING in driver_{fault}_transmit"),
            fingerprints: vec![Fingerprint {
                version: 1,
                level: FingerprintLevel::Title.into(),
                value: fingerprint(fault),
            }],
            payload: Some(Payload::Custom(Custom {
                payload: "x".repeat(300),
                ..Custom::default()
            })),
            ..record
        },
    }
}
