//! How a first host comes to be watched.

use std::net::{IpAddr, Ipv6Addr};

use crate::http::{Delivery, Started};

/// What is to be done depends on how the collector was started.
#[derive(Debug)]
pub(in crate::http) struct FirstHost {
    /// The collector, as the host's configuration names it.
    pub(in crate::http) url: String,
    /// What its certificate could be for.
    pub(in crate::http) name: String,
    /// Where it listens, so that other machines reach it.
    pub(in crate::http) listen: String,
    /// No other machine reaches it.
    pub(in crate::http) local: bool,
    /// Hosts get certificates.
    pub(in crate::http) enrols: bool,
    /// They believe the collector by the fingerprint of its own authority.
    pub(in crate::http) pins: bool,
    /// Options by which commands reach its database, with a space before them.
    pub(in crate::http) options: String,
    /// What these options mean; empty: that is seen.
    pub(in crate::http) options_note: &'static str,
}

impl FirstHost {
    /// `seen_as`: the collector's name or address as the browser knows it.
    pub(in crate::http) fn new(started: &Started, seen_as: &str) -> Self {
        let Started { grpc, delivery, .. } = started;
        let port = grpc.port();
        let local = grpc.ip().is_loopback();
        // Who looks at it on this machine, or through a proxy here, sees it by a name that only works here.
        let name = match started.host_name.as_str() {
            _ if !local && !is_here(seen_as) => seen_as,
            host if is_here(host) => "collector.example",
            host => host,
        };
        let url = match delivery {
            Delivery::OwnAuthority { name } if name.parse::<Ipv6Addr>().is_ok() => {
                format!("https://[{name}]:{port}")
            }
            Delivery::OwnAuthority { name } => format!("https://{name}:{port}"),
            Delivery::OtherAuthority => format!("https://{name}:{port}"),
            Delivery::Clear if grpc.ip().is_unspecified() => format!("http://{name}:{port}"),
            Delivery::Clear => format!("http://{grpc}"),
        };
        Self {
            url,
            name: name.trim_matches(['[', ']']).to_owned(),
            listen: if local {
                format!("0.0.0.0:{port}")
            } else {
                grpc.to_string()
            },
            local,
            enrols: *delivery != Delivery::Clear,
            pins: matches!(delivery, Delivery::OwnAuthority { .. }),
            options: started.database.options(),
            options_note: started.database.options_note(),
        }
    }
}

/// Whether a name is none, or leads every machine to itself.
fn is_here(name: &str) -> bool {
    let address = name.trim_matches(['[', ']']).parse();
    name.is_empty() || name == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}
