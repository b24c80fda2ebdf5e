//! Agents, as far as the collector can tell.

use std::{
    net::SocketAddr,
    pin::Pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use axum::body::{Body, BodyDataStream};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::{StreamExt as _, future::try_join_all};
use prost::Message as _;
use proto::v1::{DeliverRequest, Hello, Host, deliver_request::Message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{codegen::http::Request, transport::Endpoint};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{
    Times,
    records::{self, BATCH},
};

/// Hosts that send at the same time.
const AGENTS: usize = 16;
/// Batches of an agent that wait for their answer, as telemd has them.
const IN_FLIGHT: usize = 4;

pub(crate) struct Agents(Vec<Agent>);

/// An agent whose batches were compressed before the watch started: in a fleet that is the work of other machines.
struct Agent {
    requests: mpsc::Sender<Result<Bytes, std::io::Error>>,
    answers: Pin<Box<BodyDataStream>>,
    /// What came of answers and was not looked at.
    heard: BytesMut,
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
        let greeting = DeliverRequest {
            message: Some(Message::Hello(hello)),
        };
        requests
            .send(Ok(records::plain_frame(&greeting.encode_to_vec())))
            .await?;
        let request = Request::post("/telemetry.v1.Collector/Deliver")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-encoding", "zstd")
            .body(tonic::body::Body::new(Body::from_stream(ReceiverStream::new(
                queue,
            ))))?;
        let response = channel.oneshot(request).await?;
        let mut agent = Self {
            requests,
            answers: Box::pin(Body::new(response.into_body()).into_data_stream()),
            heard: BytesMut::new(),
            next_seq: 1,
        };
        agent.answered().await.context("no answer to the Hello")?;
        Ok(agent)
    }

    fn batch(&mut self) -> Bytes {
        let first_seq = self.next_seq;
        self.next_seq += u64::from(BATCH);
        records::batch_frame(first_seq)
    }

    async fn flood(&mut self, until: Instant) -> Result<u32> {
        let (mut in_flight, mut stored) = (0, 0);
        loop {
            while in_flight < IN_FLIGHT && Instant::now() < until {
                let batch = self.batch();
                self.requests.send(Ok(batch)).await?;
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
            self.requests.send(Ok(batch)).await?;
            self.answered().await?;
            took.push(due.elapsed());
            due += every;
        }
        Ok(took)
    }

    /// Waits for one more answer: a frame of gRPC, which begins with a flag and its length.
    async fn answered(&mut self) -> Result<()> {
        loop {
            if let Some([_flag, length @ ..]) = self.heard.first_chunk::<5>() {
                let frame = 5 + u32::from_be_bytes(*length) as usize;
                if self.heard.len() >= frame {
                    self.heard.advance(frame);
                    return Ok(());
                }
            }
            match self.answers.next().await {
                Some(data) => self.heard.extend_from_slice(&data?),
                None => bail!("the collector closed the stream"),
            }
        }
    }
}
