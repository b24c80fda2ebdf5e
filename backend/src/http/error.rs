//! What a client is told when a request cannot be answered. The inner reason goes to the log.

use askama::Template;
use axum::Extension;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::access::Frame;
use super::query::BadQuery;
use crate::access::{Role, SecretError};
use crate::analysis::AnalysisError;
use crate::store::{StoreError, chain};
use crate::symbols::SymbolsError;

/// Seconds after which a client may try again.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// A request that was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// A query string that cannot be read.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// An id that is no UUID.
    #[error("the id of a fault is a UUID of 36 characters")]
    Id,
    /// There is no such fault.
    #[error("there is no fault with this id: it may have been dropped by age")]
    NoFault,
    /// It came without a text.
    #[error("this record has no text of its own")]
    NoText,
    /// A query or a body that cannot be read.
    #[error("{0}")]
    Request(String),
    /// A list that there is not.
    #[error("the list is faults, issues or hosts")]
    Subject,
    /// There is no such issue.
    #[error("there is no issue with this fingerprint")]
    NoIssue,
    /// An id that is no UUID.
    #[error("the id of an agent is a UUID of 36 characters")]
    AgentId,
    /// There is no such host.
    #[error("no host has an agent with this id")]
    NoHost,
    /// No part of a machine has this id.
    #[error("there is no such part, or it has had no errors")]
    NoPart,
    /// There is nothing at this address.
    #[error("there is nothing at this address")]
    NoRoute,
    /// Another method than the address takes.
    #[error(
        "this method is not answered here; what is changed by a form takes POST, everything else GET and HEAD"
    )]
    Method,
    /// A request that another site made a browser send.
    #[error(
        "a page of another site sent this request: what changes something is taken from this site's own pages"
    )]
    CrossSite,
    /// A body that is too long.
    #[error("what is sent here has at most {} bytes", super::BODY_BYTES)]
    TooLong,
    /// The kernel.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Nobody that is known.
    #[error(
        "say who you are: sign in at /login, or send `Authorization: Bearer TOKEN` (`backend api-token create`)"
    )]
    Unknown,
    /// Somebody who may not do this.
    #[error("that takes the role {}, and this caller has {}", .1.name(), .0.name())]
    Role(Role, Role),
    /// It took longer than allowed.
    #[error("the answer took too long; try again soon")]
    Slow,
    /// All exports are taken.
    #[error("as many exports as may be run already; try again when one has ended")]
    BusyExports,
    /// All live streams are taken.
    #[error("too many live streams are open")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no debug files, or they cannot be used.
    #[error(transparent)]
    Symbols(SymbolsError),
    /// Numbers that nothing can be computed with.
    #[error(transparent)]
    Numbers(#[from] statistics::Invalid),
    /// Sums that were not added up to their end.
    #[error("it was not added up to its end")]
    Stopped(tokio::task::JoinError),
    /// A page could not be rendered.
    #[error(transparent)]
    Render(#[from] askama::Error),
}

impl From<AnalysisError> for Refusal {
    fn from(error: AnalysisError) -> Self {
        match error {
            AnalysisError::Store(error) => Self::Store(error),
            AnalysisError::Invalid(error) => Self::Numbers(error),
            AnalysisError::Asked(problem) => Self::Request(problem),
            AnalysisError::Stopped(error) => Self::Stopped(error),
        }
    }
}

impl From<SymbolsError> for Refusal {
    fn from(error: SymbolsError) -> Self {
        match error {
            SymbolsError::Store(error) => Self::Store(error),
            other => Self::Symbols(other),
        }
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Page,
}

#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    heading: &'static str,
    message: String,
    frame: Frame,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Query(BadQuery::TooLong) => StatusCode::URI_TOO_LONG,
            Self::NoFault
            | Self::NoText
            | Self::NoIssue
            | Self::NoHost
            | Self::NoPart
            | Self::NoRoute
            | Self::Symbols(SymbolsError::NotKept) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::CrossSite | Self::Role(..) => StatusCode::FORBIDDEN,
            Self::Store(error) if error.is_denied() => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::Slow
            | Self::Busy
            | Self::BusyExports
            | Self::Store(StoreError::Unavailable(_) | StoreError::Full(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Query(_)
            | Self::Id
            | Self::AgentId
            | Self::Subject
            | Self::Request(_)
            | Self::Numbers(_)
            | Self::Store(
                StoreError::InvalidPageToken
                | StoreError::InvalidIssueId
                | StoreError::InvalidFilter(_)
                | StoreError::InvalidChange(_)
                | StoreError::InvalidPageSize,
            ) => StatusCode::BAD_REQUEST,
            Self::Store(_) | Self::Symbols(_) | Self::Render(_) | Self::Secret(_) | Self::Stopped(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Where it is what was sent that is wrong: what its form says beside it, with this status.
    pub(super) fn of_what_was_sent(&self) -> Option<(StatusCode, String)> {
        let status = self.status();
        matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND).then(|| (status, self.message()))
    }

    /// What the client is told, which is less than the log is.
    fn message(&self) -> String {
        match self {
            Self::Store(StoreError::InvalidPageToken) => {
                "page_token must be a next_page_token of this server for the same filter".into()
            }
            Self::Store(error) if error.is_denied() => {
                "the database does not let this collector do that: its user needs the role telemetrics_pages"
                    .into()
            }
            Self::Store(_) if self.status() == StatusCode::SERVICE_UNAVAILABLE => {
                "the database is not available; try again soon".into()
            }
            Self::Store(_) | Self::Symbols(_) | Self::Render(_) | Self::Secret(_) | Self::Stopped(_)
                if self.status() == StatusCode::INTERNAL_SERVER_ERROR =>
            {
                "something went wrong here; the log of the server has the reason".into()
            }
            other => other.to_string(),
        }
    }

    fn log(&self, status: StatusCode) {
        if let Self::Store(error) = self
            && (status.is_server_error() || error.is_denied())
        {
            tracing::warn!(error = %chain(error), "a request was not answered");
        } else if let Self::Symbols(error) = self
            && status.is_server_error()
        {
            tracing::error!(error = %chain(error), "a stack was not resolved");
        } else if let Self::Render(error) = self {
            tracing::error!(%error, "a page could not be rendered");
        } else if let Self::Stopped(error) = self {
            tracing::error!(%error, "a statistic was not added up to its end");
        }
    }

    /// The answer in the form that was asked for. A page is [`framed`] when it is known who is to see it.
    pub(super) fn answer(&self, form: Form) -> Response {
        let status = self.status();
        self.log(status);
        let mut response = match form {
            Form::Json => problem(status, &self.message()),
            Form::Page => Extension(ErrorPage {
                status: status.as_u16(),
                heading: heading(status),
                message: self.message(),
                frame: Frame::default(),
            })
            .into_response(),
        };
        *response.status_mut() = status;
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S);
        }
        response
    }
}

/// RFC 9457: what went wrong, and in `detail` what to do about it. `code` is that of gRPC, in lower case.
fn problem(status: StatusCode, detail: &str) -> Response {
    let problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "code": code(status),
        "detail": detail,
    });
    let media_type = HeaderValue::from_static("application/problem+json");
    ([(header::CONTENT_TYPE, media_type)], problem.to_string()).into_response()
}

/// Makes the page of a refusal, in the frame of whoever asked. Any other answer stays.
pub(super) fn framed(mut response: Response) -> Response {
    let Some(page) = response.extensions_mut().remove::<ErrorPage>() else {
        return response;
    };
    let frame = response.extensions_mut().remove().unwrap_or_default();
    // Invariant: rendering into a String fails only when a filter does, and this template has none.
    let html = ErrorPage { frame, ..page }.render().unwrap_or_default();
    (response.status(), response.headers().clone(), Html(html)).into_response()
}

fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG | StatusCode::PAYLOAD_TOO_LARGE => {
            "invalid_argument"
        }
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "permission_denied",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "internal",
    }
}

fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG | StatusCode::PAYLOAD_TOO_LARGE => {
            "This request cannot be read"
        }
        StatusCode::UNAUTHORIZED => "Who are you?",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "This is read only",
        StatusCode::SERVICE_UNAVAILABLE => "Not available at the moment",
        _ => "Something went wrong",
    }
}

/// A refusal as the REST API tells it.
#[derive(Debug)]
pub(super) struct ApiError(Refusal);

impl<E: Into<Refusal>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.answer(Form::Json)
    }
}

/// A refusal as a page tells it.
#[derive(Debug)]
pub(super) struct PageError(Refusal);

impl<E: Into<Refusal>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        self.0.answer(Form::Page)
    }
}
