//! The real agent before servers whose certificates are of another time: it tells its own wrong clock from theirs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use common::Host;
use proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use proto::v1::{EnrolRequest, EnrolResponse, RenewRequest};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use telemd::retry::Refusal;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Bytes between TLS and gRPC.
const BUFFER: usize = 64 * 1024;

/// Refuses everything, by a clock of its own.
struct Refusing {
    date: Option<&'static str>,
}

#[tonic::async_trait]
impl Enrolment for Refusing {
    async fn enrol(&self, _: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        Err(Status::unimplemented("it only tells the time"))
    }

    async fn renew(&self, _: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        let mut status = Status::unauthenticated("it only tells the time");
        if let Some(date) = self.date {
            status.metadata_mut().insert("date", date.parse().unwrap());
        }
        Err(status)
    }
}

struct Server {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// With a certificate for the years from `first` to `last`. Its authority's certificate becomes `ca`.
    fn start(ca: &Path, first: i32, last: i32, date: Option<&'static str>) -> Self {
        let (chain, key) = certificate(ca, first, last);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let (ready, connections) = tokio::sync::mpsc::channel(1);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, ready) = (acceptor.clone(), ready.clone());
                tokio::spawn(async move {
                    // A client that does not believe it goes away.
                    let Ok(mut tls) = acceptor.accept(stream).await else {
                        return;
                    };
                    let (mut near, far) = tokio::io::duplex(BUFFER);
                    if ready.send(Ok::<_, std::io::Error>(far)).await.is_ok() {
                        tokio::io::copy_bidirectional(&mut tls, &mut near).await.ok();
                    }
                });
            }
        });
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(EnrolmentServer::new(Refusing { date }))
                .serve_with_incoming(ReceiverStream::new(connections)),
        );
        Self {
            address,
            _runtime: runtime,
        }
    }
}

fn certificate(
    ca: &Path,
    first: i32,
    last: i32,
) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    let key = KeyPair::generate().unwrap();
    std::fs::write(ca, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(last, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (
        vec![certificate.der().clone()],
        PrivatePkcs8KeyDer::from(key.serialize_der()),
    )
}

/// What an agent before such a server says.
fn refusal(first: i32, last: i32, date: Option<&'static str>) -> (Refusal, String) {
    let ca = tempfile::NamedTempFile::new().unwrap();
    let server = Server::start(ca.path(), first, last, date);
    let ca_file = ca.path().display().to_string();
    let collector = format!("ca_file = {ca_file:?}\nurl = \"https://{}\"", server.address);
    let mut host = Host::new("");
    host.add_config("collector.toml", &format!("[collector]\n{collector}\n"));
    host.telemctl(&["opt-in"]);
    host.start();
    let mut link = None;
    host.wait("a refusal", |host| {
        let now = host.status().session.map(|session| session.link);
        link = now.and_then(|now| Some((now.refusal?, now.last_error + &now.advice)));
        link.is_some()
    });
    link.unwrap()
}

#[test]
fn a_clock_that_is_wrong_is_told_and_not_the_certificate() {
    let (refusal, said) = refusal(2040, 2041, Some("Sun, 01 Jan 2040 00:10:00 GMT"));
    assert_eq!(refusal, Refusal::ClockWrong, "{said}");
    assert!(
        said.contains("behind the collector's") && said.contains("timedatectl"),
        "{said}"
    );
}

#[test]
fn a_certificate_that_is_over_is_told_and_not_the_clock() {
    let (refusal, said) = refusal(2001, 2002, None);
    assert_eq!(refusal, Refusal::Untrusted, "{said}");
    assert!(said.contains("is over"), "{said}");
}
