//! A collector in memory that keeps the delivery contract, and can be told to misbehave.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use prost::Message as _;
use proto::v1::collector_server::{Collector, CollectorServer};
use proto::v1::deliver_request::Message;
use proto::v1::{DeliverRequest, DeliverResponse, Gap, Hello, Record};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, Streaming};

/// What was stored of one sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sender {
    pub(crate) stored_seq: u64,
    pub(crate) records: Vec<(u64, Record)>,
    pub(crate) gaps: Vec<Gap>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) senders: HashMap<(Vec<u8>, Vec<u8>), Sender>,
    pub(crate) hellos: Vec<Hello>,
    /// Batches that are still stored without being answered; then the stream breaks.
    pub(crate) break_after: Option<usize>,
    /// Refuses every stream with this.
    pub(crate) refuse: Option<Status>,
}

impl Store {
    /// The only sender there is.
    pub(crate) fn sender(&self) -> Sender {
        assert!(self.senders.len() <= 1, "more than one sender");
        self.senders.values().next().cloned().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Store>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap()
    }
}

/// The running collector. Its port stays closed after it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) store: Shared,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    pub(crate) fn start() -> Self {
        Self::start_with(Shared::default(), SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(crate) fn start_with(store: Shared, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let service = CollectorServer::new(store.clone())
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(proto::limits::MESSAGE_BYTES);
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        Self {
            address,
            store,
            _runtime: runtime,
        }
    }
}

#[tonic::async_trait]
impl Collector for Shared {
    type DeliverStream = Pin<Box<dyn Stream<Item = Result<DeliverResponse, Status>> + Send>>;

    async fn deliver(
        &self,
        request: Request<Streaming<DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        if let Some(refusal) = self.lock().refuse.clone() {
            return Err(refusal);
        }
        let mut requests = request.into_inner();
        let (answers, stream) = tokio::sync::mpsc::channel(16);
        let shared = self.clone();
        tokio::spawn(async move {
            let mut key = None;
            while let Some(Ok(request)) = requests.next().await {
                let Some(answer) = shared.take(request, &mut key) else {
                    return;
                };
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl Shared {
    /// `None` breaks the stream.
    fn take(
        &self,
        request: DeliverRequest,
        key: &mut Option<(Vec<u8>, Vec<u8>)>,
    ) -> Option<Result<DeliverResponse, Status>> {
        let mut store = self.lock();
        if let Some(Message::Hello(hello)) = &request.message {
            *key = Some((hello.agent_id.to_vec(), hello.epoch.to_vec()));
            store.hellos.push(hello.clone());
        }
        let sender = store.senders.entry(key.clone()?).or_default();
        let outcome = match request.message? {
            Message::Hello(_) => Ok(()),
            Message::Batch(batch) => sender.batch(batch.first_seq, &batch.records),
            Message::Gap(gap) => sender.gap(gap),
        };
        let stored_seq = sender.stored_seq;
        if let Some(left) = &mut store.break_after {
            if *left == 0 {
                store.break_after = None;
                return None;
            }
            *left -= 1;
        }
        Some(outcome.map(|()| DeliverResponse {
            stored_seq,
            ..DeliverResponse::default()
        }))
    }
}

impl Sender {
    fn batch(&mut self, first_seq: u64, records: &[bytes::Bytes]) -> Result<(), Status> {
        assert!(!records.is_empty() && records.len() <= proto::limits::BATCH_RECORDS);
        if first_seq > self.stored_seq + 1 {
            return Err(Status::failed_precondition("past the next sequence"));
        }
        for (seq, bytes) in (first_seq..).zip(records) {
            if seq <= self.stored_seq {
                continue;
            }
            let record = Record::decode(bytes.clone()).expect("the agent sends whole records");
            self.records.push((seq, record));
            self.stored_seq = seq;
        }
        Ok(())
    }

    fn gap(&mut self, gap: Gap) -> Result<(), Status> {
        if gap.first_seq > self.stored_seq + 1 {
            return Err(Status::failed_precondition("past the next sequence"));
        }
        self.stored_seq = self.stored_seq.max(gap.first_seq + gap.count - 1);
        self.gaps.push(gap);
        Ok(())
    }
}

/// What arrived of a class.
pub(crate) fn records(collector: &Running, class: &str) -> Vec<Record> {
    let sender = collector.store.lock().sender();
    let records = sender.records.into_iter().map(|(_, record)| record);
    records.filter(|record| record.class == class).collect()
}
