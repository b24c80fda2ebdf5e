//! Why a stream ended, and what that asks for.

use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::dial::DialError;
use super::skew::Skew;
use super::trust::TrustError;
use crate::enrolment::EnrolmentError;
use crate::enrolment::request::RequestError;
use crate::keeper::KeepError;
use crate::retry::{Recovery, Refusal};

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The files of `[collector]`.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// What enrolment brought.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server's certificate is of another time than this host, whose clock is wrong.
    #[error("{skew}, so the collector's certificate seems to be over or not yet valid")]
    Clock {
        /// By how much.
        skew: Skew,
    },
    /// No HTTP/2.
    #[error("no gRPC with {url}")]
    Connect {
        /// The server.
        url: String,
        /// What went wrong.
        #[source]
        source: tonic::transport::Error,
    },
    /// TLS ended a connection.
    #[error("the collector ended TLS")]
    Tls(#[source] rustls::Error),
    /// The collector ended the stream.
    #[error("the collector answered {:?}: {}", .0.code(), .0.message())]
    Status(Box<tonic::Status>),
    /// The certificate is over and there is no new one.
    #[error("the certificate of this host is not renewed")]
    Renewal(#[source] RequestError),
    /// The collector closed the stream without a word.
    #[error("the collector closed the stream")]
    Closed,
    /// The collector did not answer in time.
    #[error("no answer from the collector in {} s", .0.as_secs())]
    Silent(Duration),
    /// The collector has stored what this spool never held.
    #[error("the collector has stored up to {stored}, but this spool only reaches {durable}")]
    Ahead {
        /// What the collector says.
        stored: u64,
        /// The last durable sequence.
        durable: u64,
    },
    /// The spool cannot be read.
    #[error("cannot read the spool")]
    Spool(#[from] KeepError),
}

impl ShipError {
    /// What it asks for.
    pub(super) fn recovery(&self) -> Recovery {
        match self {
            Self::Status(status) | Self::Renewal(RequestError::Refused(status)) => Recovery::of(status),
            Self::Tls(error) => of_tls(error),
            Self::Dial(error) => of_dial(error),
            Self::Trust(_) | Self::Enrolment(_) => Recovery::Fatal {
                refusal: Refusal::Configuration,
                advice: "correct [collector] in the configuration, or enrol this host again (`telemctl enroll`)",
            },
            Self::Clock { .. } => Recovery::Fatal {
                refusal: Refusal::ClockWrong,
                advice: "set this host's clock (`timedatectl set-ntp true`)",
            },
            Self::Ahead { .. } => Recovery::Fatal {
                refusal: Refusal::Refused,
                advice: "the state directory was copied from another host or restored from a backup: \
                         stop telemd, remove its spool and agent_id, start it again",
            },
            Self::Connect { .. } | Self::Closed | Self::Silent(_) | Self::Spool(_) | Self::Renewal(_) => {
                Recovery::Retry
            }
        }
    }
}

fn of_dial(error: &DialError) -> Recovery {
    match error {
        DialError::Tls { source, .. } => of_tls(source),
        // The network of this host is not up yet, as while it boots: nobody is burdened by trying again soon.
        DialError::Name { .. } => Recovery::Soon,
        DialError::Connect { source, .. } => match source.kind() {
            std::io::ErrorKind::NetworkUnreachable
            | std::io::ErrorKind::HostUnreachable
            | std::io::ErrorKind::NetworkDown => Recovery::Soon,
            std::io::ErrorKind::PermissionDenied => Recovery::Fatal {
                refusal: Refusal::Configuration,
                advice: "telemd may only connect to ports that it knew when it started: start it again",
            },
            _ => Recovery::Retry,
        },
        DialError::ProxyKind { .. } | DialError::ServerName { .. } => Recovery::Fatal {
            refusal: Refusal::Configuration,
            advice: "correct collector.url, or HTTPS_PROXY and NO_PROXY in the environment of telemd",
        },
        DialError::Proxy { .. } | DialError::Handshake { .. } | DialError::Slow { .. } => Recovery::Retry,
    }
}

fn of_tls(error: &rustls::Error) -> Recovery {
    let (refusal, advice) = match error {
        rustls::Error::InvalidCertificate(wrong) => (Refusal::Untrusted, of_certificate(wrong)),
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => (
            Refusal::NotEnrolled,
            "the collector does not know this host's certificate: enrol the host there (`telemctl enroll`)",
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => (
            Refusal::NotEnrolled,
            "the collector wants a certificate: enrol this host (`telemctl enroll`)",
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateExpired) => (
            Refusal::CertificateExpired,
            "enrol this host again with a token for it (`telemctl enroll`)",
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateRevoked) => (
            Refusal::Revoked,
            "the collector shut this host out: ask its operator",
        ),
        rustls::Error::InvalidMessage(_) => (
            Refusal::Configuration,
            "the server does not speak TLS there: correct collector.url",
        ),
        _ => return Recovery::Retry,
    };
    Recovery::Fatal { refusal, advice }
}

fn of_certificate(wrong: &CertificateError) -> &'static str {
    match wrong {
        CertificateError::UnknownIssuer => {
            "the server's certificate is by nobody whom this host believes: set collector.ca_file, or enrol the host \
             with --ca-fingerprint"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name: correct collector.url, or the collector's certificate"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate is over: the collector needs a new one"
        }
        _ => "the server's certificate is not good: see the collector's operator",
    }
}
