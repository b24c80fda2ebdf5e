//! Records of senders that have no sequences: the collector counts for them, and knows what it has by a hash.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{Batch, Host, Record};

use tokio_postgres::Client;

use super::{
    DeliverError, Message, Sender, Store, StoreError,
    count::count_in,
    deliver::{ATTEMPTS, pause, sequence, store_in},
    hosts,
};

impl Store {
    /// Stores a record unless it is stored, and what it says about its host. False: it was stored before.
    pub async fn keep_once(
        &self,
        sender: &Sender,
        host: &Host,
        record: &Record,
        digest: &[u8],
    ) -> Result<bool, DeliverError> {
        let (sender, encoded) = (Arc::new(sender.clone()), Bytes::from(record.encode_to_vec()));
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_keep(&sender, host, &encoded, digest).await {
                Err(DeliverError::Store(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                    pause(attempt).await;
                }
                result => return result,
            }
        }
    }

    async fn try_keep(
        &self,
        sender: &Arc<Sender>,
        host: &Host,
        encoded: &Bytes,
        digest: &[u8],
    ) -> Result<bool, DeliverError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let known = transaction
            .prepare_cached("INSERT INTO senders (agent_id, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .await?;
        transaction
            .execute(&known, &[&sender.agent_id, &sender.epoch])
            .await?;
        // From here on nobody else stores anything of this sender.
        let lock = transaction
            .prepare_cached("SELECT stored_seq FROM senders WHERE agent_id = $1 AND epoch = $2 FOR UPDATE")
            .await?;
        let stored: i64 = transaction
            .query_one(&lock, &[&sender.agent_id, &sender.epoch])
            .await?
            .get(0);
        let once = transaction
            .prepare_cached("INSERT INTO kept_once (agent_id, sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .await?;
        if transaction.execute(&once, &[&sender.agent_id, &digest]).await? == 0 {
            return Ok(false);
        }
        hosts::tell(&transaction, sender.agent_id, host, "").await?;
        let batch = Batch {
            first_seq: sequence(stored) + 1,
            records: vec![encoded.clone()],
        };
        let message = Message::batch(sender, &batch)?;
        let stored = store_in(&transaction, &[message]).await?;
        for outcome in stored.outcomes {
            outcome?;
        }
        count_in(&transaction, &stored.tallies).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Forgets what came so long ago that no client has it any more: they give records up after 30 days at most.
pub(super) async fn forget(client: &Client) -> Result<(), StoreError> {
    let old = "DELETE FROM kept_once WHERE received_at < now() - interval '35 days'";
    client.execute(old, &[]).await?;
    Ok(())
}
