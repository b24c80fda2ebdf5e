//! How a first host comes to be watched.

use std::net::IpAddr;

use crate::http::{Delivery, Started};

/// What is to be done depends on how the collector was started.
#[derive(Debug)]
pub(in crate::http) struct FirstHost {
    /// The collector, as the host's configuration names it.
    pub(in crate::http) url: String,
    /// A name that its certificate could have.
    pub(in crate::http) name: String,
    pub(in crate::http) port: u16,
    /// No other machine reaches it.
    pub(in crate::http) local: bool,
    /// Hosts get certificates.
    pub(in crate::http) enrols: bool,
    /// They believe the collector by the fingerprint of its own authority.
    pub(in crate::http) pins: bool,
}

impl FirstHost {
    /// `seen_as`: the collector's name or address as the browser knows it.
    pub(in crate::http) fn new(started: &Started, seen_as: &str) -> Self {
        let Started { grpc, delivery, .. } = started;
        let port = grpc.port();
        let local = grpc.ip().is_loopback();
        let url = match delivery {
            Delivery::OwnAuthority { name } => format!("https://{name}:{port}"),
            Delivery::OtherAuthority => format!("https://{seen_as}:{port}"),
            Delivery::Clear if grpc.ip().is_unspecified() => format!("http://{seen_as}:{port}"),
            Delivery::Clear => format!("http://{grpc}"),
        };
        let has_name = !local && seen_as.parse::<IpAddr>().is_err();
        Self {
            url,
            name: if has_name { seen_as } else { "collector.example" }.to_owned(),
            port,
            local,
            enrols: *delivery != Delivery::Clear,
            pins: matches!(delivery, Delivery::OwnAuthority { .. }),
        }
    }
}
