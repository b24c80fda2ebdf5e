//! Agents, as far as the collector can tell.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use proto::v1::{
    Batch, DeliverRequest, DeliverResponse, Hello, Host, collector_client::CollectorClient,
    deliver_request::Message,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, codec::CompressionEncoding, transport::Endpoint};
use uuid::Uuid;

use crate::{Times, records};

/// Hosts that send at the same time.
const AGENTS: usize = 16;
/// Records of a batch: the 512 KiB that telemd puts into one.
const BATCH: u32 = 340;
/// Batches of an agent that wait for their answer, as telemd has them.
const IN_FLIGHT: usize = 4;

pub(crate) struct Agents(Vec<Agent>);

struct Agent {
    requests: mpsc::Sender<DeliverRequest>,
    answers: Streaming<DeliverResponse>,
    next_seq: u64,
}

impl Agents {
    pub(crate) async fn connect(collector: SocketAddr) -> Result<Self> {
        let agents = (0..AGENTS).map(|number| Agent::connect(collector, number));
        Ok(Self(try_join_all(agents).await?))
    }

    /// All send as fast as they are answered; says how many records were stored.
    pub(crate) async fn flood(&mut self, time: Duration) -> Result<u32> {
        let until = Instant::now() + time;
        let stored = try_join_all(self.0.iter_mut().map(|agent| agent.flood(until))).await?;
        Ok(stored.iter().sum())
    }

    /// All send at a rate of records a second together; says how long batches took to be answered, from the moment at
    /// which each was due.
    pub(crate) async fn pace(&mut self, rate: f64, time: Duration) -> Result<Times> {
        let start = Instant::now();
        let count = self.0.len();
        let every = Duration::from_secs_f64(f64::from(BATCH) / rate);
        let paced = (0u32..).zip(&mut self.0).map(|(number, agent)| {
            agent.pace(
                start + every * number,
                every * u32::try_from(count).unwrap_or(1),
                start + time,
            )
        });
        Ok(Times::new(try_join_all(paced).await?.concat()))
    }
}

impl Agent {
    async fn connect(collector: SocketAddr, number: usize) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{collector}"))?
            .connect()
            .await?;
        let mut client = CollectorClient::new(channel)
            .send_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Zstd);
        let (requests, queue) = mpsc::channel(2);
        let hello = Hello {
            agent_id: Uuid::new_v4().as_bytes().to_vec().into(),
            epoch: Uuid::new_v4().as_bytes().to_vec().into(),
            host: Some(Host {
                hostname: format!("host-{number}"),
                kernel_release: "6.12.0-amd64".to_owned(),
                ..Host::default()
            }),
            agent_version: "bench".to_owned(),
        };
        requests.send(request(Message::Hello(hello))).await?;
        let mut answers = client.deliver(ReceiverStream::new(queue)).await?.into_inner();
        answers.message().await?.context("no answer to the Hello")?;
        Ok(Self {
            requests,
            answers,
            next_seq: 1,
        })
    }

    fn batch(&mut self) -> DeliverRequest {
        let first_seq = self.next_seq;
        self.next_seq += u64::from(BATCH);
        let records = records::from(first_seq).take(BATCH as usize).collect();
        request(Message::Batch(Batch { first_seq, records }))
    }

    async fn flood(&mut self, until: Instant) -> Result<u32> {
        let (mut in_flight, mut stored) = (0, 0);
        loop {
            while in_flight < IN_FLIGHT && Instant::now() < until {
                let batch = self.batch();
                self.requests.send(batch).await?;
                in_flight += 1;
            }
            if in_flight == 0 {
                return Ok(stored);
            }
            self.answered().await?;
            in_flight -= 1;
            stored += BATCH;
        }
    }

    async fn pace(&mut self, first: Instant, every: Duration, until: Instant) -> Result<Vec<Duration>> {
        let (mut due, mut took) = (first, Vec::new());
        while due < until {
            tokio::time::sleep_until(due.into()).await;
            let batch = self.batch();
            self.requests.send(batch).await?;
            self.answered().await?;
            took.push(due.elapsed());
            due += every;
        }
        Ok(took)
    }

    async fn answered(&mut self) -> Result<()> {
        self.answers
            .message()
            .await?
            .context("the collector closed the stream")?;
        Ok(())
    }
}

fn request(message: Message) -> DeliverRequest {
    DeliverRequest {
        message: Some(message),
    }
}
