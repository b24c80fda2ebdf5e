//! What generic gRPC tools ask: which services there are, and whether they serve.

use tokio_stream::StreamExt as _;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::{Collector, Database, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn services_are_listed_and_report_their_health() {
    let Some(db) = Database::alone("services_are_listed_and_report_their_health").await else {
        return;
    };
    let collector = Collector::start(&db).await;

    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(collector.channel().await);
    let answers = reflection
        .server_reflection_info(tokio_stream::once(list))
        .await
        .unwrap()
        .into_inner();
    let answers: Vec<_> = answers.collect().await;
    let Some(MessageResponse::ListServicesResponse(list)) = answers[0].clone().unwrap().message_response
    else {
        panic!("another answer: {answers:?}");
    };
    let mut services: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    services.sort();
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "telemetry.v1.Collector",
    ];
    assert_eq!(services[..3], expected);
    assert_eq!(
        services[3..],
        [
            "telemetry.v1.Enrolment",
            "telemetry.v1.Hardware",
            "telemetry.v1.Hosts",
            "telemetry.v1.Issues",
            "telemetry.v1.Query",
            "telemetry.v1.Statistics",
            "telemetry.v1.Symbols"
        ]
    );

    let mut health = HealthClient::new(collector.channel().await);
    let service = "telemetry.v1.Collector".to_owned();
    let mut states = health
        .watch(HealthCheckRequest { service })
        .await
        .unwrap()
        .into_inner();
    let mut state = async |wanted: ServingStatus| {
        while states
            .message()
            .await
            .unwrap()
            .expect("the watch goes on")
            .status()
            != wanted
        {}
    };
    let watch = async {
        state(ServingStatus::Serving).await;
        db.postgres.stop();
        state(ServingStatus::NotServing).await;
    };
    tokio::time::timeout(PATIENCE, watch)
        .await
        .expect("health follows the database");
    collector.stop().await;
}
