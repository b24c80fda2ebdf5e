//! Lists and single records.

use bytes::Bytes;
use prost::Message as _;
use proto::{
    limits,
    v1::{Fault, FaultFilter, Host, ListFaultsResponse, Record, record::Payload},
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    filter::{Asked, Parameters},
    id,
    time::Micros,
    token,
};
use crate::record;

/// What a caller gets who does not say how much.
const DEFAULT_PAGE_SIZE: u32 = 50;
/// The name of this list in page tokens.
const LIST: &str = "faults";

/// The columns that [`fault`] reads, of `records r` and `hosts h`.
pub(super) const FAULT: &str = "r.id, r.agent_id, r.epoch, r.seq, r.received_at, r.record, h.hostname, h.os_id, \
                                h.os_build, h.kernel_release, h.kernel_version, h.arch, h.cpu_model, h.cpus, \
                                h.memory_bytes, h.product, h.board, h.bios, h.boot_id";

impl Store {
    /// Records that match, newest first. `page_size` 0 means 50; kernel report texts are left out.
    ///
    /// A page starts after a record, not at a number: records that arrive meanwhile neither shift nor repeat any.
    pub async fn list_faults(
        &self,
        filter: &FaultFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<ListFaultsResponse, StoreError> {
        let page_size = size_of_page(page_size)?;
        let after = token::decode(LIST, page_token, filter)?
            .map(|key| Uuid::from_slice(&key).map_err(|_other_key| StoreError::InvalidPageToken))
            .transpose()?;
        // One more than asked for tells whether there is another page.
        let rows = self.walk(filter, page_size + 1, after).await?;
        let mut faults: Vec<Fault> = rows.iter().map(fault).collect();
        let mut next_page_token = String::new();
        if faults.len() > page_size as usize {
            faults.truncate(page_size as usize);
            let last: Uuid = rows[faults.len() - 1].get(0);
            next_page_token = token::encode(LIST, last.as_bytes(), filter);
        }
        for fault in &mut faults {
            if let Some(Payload::KernelReport(report)) =
                fault.record.as_mut().and_then(|r| r.payload.as_mut())
            {
                report.text.clear();
            }
        }
        Ok(ListFaultsResponse {
            faults,
            next_page_token,
        })
    }

    /// Up to `limit` records that match, whole, newest first, behind the one with the id `after`; from the newest on where there is
    /// none. Ids that are not of this store are refused.
    pub(crate) async fn older_faults(
        &self,
        filter: &FaultFilter,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Fault>, StoreError> {
        let rows = self.walk(filter, limit, after).await?;
        Ok(rows.iter().map(fault).collect())
    }

    async fn walk(
        &self,
        filter: &FaultFilter,
        limit: u32,
        after: Option<Uuid>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut parameters = Parameters::default();
        let sql = page(filter, limit, after, &mut parameters)?;
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.query(&statement, &parameters.values()).await?)
    }

    /// One record, whole.
    pub async fn get_fault(&self, id: Uuid) -> Result<Option<Fault>, StoreError> {
        let Some(received_at) = id::received_at(id) else {
            return Ok(None);
        };
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                // Each half has an index of its own.
                "SELECT {FAULT} FROM (
                     SELECT * FROM records WHERE NOT housekeeping AND received_at = $1 AND id = $2
                     UNION ALL
                     SELECT * FROM records WHERE housekeeping AND received_at = $1 AND id = $2
                 ) r LEFT JOIN hosts h ON h.agent_id = r.agent_id"
            ))
            .await?;
        let row = client.query_opt(&statement, &[&received_at, &id]).await?;
        Ok(row.as_ref().map(fault))
    }
}

/// How many rows a page has for a caller who asks for `page_size`; zero is what one asks for who does not care.
pub(super) fn size_of_page(page_size: u32) -> Result<u32, StoreError> {
    match page_size {
        0 => Ok(DEFAULT_PAGE_SIZE),
        size if size > limits::PAGE_SIZE => Err(StoreError::InvalidPageSize),
        size => Ok(size),
    }
}

/// The last row of a page of `size` that others follow.
pub(super) fn last_of_page(rows: &[Row], size: u32) -> Option<&Row> {
    let size = size as usize;
    (rows.len() > size).then(|| rows.get(size.wrapping_sub(1)))?
}

/// The query of up to `limit` records, newest first, behind the one with the id `after`.
fn page(
    filter: &FaultFilter,
    limit: u32,
    after: Option<Uuid>,
    parameters: &mut Parameters,
) -> Result<String, StoreError> {
    let asked = Asked::new(filter)?;
    let agents = asked.agents(parameters)?;
    let mut conditions = asked.conditions(parameters)?;
    if let Some(id) = after {
        // Invariant: a token holds an id that this store has made, so it has a time.
        let received_at = parameters.bind(id::received_at(id).ok_or(StoreError::InvalidPageToken)?);
        let id = parameters.bind(id);
        // The first condition is for the choice of partitions, the second for the place in the index.
        conditions.push(format!("r.received_at <= {received_at}"));
        conditions.push(format!("(r.received_at, r.id) < ({received_at}, {id})"));
    }
    let newest = format!(
        "ORDER BY r.received_at DESC, r.id DESC LIMIT {}",
        parameters.bind(i64::from(limit))
    );
    let walk = |first: &[&str]| {
        let all: Vec<&str> = first
            .iter()
            .copied()
            .chain(conditions.iter().map(String::as_str))
            .collect();
        let all = all.join(" AND ");
        format!(
            "(SELECT r.id, r.agent_id, r.epoch, r.seq, r.received_at, r.record FROM records r WHERE {all} {newest})"
        )
    };
    // Each walk goes along an index and ends when the page is full: the index of one agent's records, or one of all:
    // there is one with `housekeeping` and one without.
    let (faults, housekeeping) = ("r.housekeeping = false", "r.housekeeping = true");
    let page = match (agents, asked.include_housekeeping()) {
        (None, false) => walk(&[faults]),
        (None, true) => format!(
            "(SELECT * FROM ({} UNION ALL {}) r {newest})",
            walk(&[faults]),
            walk(&[housekeeping])
        ),
        (Some(agents), include_housekeeping) => {
            let kinds: &[&str] = if include_housekeeping { &[] } else { &[faults] };
            let of_agent = walk(&[&["r.agent_id = a.agent_id"], kinds].concat());
            format!("(SELECT r.* FROM ({agents}) a CROSS JOIN LATERAL {of_agent} r {newest})")
        }
    };
    Ok(format!(
        "SELECT {FAULT} FROM {page} r LEFT JOIN hosts h ON h.agent_id = r.agent_id
         ORDER BY r.received_at DESC, r.id DESC"
    ))
}

/// A row of [`FAULT`] as it goes out.
pub(super) fn fault(row: &Row) -> Fault {
    let (id, agent_id, epoch): (Uuid, Uuid, Uuid) = (row.get(0), row.get(1), row.get(2));
    let (seq, received_at): (i64, Micros) = (row.get(3), row.get(4));
    let encoded: &[u8] = row.get(5);
    // Only good records are stored, but another program may write to the database as well.
    let record = Record::decode(encoded)
        .unwrap_or_else(|error| record::undecodable(&Bytes::copy_from_slice(encoded), &error.to_string()));
    Fault {
        id: id.to_string(),
        agent_id: Bytes::copy_from_slice(agent_id.as_bytes()),
        epoch: Bytes::copy_from_slice(epoch.as_bytes()),
        seq: u64::try_from(seq).unwrap_or(0),
        received_at_unix_ns: received_at.unix_ns(),
        host: host(row),
        record: Some(record),
    }
}

/// The host of a row; None where it is not known.
fn host(row: &Row) -> Option<Host> {
    let text = |column: usize| row.get::<_, Option<String>>(column);
    let number = |column: usize| row.get::<_, Option<i64>>(column).unwrap_or(0);
    Some(Host {
        hostname: text(6)?,
        os_id: text(7)?,
        os_build: text(8)?,
        kernel_release: text(9)?,
        kernel_version: text(10)?,
        arch: text(11)?,
        cpu_model: text(12)?,
        cpus: u32::try_from(number(13)).unwrap_or(0),
        memory_bytes: u64::try_from(number(14)).unwrap_or(0),
        product: text(15)?,
        board: text(16)?,
        bios: text(17)?,
        boot_id: text(18)?,
        // It is what the collector knows the host's netconsole lines by, and no one else's business.
        netconsole_token: String::new(),
        ..Host::default()
    })
}
