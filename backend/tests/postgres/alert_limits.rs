//! Alerts where a rule finds more than is told one by one, and where much is told at once.

use std::time::Duration;

use backend::alerts::{self, Rules};

use crate::{
    alerts::{Running, http_server, mail_server},
    support::{Database, PATIENCE},
};

/// So many hosts that were silent for so long.
const HOSTS: &str = "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                                       memory_bytes, product, board, bios, boot_id, agent_version, last_seen)
                    SELECT gen_random_uuid(), 'web-' || n, '', '', '', '', '', '', 1, 1, '', '', '', '', '', now() - interval '";

async fn silent(db: &Database, hosts: u32, minutes: u32) {
    let sql = format!("{HOSTS}{minutes} minutes' FROM generate_series(1, {hosts}) AS n");
    db.sql().await.batch_execute(&sql).await.unwrap();
}

/// Issues that regressed, and parts that fail: those that come later with more weight.
async fn wrong(db: &Database, each: u32, weight: u32) {
    let sql = format!(
        "INSERT INTO triage (issue, state, class, title, severity, first_seen, last_seen, occurrences, hosts)
         SELECT gen_random_uuid(), 'regressed', 'kernel.oops', 'oops', 3, now() - interval '1 day',
                now() - interval '1 hour' + interval '1 minute' * {weight}, 1, 1
         FROM generate_series(1, {each});
         INSERT INTO parts (agent_id, kind, part, id, model, score, evidence, corrected, uncorrected, fatal, most_a_day, error_days,
                            first_seen, last_seen, scored_at)
         SELECT gen_random_uuid(), 'dimm', 'A1', gen_random_uuid(), '', 80 + {weight}, '[]', 1, 0, 0, 1, 1, now(), now(), now()
         FROM generate_series(1, {each})"
    );
    db.sql().await.batch_execute(&sql).await.unwrap();
}

fn rules(targets: &str, names: &str) -> Rules {
    Rules::parse(&format!(
        "{targets}
         [[rule]]
         name = 'silent'
         when = {{ silence = {{ longer_than = '2h' }} }}
         targets = [{names}]
         [[rule]]
         name = 'back'
         when = {{ regression = {{}} }}
         targets = [{names}]
         [[rule]]
         name = 'part'
         when = {{ bad_part = {{}} }}
         targets = [{names}]"
    ))
    .unwrap()
}

#[tokio::test]
async fn what_is_open_and_still_found_stays_open_whatever_else_there_is() {
    let test = "what_is_open_and_still_found_stays_open_whatever_else_there_is";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let rules = rules("", "");
    let look = async || alerts::look(&db.store, &rules).await.unwrap();
    let count = async |rule: &str, what: &str| {
        let sql = format!("SELECT count(*) FROM alerts WHERE rule = '{rule}' AND {what}");
        db.count(&sql).await
    };
    silent(&db, 450, 180).await;
    wrong(&db, 450, 0).await;
    look().await;
    for rule in rules.names() {
        assert_eq!(count(&rule, "ended_at IS NULL").await, 450, "{rule}");
    }

    // Of what comes now all would come before what is open.
    silent(&db, 200, 150).await;
    wrong(&db, 200, 10).await;
    look().await;
    look().await;
    for rule in rules.names() {
        assert_eq!(count(&rule, "ended_at IS NOT NULL").await, 0, "{rule}");
        assert_eq!(count(&rule, "ended_at IS NULL").await, 501, "{rule}");
        let rest = "object = '(more)' AND summary LIKE 'and 150 more,%'";
        assert_eq!(count(&rule, rest).await, 1, "{rule}");
        let condition = &rules
            .rules()
            .iter()
            .find(|known| known.name == rule)
            .unwrap()
            .when;
        let found = alerts::find(&db.store, condition, &[]).await.unwrap();
        assert_eq!((found.findings.len(), found.more), (500, 150), "{rule}");
    }

    // What is no longer so ends, and makes room.
    let sql = db.sql().await;
    let back = |hosts| {
        format!(
            "UPDATE hosts SET last_seen = now() WHERE agent_id IN (
                 SELECT object::uuid FROM alerts WHERE rule = 'silent' AND ended_at IS NULL AND object <> '(more)' LIMIT {hosts})"
        )
    };
    sql.batch_execute(&back(3)).await.unwrap();
    look().await;
    assert_eq!(count("silent", "ended_at IS NOT NULL").await, 3);
    assert_eq!(count("silent", "ended_at IS NULL").await, 501);
    assert_eq!(count("silent", "summary LIKE 'and 147 more,%'").await, 1);
    sql.batch_execute(&back(400)).await.unwrap();
    look().await;
    assert_eq!(count("silent", "ended_at IS NULL").await, 247);
    assert_eq!(
        count("silent", "object = '(more)' AND ended_at IS NOT NULL").await,
        1
    );
}

#[tokio::test]
async fn much_at_once_is_one_mail_and_one_post_to_alertmanager() {
    let test = "much_at_once_is_one_mail_and_one_post_to_alertmanager";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (alertmanager, posts) = http_server("/api/v2/alerts").await;
    let (webhook, hooks) = http_server("/hook").await;
    let (mail, mails) = mail_server().await;
    let rules = rules(
        &format!(
            "pages = 'https://t.example'
             [[target]]
             name = 'am'
             by = {{ alertmanager = {{ url = 'http://{alertmanager}/' }} }}
             [[target]]
             name = 'hook'
             by = {{ webhook = {{ url = 'http://{webhook}/hook' }} }}
             [[target]]
             name = 'mail'
             [target.by.mail]
             server = 'smtp://{mail}'
             from = 'telemetrics@example.org'
             to = ['ops@example.org']"
        ),
        "'am', 'hook', 'mail'",
    );
    silent(&db, 40, 180).await;
    wrong(&db, 1, 0).await;
    // All is found before anybody is told.
    alerts::look(&db.store, &rules).await.unwrap();
    let running = Running::start(&db, &rules);
    posts.wait_for(1).await;
    mails.wait_for(1).await;
    hooks.wait_for(42).await;
    let waiting = "SELECT count(*) FROM alert_messages WHERE done_at IS NULL";
    for _ in 0..PATIENCE.as_millis() / 50 {
        if db.count(waiting).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(running);
    assert_eq!(db.count(waiting).await, 0);
    assert_eq!((posts.len(), mails.len()), (1, 1));
    assert_eq!(posts.json(0).as_array().unwrap().len(), 42);
    let letter = mails.messages.lock().unwrap()[0].1.clone();
    assert!(letter.contains("Subject: 42 alerts of 3 rules\r\n"), "{letter}");
    assert!(letter.contains("\r\nsilent: 40\r\n- medium: web-"), "{letter}");
}
