//! The limits of ignoring an issue: they are ahead when they are set, and noted when they are reached.

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{
    super::{Store, StoreError},
    IssueChange,
};

/// Whoever looks at an issue past a limit sees it ongoing at once; this has it be so, unless somebody has decided meanwhile.
const END: &str = "
    WITH past AS (
        SELECT t.issue, t.changed_at, 'no longer ignored: it was until ' || CASE
                   WHEN t.ignore_until <= now() THEN to_char(t.ignore_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
                   WHEN t.ignore_occurrences <= i.occurrences THEN 'there were ' || t.ignore_occurrences || ' records'
                   ELSE t.ignore_hosts || ' hosts had it' END AS note
        FROM triage t JOIN v_issues i ON i.issue = t.issue
        WHERE t.state = 'ignored' AND i.state <> 'ignored'
    ), ended AS (
        UPDATE triage t
        SET state = 'ongoing', ignore_until = NULL, ignore_occurrences = NULL, ignore_hosts = NULL, changed_at = now()
        FROM past p WHERE t.issue = p.issue AND t.state = 'ignored' AND t.changed_at = p.changed_at
        RETURNING t.issue, p.note
    )
    INSERT INTO triage_history (issue, who, change)
    SELECT issue, 'collector', jsonb_build_object('state', 'ongoing', 'note', note) FROM ended";

impl Store {
    /// Ends the ignoring of issues that are past a limit, and notes that in their history.
    pub async fn end_ignoring(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute(END, &[]).await?;
        Ok(())
    }
}

/// Refuses to ignore an issue until what it has already.
pub(super) async fn check(
    transaction: &Transaction<'_>,
    issue: Uuid,
    change: &IssueChange,
) -> Result<(), StoreError> {
    if change.ignore_occurrences.is_none() && change.ignore_hosts.is_none() {
        return Ok(());
    }
    let counts = "SELECT occurrences, hosts FROM v_issues WHERE issue = $1";
    let Some(row) = transaction.query_opt(counts, &[&issue]).await? else {
        return Ok(());
    };
    let limits = [
        (
            "ignore_occurrences",
            change.ignore_occurrences,
            row.get(0),
            "records",
        ),
        ("ignore_hosts", change.ignore_hosts, row.get(1), "hosts"),
    ];
    for (name, limit, has, what) in limits {
        let has: i64 = has;
        if limit.is_some_and(|limit| i64::from(limit) <= has) {
            let reached = format!("{name}: it has {has} {what} already, name a larger number");
            return Err(StoreError::InvalidChange(reached));
        }
    }
    Ok(())
}
