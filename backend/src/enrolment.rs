//! The gRPC service that gives agents their certificates.

use std::time::Duration;

use proto::limits::{CERTIFICATE_REQUEST_BYTES, TOKEN_BYTES};
use proto::reasons;
use proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use proto::v1::{EnrolRequest, EnrolResponse, RenewRequest};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::admission::{Peer, expired, refusal, shut_out};
use crate::authority::{Authority, AuthorityError, Certified, sha256};
use crate::collector::store_status;
use crate::store::{Enrolled, Store, chain};

/// How long after its end a certificate is good for a renewal: a host that was off for so long comes back by itself.
pub const RENEWAL_GRACE: Duration = Duration::from_hours(90 * 24);
/// Largest message, bytes.
const MESSAGE_BYTES: usize = CERTIFICATE_REQUEST_BYTES + TOKEN_BYTES + 1024;

/// The service.
#[derive(Debug, Clone)]
pub struct EnrolmentService {
    store: Store,
    life: Duration,
}

impl EnrolmentService {
    /// Certificates are good for `life`.
    pub fn new(store: Store, life: Duration) -> Self {
        Self { store, life }
    }

    /// The authority, and the certificate for a request.
    async fn certify(&self, request: &[u8]) -> Result<(Authority, Certified), Status> {
        if request.len() > CERTIFICATE_REQUEST_BYTES {
            return Err(Status::invalid_argument(format!(
                "a certificate request of {} bytes: at most {CERTIFICATE_REQUEST_BYTES} are taken",
                request.len()
            )));
        }
        let pair = self
            .store
            .authority()
            .await
            .map_err(|error| store_status(&error))?;
        let pair = pair.ok_or_else(|| {
            Status::failed_precondition(
                "this collector has no authority: make one there with `backend ca init`",
            )
        })?;
        let now = self
            .store
            .now_unix_s()
            .await
            .map_err(|error| store_status(&error))?;
        let authority = Authority::open(pair).map_err(|error| internal(&error))?;
        let certified = authority
            .certify(request, now, self.life)
            .map_err(|error| match error {
                AuthorityError::Request(_) | AuthorityError::AgentId => {
                    Status::invalid_argument(error.to_string())
                }
                AuthorityError::Certificate(_) | AuthorityError::Name(..) => internal(&error),
            })?;
        Ok((authority, certified))
    }
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let EnrolRequest {
            token,
            certificate_request,
        } = request.into_inner();
        if token.len() > TOKEN_BYTES {
            return Err(bad_token());
        }
        let (authority, certified) = self.certify(&certificate_request).await?;
        let agent_id = certified.agent_id;
        let hash = sha256(token.as_bytes());
        let enrolled = self
            .store
            .enrol(&hash, agent_id, certified.not_after_unix_s)
            .await;
        match enrolled.map_err(|error| store_status(&error))? {
            Enrolled::Done => {
                tracing::info!(%agent_id, "agent enrolled");
                Ok(Response::new(answer(&authority, certified)))
            }
            Enrolled::BadToken => Err(bad_token()),
            Enrolled::Revoked => Err(shut_out()),
            Enrolled::Already => Err(refusal(
                Code::AlreadyExists,
                reasons::ALREADY_ENROLLED,
                "this agent has a certificate: a token for this agent is needed",
            )),
        }
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        let known = request
            .extensions()
            .get::<Peer>()
            .and_then(|peer| peer.certificate);
        let shown_id: Option<Uuid> = known.and_then(|shown| shown.agent_id);
        let (Some(shown), Some(agent_id)) = (known, shown_id) else {
            return Err(unknown());
        };
        let grace = i64::try_from(RENEWAL_GRACE.as_secs()).unwrap_or(i64::MAX);
        if shown.not_after_unix_s.saturating_add(grace) < jiff::Timestamp::now().as_second() {
            return Err(expired());
        }
        let (authority, certified) = self.certify(&request.into_inner().certificate_request).await?;
        if certified.agent_id != agent_id {
            return Err(refusal(
                Code::PermissionDenied,
                reasons::AGENT_MISMATCH,
                "the request is for another agent than the certificate",
            ));
        }
        let standing = self.store.standing(agent_id).await;
        if standing.map_err(|error| store_status(&error))?.revoked {
            return Err(shut_out());
        }
        let renewed = self.store.renew(agent_id, certified.not_after_unix_s).await;
        if !renewed.map_err(|error| store_status(&error))? {
            return Err(unknown());
        }
        tracing::debug!(%agent_id, "certificate renewed");
        Ok(Response::new(answer(&authority, certified)))
    }
}

fn answer(authority: &Authority, certified: Certified) -> EnrolResponse {
    let signed = |unix_s| i64::try_from(unix_s).unwrap_or(i64::MAX);
    EnrolResponse {
        certificates: vec![
            certified.certificate.into(),
            authority.certificate().to_vec().into(),
        ],
        issued_unix_s: signed(certified.issued_unix_s),
        not_after_unix_s: signed(certified.not_after_unix_s),
    }
}

fn bad_token() -> Status {
    refusal(
        Code::PermissionDenied,
        reasons::TOKEN_REFUSED,
        "no such token, or it is revoked, expired, used up or for another agent",
    )
}

fn unknown() -> Status {
    refusal(
        Code::Unauthenticated,
        reasons::CERTIFICATE_REQUIRED,
        "a renewal takes the certificate that was issued here",
    )
}

fn internal(error: &AuthorityError) -> Status {
    tracing::error!(error = %chain(error), "the authority failed");
    Status::internal("the authority failed")
}

/// The service with its limits.
pub fn server(service: EnrolmentService) -> EnrolmentServer<EnrolmentService> {
    EnrolmentServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
}
