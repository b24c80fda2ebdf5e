//! Searches that people keep for another time.

use filter::Subject;

use super::{Store, StoreError};

/// Searches of one list that one owner keeps at most.
pub const SAVED_SEARCHES: i64 = 50;
/// Searches that are shown at most: one's own, then those that others share.
const SHOWN: i64 = 100;

/// A search that somebody keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSearch {
    /// Who; empty: somebody who need not sign in.
    pub owner: String,
    /// The list that is searched.
    pub subject: Subject,
    /// What they call it.
    pub name: String,
    /// The parameters of the list, as in its address.
    pub search: String,
    /// Everybody is shown it.
    pub shared: bool,
}

impl Store {
    /// What `owner` keeps of a list and what others share of it, by name.
    pub async fn searches(&self, owner: &str, subject: Subject) -> Result<Vec<SavedSearch>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT owner, name, search, shared FROM saved_searches WHERE subject = $2 AND (owner = $1 OR shared)
                 ORDER BY owner <> $1, name, owner LIMIT $3",
            )
            .await?;
        let rows = client
            .query(&statement, &[&owner, &subject.name(), &SHOWN])
            .await?;
        let searches = rows.iter().map(|row| SavedSearch {
            owner: row.get(0),
            subject,
            name: row.get(1),
            search: row.get(2),
            shared: row.get(3),
        });
        Ok(searches.collect())
    }

    /// Keeps a search, instead of the owner's of that name if there is one. False: the owner has [`SAVED_SEARCHES`] others of the list.
    pub async fn save_search(&self, search: &SavedSearch) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO saved_searches (owner, subject, name, search, shared)
                 SELECT $1, $2, $3, $4, $5
                 WHERE (SELECT count(*) FROM saved_searches WHERE owner = $1 AND subject = $2 AND name <> $3) < $6
                 ON CONFLICT (owner, subject, name) DO UPDATE SET search = excluded.search, shared = excluded.shared",
            )
            .await?;
        let SavedSearch {
            owner,
            subject,
            name,
            search,
            shared,
        } = search;
        let kept = client
            .execute(
                &statement,
                &[owner, &subject.name(), name, search, shared, &SAVED_SEARCHES],
            )
            .await?;
        Ok(kept == 1)
    }

    /// Gives a search up. False: there is none of that name.
    pub async fn delete_search(&self, owner: &str, subject: Subject, name: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("DELETE FROM saved_searches WHERE owner = $1 AND subject = $2 AND name = $3")
            .await?;
        let gone = client
            .execute(&statement, &[&owner, &subject.name(), &name])
            .await?;
        Ok(gone == 1)
    }
}
