//! What becomes of an issue of older rules once its records are moved: it is merged into its successor, the issue that most of them
//! make, which takes over its history and what people decided.

use deadpool_postgres::Transaction;
use serde_json::json;
use uuid::Uuid;

use super::{
    super::{Store, StoreError, alerts, issues},
    FAMILY,
    read::by_title,
};
use crate::record::rules::Rules;

/// Longest title in a note, bytes: notes have 1024 characters.
const TITLE_BYTES: usize = 256;

impl Store {
    /// Has an issue of older rules, and what was split from it, be succeeded.
    ///
    /// What was counted of records that have expired goes to the successor, too. It stays where it is while agents with older rules send
    /// more: that is counted together, because the one is merged into the other.
    pub(super) async fn succeed(&self, issue: Uuid, rules: &dyn Rules) -> Result<(), StoreError> {
        let version = i64::from(rules.version());
        let mut client = self.client().await?;
        let mut transaction = client.transaction().await?;
        if !orphans(&transaction, issue, rules).await? {
            return Ok(());
        }
        let chosen = choose(&transaction, issue, version).await?;
        let savepoint = transaction.savepoint("leftovers").await?;
        if fold(&savepoint, issue, version).await? {
            savepoint.commit().await?;
        } else {
            savepoint.rollback().await?;
        }
        // As those who count: after hosts' rows, which they lock before those that all hosts share.
        let lock = format!(
            "SELECT FROM triage WHERE issue = ANY ({FAMILY})
                OR issue IN (SELECT becomes FROM regrouped WHERE version = $2 AND was = ANY ({FAMILY}))
             ORDER BY issue FOR UPDATE"
        );
        transaction.query(&lock, &[&issue, &version]).await?;
        for (was, becomes) in chosen {
            adopt(&transaction, was, becomes, version).await?;
        }
        recount(&transaction, issue, version).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Gives those of which no record is left the successor that their title makes. False: there are records that are not counted yet, and
/// it is too early to say.
async fn orphans(transaction: &Transaction<'_>, issue: Uuid, rules: &dyn Rules) -> Result<bool, StoreError> {
    let version = i64::from(rules.version());
    let orphans = format!(
        "SELECT t.issue, t.class, t.title, EXISTS (SELECT FROM records r WHERE r.issue = t.issue) FROM triage t
         WHERE t.issue = ANY ({FAMILY})
           AND NOT EXISTS (SELECT FROM regrouped r WHERE r.version = $2 AND r.was = t.issue)
         ORDER BY t.issue"
    );
    for row in transaction.query(&orphans, &[&issue, &version]).await? {
        if row.get(3) {
            return Ok(false);
        }
        let was: Uuid = row.get(0);
        let Some(becomes) = by_title(row.get(1), row.get(2), rules).filter(|becomes| *becomes != was) else {
            continue;
        };
        let known = "INSERT INTO triage (issue) VALUES ($1) ON CONFLICT DO NOTHING";
        transaction.execute(known, &[&becomes]).await?;
        let becomes_so = "INSERT INTO regrouped (version, was, becomes, records) VALUES ($1, $2, $3, 0)";
        transaction
            .execute(becomes_so, &[&version, &was, &becomes])
            .await?;
    }
    Ok(true)
}

/// Chooses the successors of those that have none yet.
async fn choose(
    transaction: &Transaction<'_>,
    issue: Uuid,
    version: i64,
) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let choose = format!(
        "UPDATE regrouped r SET successor = true
         FROM (
             SELECT DISTINCT ON (was) was, becomes FROM regrouped
             WHERE version = $2 AND was = ANY ({FAMILY}) ORDER BY was, records DESC, becomes
         ) most
         WHERE r.version = $2 AND r.was = most.was AND r.becomes = most.becomes
           AND NOT EXISTS (SELECT FROM regrouped s WHERE s.version = $2 AND s.was = r.was AND s.successor)
         RETURNING r.was, r.becomes"
    );
    let rows = transaction.query(&choose, &[&issue, &version]).await?;
    let mut chosen: Vec<(Uuid, Uuid)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// Gives the successors what is counted and no longer there as records. False: records have come meanwhile, and it must be undone.
async fn fold(transaction: &Transaction<'_>, issue: Uuid, version: i64) -> Result<bool, StoreError> {
    let successors = format!(
        "successor AS (SELECT was, becomes FROM regrouped WHERE version = $2 AND successor AND was = ANY ({FAMILY}))"
    );
    // Of a split issue the host's row has the records of its parts as well: those of a part go along with it unless they have a
    // successor of their own.
    let fingerprints = format!(
        "WITH {successors}, gone AS (
             DELETE FROM fingerprints WHERE fingerprint = ANY ({FAMILY}) OR issue = ANY ({FAMILY}) RETURNING *
         )
         INSERT INTO fingerprints AS f (agent_id, fingerprint, level, version, issue, class, title, severity, first_seen,
                                        last_seen, occurrences)
         SELECT g.agent_id, s.becomes, min(g.level), $2, s.becomes, (array_agg(g.class ORDER BY g.last_seen DESC))[1],
                (array_agg(g.title ORDER BY g.last_seen DESC))[1], max(g.severity), min(g.first_seen), max(g.last_seen),
                sum(g.occurrences)
         FROM gone g JOIN successor s ON s.was = g.fingerprint
         WHERE (g.fingerprint = $1 OR s.becomes <> (SELECT becomes FROM successor WHERE was = $1))
           AND (g.occurrences > 0 OR EXISTS (SELECT FROM fingerprints n
                                             WHERE n.agent_id = g.agent_id AND n.fingerprint = s.becomes))
         GROUP BY g.agent_id, s.becomes ORDER BY g.agent_id, s.becomes
         ON CONFLICT (agent_id, fingerprint) DO UPDATE
         SET severity = greatest(f.severity, excluded.severity), first_seen = least(f.first_seen, excluded.first_seen),
             occurrences = f.occurrences + excluded.occurrences"
    );
    transaction.execute(&fingerprints, &[&issue, &version]).await?;
    let sightings = format!(
        "WITH {successors}, gone AS (DELETE FROM sightings WHERE issue = ANY ({FAMILY}) RETURNING *)
         INSERT INTO sightings AS s (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
         SELECT g.agent_id, g.day, n.becomes, g.os_build, g.kernel_release, g.product, min(g.first_at), sum(g.records)
         FROM gone g JOIN successor n ON n.was = g.issue WHERE g.records > 0
         GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
         ON CONFLICT (agent_id, day, issue, os_build, kernel_release, product)
         DO UPDATE SET first_at = least(s.first_at, excluded.first_at), records = s.records + excluded.records"
    );
    transaction.execute(&sightings, &[&issue, &version]).await?;
    let gone =
        format!("UPDATE triage SET occurrences = 0, hosts = 0, regroup = false WHERE issue = ANY ({FAMILY})");
    transaction.execute(&gone, &[&issue]).await?;
    // Last: what was counted before the first statement is seen by this one.
    let left = format!("SELECT EXISTS (SELECT FROM records WHERE issue = ANY ({FAMILY}))");
    Ok(!transaction.query_one(&left, &[&issue]).await?.get::<_, bool>(0))
}

/// Has a successor take over from an issue. Where both have been decided about, what was decided about the successor stays; the
/// history has both.
async fn adopt(
    transaction: &Transaction<'_>,
    was: Uuid,
    becomes: Uuid,
    version: i64,
) -> Result<(), StoreError> {
    transaction.execute(SHARE_USUAL, &[&was, &version]).await?;
    transaction.execute(ADOPT, &[&was, &becomes]).await?;
    transaction.execute(POINT, &[&was, &becomes]).await?;
    alerts::follow(transaction, was, becomes).await?;
    let history = "UPDATE triage_history SET issue = $2 WHERE issue = $1";
    transaction.execute(history, &[&was, &becomes]).await?;
    let title: String = transaction
        .query_one("SELECT title FROM triage WHERE issue = $1", &[&was])
        .await?
        .get(0);
    let title = &title[..title.floor_char_boundary(TITLE_BYTES)];
    let parts = "SELECT becomes FROM regrouped WHERE version = $1 AND was = $2 ORDER BY becomes";
    for part in transaction.query(parts, &[&version, &was]).await? {
        let part: Uuid = part.get(0);
        let (old, new) = (was.simple(), becomes.simple());
        let note = if part == becomes {
            format!("Grouped by rules {version} from now on; before, it was issue {old}: {title}")
        } else {
            format!(
                "By rules {version} part of issue {old} is an issue of its own: {title}. What was decided about that is with {new}"
            )
        };
        transaction
            .execute(
                "INSERT INTO triage_history (issue, who, change) VALUES ($1, 'collector', $2)",
                &[&part, &json!({ "note": note })],
            )
            .await?;
    }
    Ok(())
}

/// Counts anew what records were moved to, and what is left.
async fn recount(transaction: &Transaction<'_>, issue: Uuid, version: i64) -> Result<(), StoreError> {
    let coarse = format!(
        "SELECT DISTINCT coalesce(t.split_from, t.issue) FROM regrouped r JOIN triage t ON t.issue = r.becomes
         WHERE r.version = $2 AND r.was = ANY ({FAMILY}) ORDER BY 1"
    );
    for row in transaction.query(&coarse, &[&issue, &version]).await? {
        let coarse: Uuid = row.get(0);
        transaction.execute(DESCRIBE, &[&coarse]).await?;
        issues::recount(transaction, coarse).await?;
    }
    issues::recount(transaction, issue).await
}

/// Each part of $1 has its share of what is usual: none would be said to escalate because it has no past.
const SHARE_USUAL: &str = "
    UPDATE triage n
    SET hour = greatest(n.hour, o.hour),
        usual_per_hour = usual_decay(n.hour, greatest(n.hour, o.hour)) * n.usual_per_hour
                         + usual_decay(o.hour, greatest(n.hour, o.hour)) * o.usual_per_hour * p.share,
        hour_occurrences = CASE WHEN n.hour >= o.hour THEN n.hour_occurrences ELSE 0 END
                           + CASE WHEN o.hour >= n.hour THEN round(o.hour_occurrences * p.share)::bigint ELSE 0 END
    FROM triage o, (
        SELECT becomes, coalesce(records / nullif(sum(records) OVER (), 0), 1)::float8 AS share
        FROM regrouped WHERE version = $2 AND was = $1
    ) p
    WHERE o.issue = $1 AND n.issue = p.becomes";

/// $2 takes over what people decided about $1.
const ADOPT: &str = "
    UPDATE triage n
    SET state = CASE WHEN n.state = 'new' THEN o.state ELSE n.state END,
        resolved_in = CASE WHEN n.state = 'new' THEN o.resolved_in ELSE n.resolved_in END,
        resolved_in_build = CASE WHEN n.state = 'new' THEN o.resolved_in_build ELSE n.resolved_in_build END,
        ignore_until = CASE WHEN n.state = 'new' THEN o.ignore_until ELSE n.ignore_until END,
        ignore_occurrences = CASE WHEN n.state = 'new' THEN o.ignore_occurrences ELSE n.ignore_occurrences END,
        ignore_hosts = CASE WHEN n.state = 'new' THEN o.ignore_hosts ELSE n.ignore_hosts END,
        owner = coalesce(nullif(n.owner, ''), o.owner), known_fix = coalesce(nullif(n.known_fix, ''), o.known_fix),
        fixed_in = coalesce(nullif(n.fixed_in, ''), o.fixed_in), fix_url = coalesce(nullif(n.fix_url, ''), o.fix_url),
        changed_at = greatest(n.changed_at, o.changed_at),
        merged_into = CASE
            WHEN n.merged_into = o.issue THEN nullif(o.merged_into, n.issue)
            WHEN n.merged_into IS NULL AND NOT EXISTS (SELECT FROM triage m WHERE m.merged_into = n.issue)
                THEN nullif(o.merged_into, n.issue)
            ELSE n.merged_into END
    FROM triage o WHERE o.issue = $1 AND n.issue = $2";

/// $1, and what is merged into it, counts for $2 or for what that is merged into.
const POINT: &str = "
    UPDATE triage t
    SET merged_into = coalesce(n.merged_into, n.issue), usual_per_hour = CASE WHEN t.issue = $1 THEN 0 ELSE t.usual_per_hour END,
        hour_occurrences = CASE WHEN t.issue = $1 THEN 0 ELSE t.hour_occurrences END
    FROM triage n
    WHERE n.issue = $2 AND (t.issue = $1 OR t.merged_into = $1) AND t.issue <> coalesce(n.merged_into, n.issue)";

/// $1 is called what its latest record is.
const DESCRIBE: &str = "
    UPDATE triage t
    SET class = f.class, title = f.title, severity = f.severity, first_seen = f.first_seen, last_seen = f.last_seen
    FROM (
        SELECT (array_agg(class ORDER BY last_seen DESC))[1] AS class, (array_agg(title ORDER BY last_seen DESC))[1] AS title,
               max(severity) AS severity, min(first_seen) AS first_seen, max(last_seen) AS last_seen
        FROM fingerprints WHERE fingerprint = $1 HAVING count(*) > 0
    ) f
    WHERE t.issue = $1";
