//! From which kernel and build on an issue is resolved.

use deadpool_postgres::Client;
use uuid::Uuid;

use super::affected::MEMBERS;
use super::{IssueChange, State};
use crate::store::StoreError;

/// Refuses a kernel or build that goes with no state, or is none.
pub(super) fn check(change: &IssueChange) -> Result<(), StoreError> {
    let wrong = |what: String| Err(StoreError::InvalidChange(what));
    for (name, value) in [
        ("resolved_in", &change.resolved_in),
        ("resolved_in_build", &change.resolved_in_build),
    ] {
        let Some(value) = value else { continue };
        if change.state != Some(State::Resolved) {
            return wrong(format!("{name} goes with the state resolved"));
        }
        if value.trim() != value {
            return wrong(format!("{name}: without spaces around it; empty, it is any"));
        }
    }
    Ok(())
}

/// What to know of the kernel and build that an issue is resolved in: that it was seen last in what is neither earlier nor later.
/// Empty: nothing.
pub(super) async fn note(
    client: &Client,
    issue: Uuid,
    resolved_in: &str,
    resolved_in_build: &str,
) -> Result<String, StoreError> {
    if resolved_in.is_empty() && resolved_in_build.is_empty() {
        return Ok(String::new());
    }
    let unordered = client
        .prepare_cached(&format!(
            "WITH {MEMBERS}, seen AS (
                 SELECT s.kernel_release, s.os_build FROM members m JOIN sightings s ON s.issue = m.issue
                 ORDER BY s.day DESC, s.first_at DESC LIMIT 1
             )
             SELECT what, since, version
             FROM seen, LATERAL (VALUES ('kernel', $2::text, kernel_release), ('build', $3::text, os_build)) AS v(what, since, version)
             WHERE since <> '' AND version <> '' AND version_reached(version, since) IS NULL"
        ))
        .await?;
    let rows = client
        .query(
            &unordered,
            &[&[issue].as_slice(), &resolved_in, &resolved_in_build],
        )
        .await?;
    let words = rows.iter().map(|row| {
        let (what, since, version): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        format!("{what} {version}, in which it was seen last, is neither earlier nor later than {since}")
    });
    Ok(words.collect::<Vec<_>>().join("; "))
}
