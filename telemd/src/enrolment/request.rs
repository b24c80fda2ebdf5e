//! Asking a collector for a certificate.

use proto::v1::enrolment_client::EnrolmentClient;
use proto::v1::{EnrolRequest, EnrolResponse, RenewRequest};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::CertificateDer;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Enrolment;
use crate::pem;

/// Certificates in an answer: that of the agent, its authority and some between.
const CERTIFICATES: usize = 8;
/// Longest certificate, bytes; those of agents have some 500.
const CERTIFICATE_BYTES: usize = 16_384;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No key could be made.
    #[error("cannot make a key")]
    Key(#[from] rcgen::Error),
    /// The collector refuses.
    #[error("the collector answered {:?}: {}", .0.code(), .0.message())]
    Refused(Box<tonic::Status>),
    /// What it answers makes no sense.
    #[error("the collector's answer holds no certificate: is it a collector of this version?")]
    Answer,
}

/// A key that was made here, and the request to certify it for an agent.
struct Asking {
    key: KeyPair,
    request: Vec<u8>,
}

impl Asking {
    fn new(agent_id: Uuid) -> Result<Self, RequestError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, agent_id.to_string());
        let request = params.serialize_request(&key)?.der().to_vec();
        Ok(Self { key, request })
    }

    fn answered(
        self,
        answer: &EnrolResponse,
        server: &str,
        authority: Option<String>,
    ) -> Result<Enrolment, RequestError> {
        let fits = |certificate: &bytes::Bytes| (1..=CERTIFICATE_BYTES).contains(&certificate.len());
        let sane = (1..=CERTIFICATES).contains(&answer.certificates.len())
            && answer.certificates.iter().all(fits)
            && answer.issued_unix_s < answer.not_after_unix_s;
        if !sane {
            return Err(RequestError::Answer);
        }
        let certificates = answer.certificates.iter().map(|der| pem::certificate(der));
        Ok(Enrolment {
            server: server.to_owned(),
            key: self.key.serialize_pem(),
            certificates: certificates.collect(),
            authority,
            issued_unix_s: answer.issued_unix_s,
            not_after_unix_s: answer.not_after_unix_s,
        })
    }
}

/// Enrols an agent by a token. `authority` is what the server was believed by, where that is not the system's.
pub async fn enrol(
    channel: Channel,
    server: &str,
    token: &str,
    agent_id: Uuid,
    authority: Option<&CertificateDer<'_>>,
) -> Result<Enrolment, RequestError> {
    let asking = Asking::new(agent_id)?;
    let request = EnrolRequest {
        token: token.to_owned(),
        certificate_request: asking.request.clone().into(),
    };
    let answer = EnrolmentClient::new(channel).enrol(request).await;
    let answer = answer.map_err(|status| RequestError::Refused(Box::new(status)))?;
    asking.answered(
        &answer.into_inner(),
        server,
        authority.map(|der| pem::certificate(der)),
    )
}

/// A new certificate for a new key, over a connection that was made with the old one.
pub async fn renew(channel: Channel, old: &Enrolment, agent_id: Uuid) -> Result<Enrolment, RequestError> {
    let asking = Asking::new(agent_id)?;
    let request = RenewRequest {
        certificate_request: asking.request.clone().into(),
    };
    let answer = EnrolmentClient::new(channel).renew(request).await;
    let answer = answer.map_err(|status| RequestError::Refused(Box::new(status)))?;
    asking.answered(&answer.into_inner(), &old.server, old.authority.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(certificates: Vec<bytes::Bytes>) -> EnrolResponse {
        EnrolResponse {
            certificates,
            issued_unix_s: 1,
            not_after_unix_s: 2,
        }
    }

    #[test]
    fn an_answer_without_certificates_or_with_endless_ones_is_none() {
        let ask = || Asking::new(Uuid::from_u128(1)).unwrap();
        let one = || vec![bytes::Bytes::from_static(b"der")];
        let good = ask().answered(&answer(one()), "https://c", None).unwrap();
        assert!(good.key.contains("PRIVATE KEY") && good.certificates.contains("BEGIN CERTIFICATE"));
        let bad = [
            answer(Vec::new()),
            answer(vec![bytes::Bytes::new()]),
            answer(vec![vec![0; CERTIFICATE_BYTES + 1].into()]),
            answer(vec![one().remove(0); CERTIFICATES + 1]),
            EnrolResponse {
                not_after_unix_s: 1,
                ..answer(one())
            },
        ];
        for answer in bad {
            ask().answered(&answer, "https://c", None).unwrap_err();
        }
    }
}
