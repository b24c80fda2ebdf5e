//! A made-up fleet that goes on: its hosts send heartbeats, which are stored as those of agents are.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prost::Message as _;
use proto::v1::Batch;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    FleetTables,
    records::{LAST_BEATS, LastBeat},
};
use crate::store::{DeliverError, Message, Sender, Store, StoreError, deliver::sequence, time::Micros};

/// Hosts whose heartbeats are stored in one transaction.
const AT_ONCE: usize = 500;

/// The hosts of a made-up fleet that did not fall silent.
#[derive(Debug)]
pub struct LiveFleet {
    store: Store,
    /// What their kernels let be watched.
    tables: FleetTables,
    hosts: Vec<LastBeat>,
}

impl Store {
    /// The hosts of a made-up fleet that were heard within `interval` before the last of them was. None: there is no such fleet.
    pub async fn live_fleet(
        &self,
        tables: FleetTables,
        interval: Duration,
    ) -> Result<Option<LiveFleet>, StoreError> {
        let client = self.client().await?;
        let rows = client.query(LAST_BEATS, &[&tables.kernels]).await?;
        let mut hosts: Vec<LastBeat> = rows.iter().map(LastBeat::of).collect();
        let Some(last) = hosts.iter().map(|host| host.at).max() else {
            return Ok(None);
        };
        hosts.retain(|host| host.at >= last.earlier(interval));
        Ok(Some(LiveFleet {
            store: self.clone(),
            tables,
            hosts,
        }))
    }
}

impl LiveFleet {
    /// Has each host send a heartbeat.
    pub async fn beat(&mut self) -> Result<(), DeliverError> {
        for hosts in self.hosts.chunks_mut(AT_ONCE) {
            let agents: Vec<Uuid> = hosts.iter().map(|host| host.agent_id).collect();
            let stored = stored(&self.store, &agents).await?;
            let mut messages = Vec::with_capacity(hosts.len());
            for host in hosts {
                if let Some((seq, now)) = stored.get(&host.agent_id) {
                    host.goes_on(*now);
                    messages.push(message(host, &self.tables, seq + 1)?);
                }
            }
            for outcome in self.store.deliver_counted(&messages).await? {
                outcome?;
            }
        }
        Ok(())
    }
}

/// Up to which sequence everything of each is stored, and what time it is.
async fn stored(store: &Store, agents: &[Uuid]) -> Result<HashMap<Uuid, (u64, Micros)>, StoreError> {
    let sql =
        "SELECT agent_id, stored_seq, now() FROM senders WHERE agent_id = ANY ($1) AND epoch = agent_id";
    let rows = store.client().await?.query(sql, &[&agents]).await?;
    let stored = |row: &Row| (row.get(0), (sequence(row.get(1)), row.get(2)));
    Ok(rows.iter().map(stored).collect())
}

fn message(host: &LastBeat, tables: &FleetTables, first_seq: u64) -> Result<Message, DeliverError> {
    let record = host.record(tables);
    let sender = Sender::new(host.agent_id, host.agent_id, &record.kernel_release);
    let batch = Batch {
        first_seq,
        records: vec![record.encode_to_vec().into()],
    };
    Message::batch(&Arc::new(sender), &batch)
}
