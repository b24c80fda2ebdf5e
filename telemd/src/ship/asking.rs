//! A connection to ask a collector something with, for people and release pipelines.

use tonic::transport::Channel;

use super::open::Connection;
use super::trust::{Belief, Trust};
use super::{Options, Proxies, ShipError};
use crate::config::Collector;
use crate::config::collector::Server;
use crate::enrolment::Enrolment;

/// Connects to the collector at `server`, which is believed by `collector.ca_file` and by enrolment, otherwise by the system's authorities. Who
/// asks is for the caller to say: no certificate is shown.
pub async fn connect(
    collector: &Collector,
    enrolment: Option<&Enrolment>,
    server: &Server,
) -> Result<Channel, ShipError> {
    let trust = if server.is_tls() {
        Some(Trust::new(Belief::of(collector, enrolment)?, None, None)?)
    } else {
        None
    };
    let (proxies, options) = (Proxies::of_environment(), Options::default());
    let connection = Connection::open(server, trust.as_ref(), &proxies, &options).await?;
    Ok(connection.channel)
}
