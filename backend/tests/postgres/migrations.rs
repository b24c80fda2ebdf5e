//! A database of an earlier version comes up to date with what is in it.

use refinery::Target;

use crate::support::{Database, batch, sender};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// What 0.1.0 was before the collector counted what it stored.
const EARLIER: i32 = 3;

#[tokio::test]
async fn an_earlier_database_is_counted_and_goes_on() {
    let Some(db) = Database::empty("an_earlier_database_is_counted_and_goes_on").await else {
        return;
    };
    let mut sql = db.sql().await;
    embedded::migrations::runner()
        .set_target(Target::Version(EARLIER))
        .run_async(&mut sql)
        .await
        .unwrap();
    let sender = sender();
    let (agent, epoch) = (sender.agent_id, sender.epoch);
    sql.batch_execute(&format!(
        "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                            memory_bytes, product, board, bios, boot_id, agent_version)
         VALUES ('{agent}', 'old', '', '', '6.1', '', '', '', 1, 1, '', '', '', '', '1');
         INSERT INTO senders (agent_id, epoch, stored_seq) VALUES ('{agent}', '{epoch}', 5);
         INSERT INTO losses (agent_id, epoch, seq, gap, reason, events, received_at)
         VALUES ('{agent}', '{epoch}', 4, true, 'SPOOL_FULL', 2, now());
         INSERT INTO records (id, received_at, agent_id, epoch, seq, class, severity, housekeeping, title,
                              kernel_release, issue, fingerprints, record)
         SELECT gen_random_uuid(), now(), '{agent}', '{epoch}', seq, 'kernel.oops', 3, false, 'an oops', '6.1',
                '{agent}', ARRAY['{agent}'::uuid], '' FROM generate_series(1, 3) AS seq;
         INSERT INTO fingerprints VALUES ('{agent}', '{agent}', 1, 1, '{agent}', 'kernel.oops', 'an oops', 3, now(), now(), 3);
         INSERT INTO rollups VALUES ('{agent}', date_trunc('hour', now()), 'kernel.oops', '6.1', 3, 3)"
    ))
    .await
    .unwrap();

    db.store.migrate().await.unwrap();
    assert_eq!(db.count("SELECT stored FROM books").await, 3);
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups_daily").await,
        3
    );
    assert_eq!(db.count("SELECT occurrences FROM issues").await, 3);
    db.assert_balanced().await;
    db.store.deliver(&sender, batch(6, 4)).await.unwrap();
    assert_eq!(db.count("SELECT stored FROM books").await, 7);
    db.assert_balanced().await;
}
