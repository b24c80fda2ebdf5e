//! `[collector]`: where records go, and by what the two ends know each other.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};
use tonic::transport::Uri;

use super::check::Wrong;

/// Port 7130 is the collector's gRPC default; loopback because sending elsewhere must be somebody's decision.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7130";
/// Servers that are tried in turn: more are no fail-over but a list that nobody keeps.
const SERVERS: usize = 8;
/// The ports of a URL that names none (RFC 9110, 4.2.1 and 4.2.2).
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// A message is some 600 bytes of the ledger, and a quiet host sends one in five minutes: three weeks.
const LEDGER_BYTES: u64 = 4 << 20;

/// `[collector]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collector {
    /// Whether anything leaves this host. Without, all is recorded and kept, within the limits of the spool.
    pub enabled: bool,
    /// The collectors' gRPC addresses in the order in which they are tried, `https://HOST:PORT`; one may be given without
    /// brackets. Empty: the server that this host was enrolled at, otherwise [`DEFAULT_SERVER`].
    #[serde(deserialize_with = "one_or_more")]
    pub url: Vec<String>,
    /// PEM with the authorities by which servers are believed; `None` is what enrolment brought, otherwise the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM with the certificate of this host and those between it and its authority; `None` is what enrolment brought.
    pub certificate_file: Option<PathBuf>,
    /// PEM with the key of that certificate.
    pub key_file: Option<PathBuf>,
    /// Whether records may go over a network in clear, to a server that nobody vouches for.
    pub insecure: bool,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            enabled: true,
            url: Vec::new(),
            ca_file: None,
            certificate_file: None,
            key_file: None,
            insecure: false,
        }
    }
}

/// `[ledger]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// Size of the ledger of what left this host, in all, bytes. 0: there is none.
    pub max_bytes: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            max_bytes: LEDGER_BYTES,
        }
    }
}

/// `"a"` or `["a", "b"]`.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a string or an array of strings")]
    enum Form {
        One(String),
        More(Vec<String>),
    }
    Ok(match Form::deserialize(from)? {
        Form::One(url) => vec![url],
        Form::More(urls) => urls,
    })
}

/// The address of a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    url: String,
    uri: Uri,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Server {
    /// Understands `http://HOST:PORT` and `https://HOST:PORT`; the error says what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_no_uri| "not a URL")?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("neither an https nor an http URL"),
        };
        if uri.path() != "/" || uri.query().is_some() {
            return Err("has a path");
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("has no host")?;
        // Brackets belong to the URL and not to the address (RFC 3986, 3.2.2).
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri
            .port_u16()
            .unwrap_or(if is_tls { HTTPS_PORT } else { HTTP_PORT });
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            uri,
            host: bare,
            port,
            is_tls,
        })
    }

    /// As it is written.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// As the gRPC client wants it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether it is this host.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Collector {
    /// The servers in the order in which they are tried: those of the configuration, otherwise the one that this host was
    /// enrolled at, otherwise [`DEFAULT_SERVER`].
    pub fn servers(&self, enrolled_at: Option<&str>) -> Vec<Server> {
        let named = self.url.iter().map(String::as_str);
        let mut servers: Vec<_> = named.filter_map(|url| Server::parse(url).ok()).collect();
        if servers.is_empty() {
            let other = [enrolled_at, Some(DEFAULT_SERVER)].into_iter().flatten();
            servers.extend(other.filter_map(|url| Server::parse(url).ok()).take(1));
        }
        servers
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.url.len() > SERVERS {
            return Err(wrong(
                "collector.url",
                format!("{} addresses", self.url.len()),
                "too many",
                &format!("give at most {SERVERS}"),
            ));
        }
        self.url.iter().try_for_each(|url| self.check_url(url))?;
        let alone = match (&self.certificate_file, &self.key_file) {
            (Some(file), None) => Some(("collector.certificate_file", file, "collector.key_file")),
            (None, Some(file)) => Some(("collector.key_file", file, "collector.certificate_file")),
            _ => None,
        };
        if let Some((key, file, missing)) = alone {
            return Err(wrong(
                key,
                format!("{:?}", file.display().to_string()),
                "a certificate and its key come together",
                &format!("give {missing} too, or neither"),
            ));
        }
        Ok(())
    }

    fn check_url(&self, url: &str) -> Result<(), Wrong> {
        let value = format!("{url:?}");
        let server = Server::parse(url).map_err(|problem| {
            wrong(
                "collector.url",
                value.clone(),
                problem,
                "write \"https://HOST:PORT\", for example \"https://collector.example:7130\"",
            )
        })?;
        if server.is_tls() || server.is_loopback() || self.insecure {
            return Ok(());
        }
        Err(wrong(
            "collector.url",
            value,
            "records would cross a network in clear, to a server that nobody vouches for",
            "write \"https://HOST:PORT\" (docs/enrolment.md says how), or set collector.insecure = true for a network that \
             you trust",
        ))
    }
}

fn wrong(key: &'static str, value: String, problem: &str, remedy: &str) -> Wrong {
    Wrong {
        key,
        value,
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_by_its_parts() {
        let server = Server::parse("https://[::1]:9/").unwrap();
        assert_eq!((server.host(), server.port()), ("::1", 9));
        assert!(server.is_tls() && server.is_loopback());
        assert_eq!(server.url(), "https://[::1]:9");
        assert_eq!(Server::parse("https://c.example").unwrap().port(), 443);
        assert_eq!(Server::parse("http://c.example").unwrap().port(), 80);
        for wrong in [
            "c.example:1",
            "ftp://c",
            "https://c/v2",
            "https://c?x",
            "",
            "https://",
        ] {
            Server::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn the_configuration_comes_before_enrolment_and_that_before_the_default() {
        let urls = |collector: &Collector, enrolled| -> Vec<String> {
            let servers = collector.servers(enrolled);
            servers.iter().map(ToString::to_string).collect()
        };
        let mut collector = Collector::default();
        assert_eq!(urls(&collector, None), [DEFAULT_SERVER]);
        assert_eq!(urls(&collector, Some("https://e:1")), ["https://e:1"]);
        collector.url = vec!["https://a:1".into(), "https://b:2".into()];
        assert_eq!(
            urls(&collector, Some("https://e:1")),
            ["https://a:1", "https://b:2"]
        );
    }

    #[test]
    fn only_loopback_and_the_insecure_are_spoken_to_in_clear() {
        let collector = |url: &str, insecure| Collector {
            url: vec![url.into()],
            insecure,
            ..Collector::default()
        };
        for url in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
            "https://c:1",
        ] {
            assert!(collector(url, false).check().is_ok(), "{url}");
        }
        assert!(collector("http://10.0.0.1:1", false).check().is_err());
        assert!(collector("http://10.0.0.1:1", true).check().is_ok());
    }
}
