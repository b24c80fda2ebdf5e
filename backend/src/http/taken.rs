//! What a request says, taken as handlers want it; what cannot be read is refused in the form of the answer.

use std::convert::Infallible;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::access::Frame;
use super::error::Refusal;
use super::form_of;
use crate::access::Caller;

/// The parameters of an address.
pub(super) struct FromQuery<T>(pub(super) T);

/// The fields of a form that was sent.
pub(super) struct FromForm<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for FromQuery<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let read = Query::from_request_parts(parts, state).await;
        let Query(asked) = read.map_err(|error: QueryRejection| {
            Refusal::Request(error.body_text()).answer(form_of(parts.uri.path()))
        })?;
        Ok(Self(asked))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for FromForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let form = form_of(request.uri().path());
        let read = Form::from_request(request, state).await;
        let Form(sent) =
            read.map_err(|error: FormRejection| Refusal::Request(error.body_text()).answer(form))?;
        Ok(Self(sent))
    }
}

/// The frame of a page at this address, for whoever asks.
impl<S: Send + Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>();
        Ok(caller.map_or_else(Self::default, |caller| Self::new(caller, parts.uri.path())))
    }
}
