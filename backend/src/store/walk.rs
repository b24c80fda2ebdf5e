//! A walk through records, from the newest on, along an index.
//!
//! What asks for few of many records would walk through all of them. So a walk looks at [`LOOK`] records at most, says where it
//! stopped, and goes on from there when it is asked to: every page takes a bounded time, whatever it is asked for.

use tokio_postgres::{IsolationLevel, Row};
use uuid::Uuid;

use proto::v1::FaultFilter;

use super::{
    Store, StoreError,
    filter::{Asked, Parameters},
    id,
    list::FAULT,
};

/// Records that a walk looks at. Where none matches, a page of ten million records takes some 15 ms, when they are in memory.
const LOOK: u32 = 20_000;
const NEWEST: &str = "ORDER BY r.received_at DESC, r.id DESC";
/// The column behind [`FAULT`] of a page: how many ways it came.
const WAYS: &str = "ways";
/// What [`FAULT`] needs of records.
const COLUMNS: &str = "r.id, r.agent_id, r.epoch, r.seq, r.received_at, r.record, r.issue";
/// Each has an index of its own.
const FAULTS: &str = "r.housekeeping = false";
const HOUSEKEEPING: &str = "r.housekeeping = true";
/// The first page shows the latest of them, between which many others may come.
const ENDS_OF_BOOTS: &str = "r.class = 'boot.end'";

/// What a walk came by.
pub(super) struct Walked {
    /// Rows of [`FAULT`].
    pub(super) rows: Vec<Row>,
    /// It found less than it was to, and has not looked behind the record with this id.
    pub(super) stopped: Option<Uuid>,
}

impl Store {
    /// Up to `limit` records that match, newest first, behind the one with the id `after`.
    pub(super) async fn walk(
        &self,
        filter: &FaultFilter,
        limit: u32,
        after: Option<Uuid>,
    ) -> Result<Walked, StoreError> {
        let asked = Asked::new(filter)?;
        let mut parameters = Parameters::default();
        let ways = Way::all(&asked, after, &mut parameters)?;
        let of_ways = parameters.len();
        let walk = Walk::new(ways, &asked, &mut parameters)?;
        let page = walk.page(&parameters.bind(i64::from(limit)));
        let parameters = parameters.values();
        let mut client = self.client().await?;
        // Both queries see the same records: otherwise what comes between them could be passed over.
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let page = transaction.prepare_cached(&page).await?;
        let mut rows = transaction.query(&page, &parameters).await?;
        let mut stopped = None;
        let is_one_way = rows.first().is_some_and(|row| row.get::<_, i64>(WAYS) == 1);
        let is_complete = is_one_way && rows.len() >= limit as usize;
        if !(walk.matching.is_empty() || is_complete) {
            let end = transaction.prepare_cached(&walk.end()).await?;
            stopped = transaction
                .query_opt(&end, &parameters[..of_ways])
                .await?
                .map(|row| row.get::<_, Uuid>(0));
        }
        if let Some(stopped) = stopped {
            // Of several ways, the others were gone further: what they found there is found again.
            rows.retain(|row| row.get::<_, Uuid>(0) >= stopped);
        }
        transaction.commit().await?;
        if rows.len() >= limit as usize {
            stopped = None;
        }
        Ok(Walked { rows, stopped })
    }
}

/// Where a walk goes, and what it looks for.
struct Walk {
    ways: Vec<Way>,
    /// Conditions on `records r` that all must hold; an index does not lead to them.
    matching: Vec<String>,
}

/// Along an index, from the newest on.
struct Way {
    /// A query of what it is gone for each of, as `w`.
    each: Option<String>,
    /// Conditions on `records r` that the index leads to.
    along: Vec<String>,
}

impl Walk {
    fn new(ways: Vec<Way>, asked: &Asked<'_>, parameters: &mut Parameters) -> Result<Self, StoreError> {
        let mut matching = asked.matching(parameters)?;
        if !asked.include_housekeeping() && !ways.iter().all(Way::is_of_kind) {
            matching.push(FAULTS.to_owned());
        }
        Ok(Self { ways, matching })
    }

    /// The query of a page of up to `limit` rows.
    fn page(&self, limit: &str) -> String {
        let of_way = |way: &Way| {
            let found = match self.matching.join(" AND ") {
                none if none.is_empty() => format!("{} LIMIT {limit}", way.sql(COLUMNS)),
                matching => format!(
                    "SELECT r.* FROM ({} LIMIT {LOOK}) r WHERE {matching} {NEWEST} LIMIT {limit}",
                    way.sql("r.*")
                ),
            };
            way.of_each(&format!("SELECT {COLUMNS} FROM ({found}) r"))
        };
        let ways: Vec<String> = self.ways.iter().map(of_way).collect();
        format!(
            "SELECT {FAULT}, {} AS {WAYS} FROM (SELECT r.* FROM ({}) r {NEWEST} LIMIT {limit}) r
             LEFT JOIN hosts h ON h.agent_id = r.agent_id {NEWEST}",
            self.count(),
            ways.join(" UNION ALL ")
        )
    }

    /// How many ways there are, as an expression.
    fn count(&self) -> String {
        let counts: Vec<String> = self
            .ways
            .iter()
            .map(|way| match &way.each {
                Some(each) => format!("(SELECT count(*) FROM ({each}) w)"),
                None => "1::bigint".to_owned(),
            })
            .collect();
        counts.join(" + ")
    }

    /// The query of the last record that all ways have looked at, if one of them did not come to its end.
    fn end(&self) -> String {
        let last = LOOK - 1;
        let of_way = |way: &Way| {
            let sql = way.sql("r.id, r.received_at");
            way.of_each(&format!("{sql} OFFSET {last} LIMIT 1"))
        };
        let ways: Vec<String> = self.ways.iter().map(of_way).collect();
        format!(
            "SELECT r.id FROM ({}) r {NEWEST} LIMIT 1",
            ways.join(" UNION ALL ")
        )
    }
}

impl Way {
    /// The ways to what is asked for, behind the record with the id `after`.
    fn all(
        asked: &Asked<'_>,
        after: Option<Uuid>,
        parameters: &mut Parameters,
    ) -> Result<Vec<Self>, StoreError> {
        let mut place = asked.moments(parameters);
        if let Some(id) = after {
            // Invariant: a token holds an id that this store has made, so it has a time.
            let received_at = parameters.bind(id::received_at(id).ok_or(StoreError::InvalidPageToken)?);
            let id = parameters.bind(id);
            // The first condition is for the choice of partitions, the second for the place in the index.
            place.push(format!("r.received_at <= {received_at}"));
            place.push(format!("(r.received_at, r.id) < ({received_at}, {id})"));
        }
        let way = |each, first: &str| Self {
            each,
            along: [&[first.to_owned()], &place[..]].concat(),
        };
        Ok(if let Some(agents) = asked.agents(parameters)? {
            vec![way(Some(agents), "r.agent_id = w.agent_id")]
        } else if let Some(issues) = asked.issues(parameters)? {
            vec![way(Some(issues), "r.issue = w.issue")]
        } else if let Some(event) = asked.event(parameters) {
            vec![way(None, &event)]
        } else if asked.is_of_class("boot.end") {
            vec![way(None, ENDS_OF_BOOTS)]
        } else if asked.include_housekeeping() {
            vec![way(None, FAULTS), way(None, HOUSEKEEPING)]
        } else {
            vec![way(None, FAULTS)]
        })
    }

    /// Whether it leads to faults only, or to housekeeping only.
    fn is_of_kind(&self) -> bool {
        self.along
            .iter()
            .any(|condition| condition == FAULTS || condition == HOUSEKEEPING)
    }

    fn sql(&self, columns: &str) -> String {
        let along = self.along.join(" AND ");
        format!("SELECT {columns} FROM records r WHERE {along} {NEWEST}")
    }

    fn of_each(&self, records: &str) -> String {
        match &self.each {
            Some(each) => format!("(SELECT r.* FROM ({each}) w CROSS JOIN LATERAL ({records}) r)"),
            None => format!("({records})"),
        }
    }
}
