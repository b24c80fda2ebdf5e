//! Traces come to a server that takes them as the OpenTelemetry Collector does.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use proto::v1::{ListFaultsRequest, query_client::QueryClient};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::support::{Database, Stream, batch, fetch::fetch, program::Program, sender};

/// Keeps what it is sent.
#[derive(Clone, Default)]
struct Taker {
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_resource in request.into_inner().resource_spans {
            let attributes = of_resource.resource.unwrap_or_default().attributes;
            let service = text(&attributes, "service.name");
            self.services.lock().unwrap().push(service);
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().unwrap().extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Taker {
    async fn start() -> (SocketAddr, Self) {
        let taker = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(taker.clone());
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (address, taker)
    }
}

/// An attribute as text; empty: there is none.
fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_collector_does_is_told_as_traces_to_whoever_was_named() {
    let test = "what_the_collector_does_is_told_as_traces_to_whoever_was_named";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (address, taker) = Taker::start().await;
    let backend = Program::start(&db, &["--otlp", &format!("http://{address}")]);
    let (_grpc, http) = backend.addresses().await;
    fetch(http, "/api/v1/issues?page_size=3").await;
    fetch(http, "/nothing/of/the/kind").await;
    let channel = backend.channel().await;
    let mut stream = Stream::open(channel.clone()).await;
    stream.hello(&sender()).await.unwrap();
    stream.batch(batch(1, 3)).await.unwrap();
    drop(stream);
    let mut query = QueryClient::new(channel);
    query.list_faults(ListFaultsRequest::default()).await.unwrap();
    drop(query);
    assert!(backend.stop().await);

    // The last of them were sent before it ended.
    let spans = taker.spans.lock().unwrap().clone();
    let by_name: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    let attribute = |span: &str, key: &str| text(&by_name[span].attributes, key);
    let issues = "GET /api/v1/issues";
    assert!(by_name.contains_key(issues), "{:?}", by_name.keys());
    assert_eq!(attribute(issues, "http.response.status_code"), "200");
    assert_eq!(attribute(issues, "http.route"), "/api/v1/issues");
    assert_eq!(attribute("GET", "http.response.status_code"), "404");
    assert_eq!(attribute("telemetry.v1.Query/ListFaults", "rpc.system"), "grpc");
    assert_eq!(attribute("store", "telemetrics.messages"), "1");
    assert!(by_name["store"].end_time_unix_nano >= by_name["store"].start_time_unix_nano);
    assert_eq!(taker.services.lock().unwrap()[0], "telemetrics-backend");
}

#[tokio::test]
async fn that_nobody_takes_traces_is_no_harm() {
    let Some(db) = Database::new("that_nobody_takes_traces_is_no_harm").await else {
        return;
    };
    let backend = Program::start(&db, &["--otlp", "http://127.0.0.1:1"]);
    let (_grpc, http) = backend.addresses().await;
    assert!(fetch(http, "/api/v1/issues").await.is_some());
    assert!(backend.stop().await);
}
