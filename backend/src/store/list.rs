//! Lists and single records.

use bytes::Bytes;
use prost::Message as _;
use proto::{
    limits,
    v1::{Fault, FaultFilter, Host, ListFaultsResponse, Record, record::Payload},
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError, id, time::Micros, token, walk::Walked};
use crate::record;

/// What a caller gets who does not say how much.
const DEFAULT_PAGE_SIZE: u32 = 50;
/// The name of this list in page tokens.
const LIST: &str = "faults";

/// The columns that [`fault`] reads, of `records r` and `hosts h`.
pub(super) const FAULT: &str = "r.id, r.agent_id, r.epoch, r.seq, r.received_at, r.record, h.hostname, h.os_id, \
                                h.os_build, h.kernel_release, h.kernel_version, h.arch, h.cpu_model, h.cpus, \
                                h.memory_bytes, h.product, h.board, h.bios, h.boot_id, \
                                coalesce((SELECT merged_into FROM triage WHERE issue = r.issue), r.issue)";

/// A part of a list, and where to go on.
#[derive(Debug)]
pub(crate) struct Older {
    pub(crate) faults: Vec<Fault>,
    /// Behind the record with this id there may be others that match.
    pub(crate) next: Option<Uuid>,
}

impl Store {
    /// Records that match, newest first. `page_size` 0 means 50; kernel report texts are left out.
    ///
    /// A page starts after a record, not at a number: records that arrive meanwhile neither shift nor repeat any. Where few match,
    /// a page ends when so many were looked at, and has less than was asked for, or nothing: only one without a token is the last.
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
        let Older { mut faults, next } = self.older_faults(filter, after, page_size).await?;
        let next_page_token = next.map_or_else(String::new, |id| token::encode(LIST, id.as_bytes(), filter));
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
    ) -> Result<Older, StoreError> {
        // One more than asked for tells whether there are others.
        let Walked { rows, stopped } = self.walk(filter, limit + 1, after).await?;
        let next = last_of_page(&rows, limit).map(|row| row.get(0)).or(stopped);
        let faults = rows.iter().take(limit as usize).map(fault).collect();
        Ok(Older { faults, next })
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

/// A row of [`FAULT`] as it goes out.
pub(super) fn fault(row: &Row) -> Fault {
    let (id, agent_id, epoch): (Uuid, Uuid, Uuid) = (row.get(0), row.get(1), row.get(2));
    let (seq, received_at): (i64, Micros) = (row.get(3), row.get(4));
    let encoded: &[u8] = row.get(5);
    // Only good records are stored, but another program may write to the database as well.
    let record = Record::decode(encoded)
        .unwrap_or_else(|error| record::undecodable(&Bytes::copy_from_slice(encoded), &error.to_string()));
    // What an earlier version grouped is of no issue any more.
    let is_housekeeping = record::is_housekeeping(&record);
    Fault {
        id: id.to_string(),
        agent_id: Bytes::copy_from_slice(agent_id.as_bytes()),
        epoch: Bytes::copy_from_slice(epoch.as_bytes()),
        seq: u64::try_from(seq).unwrap_or(0),
        received_at_unix_ns: received_at.unix_ns(),
        host: host(row),
        record: Some(record),
        issue: row
            .get::<_, Option<Uuid>>(19)
            .filter(|_issue| !is_housekeeping)
            .map(|issue| issue.simple().to_string())
            .unwrap_or_default(),
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
