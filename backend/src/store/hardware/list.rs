//! Parts of machines as they are shown.

use bytes::Bytes;
use proto::v1::{ListPartsResponse, Part, PartFilter, PartHour, PartSign};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::DAYS_BACK;
use crate::record::{check::text, part::PartKind};
use crate::store::{
    Finding, Found, Store, StoreError,
    alerts::FINDINGS,
    count,
    filter::Parameters,
    list::{last_of_page, size_of_page},
    time::Micros,
    token,
};

/// The name of this list in page tokens.
const LIST: &str = "parts";

/// The columns that [`part`] reads, of `v_hardware v`.
const PART: &str = "v.id, v.agent_id, v.hostname, v.kind, v.part, v.model, v.score, v.evidence, v.corrected, v.uncorrected, \
                    v.fatal, v.most_a_day, v.error_days, v.first_seen, v.last_seen, v.scored_at, v.manufacturer, \
                    v.part_number, v.technology, v.size_bytes, v.product, v.cpu_model, v.microcode";

impl Store {
    /// Parts that match, the worst first, without their hours. `page_size` 0 means 50.
    pub async fn list_parts(
        &self,
        filter: &PartFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<ListPartsResponse, StoreError> {
        let size = size_of_page(page_size)?;
        let after = token::decode(LIST, page_token, filter)?;
        let mut parameters = Parameters::default();
        let mut conditions = conditions(filter, &mut parameters)?;
        if let Some(key) = after {
            let (score, id) = place(&key).ok_or(StoreError::InvalidPageToken)?;
            let (score, id) = (parameters.bind(score), parameters.bind(id));
            conditions.push(format!("(p.score, p.id) < ({score}, {id})"));
        }
        // What the view joins is looked up for the parts of the page only.
        let sql = format!(
            "SELECT {PART} FROM (
                 SELECT p.agent_id, p.kind, p.part FROM parts p WHERE {} ORDER BY p.score DESC, p.id DESC LIMIT {}
             ) p JOIN v_hardware v USING (agent_id, kind, part) ORDER BY v.score DESC, v.id DESC",
            conditions.join(" AND "),
            parameters.bind(i64::from(size) + 1)
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let key = |row: &Row| {
            let (id, score): (Uuid, f64) = (row.get(0), row.get(6));
            [&score.to_be_bytes()[..], id.as_bytes()].concat()
        };
        let last = last_of_page(&rows, size);
        Ok(ListPartsResponse {
            parts: rows.iter().take(size as usize).map(part).collect(),
            next_page_token: last.map_or_else(String::new, |row| token::encode(LIST, &key(row), filter)),
        })
    }

    /// One part with the hours of the last 30 days in which it had errors.
    pub async fn get_part(&self, id: Uuid) -> Result<Option<Part>, StoreError> {
        let client = self.client().await?;
        let get = client
            .prepare_cached(&format!(
                "SELECT {PART} FROM v_hardware v WHERE v.id = $1 LIMIT 1"
            ))
            .await?;
        let Some(row) = client.query_opt(&get, &[&id]).await? else {
            return Ok(None);
        };
        let hours = client
            .prepare_cached(
                "SELECT hour, corrected, uncorrected, fatal, spots FROM part_hours
                 WHERE agent_id = $1 AND kind = $2 AND part = $3 AND hour >= now() - make_interval(days => $4) ORDER BY hour",
            )
            .await?;
        let (agent_id, kind, name): (Uuid, &str, &str) = (row.get(1), row.get(3), row.get(4));
        let rows = client
            .query(&hours, &[&agent_id, &kind, &name, &DAYS_BACK])
            .await?;
        let hour = |row: &Row| PartHour {
            hour_unix_ns: row.get::<_, Micros>(0).unix_ns(),
            corrected: count(row.get(1)),
            uncorrected: count(row.get(2)),
            fatal: count(row.get(3)),
            spots: row.get(4),
        };
        Ok(Some(Part {
            hours: rows.iter().map(hour).collect(),
            ..part(&row)
        }))
    }

    /// Parts whose score is at least so high, and with `uncorrected` those with errors that were not put right.
    pub(crate) async fn bad_parts(
        &self,
        kind: Option<PartKind>,
        min_score: f64,
        uncorrected: bool,
        open: &[String],
    ) -> Result<Found, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                &format!(
                    "SELECT {PART}, count(*) OVER () FROM v_hardware v
                     WHERE (v.score >= $1 OR $2 AND v.uncorrected + v.fatal > 0) AND ($3 = '' OR v.kind = $3)
                     ORDER BY v.id::text = ANY ($5) DESC, v.score DESC, v.id DESC LIMIT $4"
                ),
                &[
                    &min_score,
                    &uncorrected,
                    &kind.map_or("", PartKind::name),
                    &i64::from(FINDINGS),
                    &open,
                ],
            )
            .await?;
        Ok(Found::of(&rows, |row| finding(&part(row))))
    }
}

fn finding(part: &Part) -> Finding {
    let signs: Vec<&str> = part.evidence.iter().map(|sign| sign.says.as_str()).collect();
    Finding {
        summary: format!(
            "{} {} of {} has the score {:.0}: {}",
            PartKind::of_name(&part.kind).map_or("part", PartKind::noun),
            part.part,
            part.hostname,
            part.score,
            signs.join("; ")
        ),
        severity: if part.uncorrected + part.fatal > 0 { 4 } else { 3 },
        path: format!("/hardware/{}", part.id),
        object: part.id.clone(),
    }
}

/// Checks a filter and turns it into conditions on `parts p`.
fn conditions(filter: &PartFilter, parameters: &mut Parameters) -> Result<Vec<String>, StoreError> {
    if !(0.0..=100.0).contains(&filter.min_score) {
        return Err(StoreError::InvalidFilter(
            "min_score is a number from 0 to 100".to_owned(),
        ));
    }
    let mut conditions = vec![format!("p.score >= {}", parameters.bind(filter.min_score))];
    if !filter.kind.is_empty() {
        let kind = PartKind::of_name(&filter.kind)
            .ok_or_else(|| StoreError::InvalidFilter("kind is dimm, cpu, pcie, cxl or disk".to_owned()))?;
        conditions.push(format!("p.kind = {}", parameters.bind(kind.name())));
    }
    if !filter.host.is_empty() {
        text("host", &filter.host, 256).map_err(StoreError::InvalidFilter)?;
        let name = parameters.bind(crate::store::clean(&filter.host).into_owned());
        let agent = parameters.bind(Uuid::try_parse(&filter.host).ok());
        conditions.push(format!(
            "p.agent_id IN (SELECT agent_id FROM hosts WHERE hostname = {name} OR agent_id = {agent})"
        ));
    }
    Ok(conditions)
}

/// The place in the list that a page token's key names.
fn place(key: &[u8]) -> Option<(f64, Uuid)> {
    let (score, id) = key.split_first_chunk()?;
    Some((f64::from_be_bytes(*score), Uuid::from_slice(id).ok()?))
}

/// A row of [`PART`].
fn part(row: &Row) -> Part {
    let at = |column: usize| row.get::<_, Micros>(column).unix_ns();
    let evidence: Value = row.get(7);
    let sign = |sign: &Value| {
        let text = |field: &str| sign[field].as_str().unwrap_or_default().to_owned();
        PartSign {
            sign: text("sign"),
            weight: sign["weight"].as_f64().unwrap_or_default(),
            says: text("says"),
        }
    };
    Part {
        id: row.get::<_, Uuid>(0).to_string(),
        agent_id: Bytes::copy_from_slice(row.get::<_, Uuid>(1).as_bytes()),
        hostname: row.get(2),
        kind: row.get(3),
        part: row.get(4),
        model: row.get(5),
        score: row.get(6),
        evidence: evidence.as_array().into_iter().flatten().map(sign).collect(),
        corrected: count(row.get(8)),
        uncorrected: count(row.get(9)),
        fatal: count(row.get(10)),
        most_a_day: count(row.get(11)),
        error_days: u32::try_from(row.get::<_, i32>(12)).unwrap_or(0),
        first_seen_unix_ns: at(13),
        last_seen_unix_ns: at(14),
        scored_unix_ns: at(15),
        manufacturer: row.get(16),
        part_number: row.get(17),
        technology: row.get(18),
        size_bytes: count(row.get(19)),
        product: row.get(20),
        cpu_model: row.get(21),
        microcode: row.get(22),
        hours: Vec::new(),
    }
}
