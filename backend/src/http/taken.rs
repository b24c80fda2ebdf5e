//! What a request says, taken as handlers want it; what cannot be read is refused in the form of the answer.

use std::convert::Infallible;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, uri::InvalidUri};
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::access::Frame;
use super::error::{self, Refusal};
use super::form_of;
use crate::access::Caller;

/// The parameters of an address.
pub(super) struct FromQuery<T>(pub(super) T);

/// The fields of a form that was sent.
pub(super) struct FromForm<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for FromQuery<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let form = form_of(parts.uri.path());
        let query = parts.uri.query().unwrap_or_default();
        let read = match form {
            error::Form::Json => in_query(query).map_err(Refusal::Request),
            error::Form::Page => from_query(query),
        };
        read.map(Self).map_err(|wrong| wrong.answer(form))
    }
}

/// What the address of a page asks for.
pub(super) fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Refusal> {
    in_query(&given(query)).map_err(Refusal::Request)
}

/// What a query string says, or what is wrong with it.
fn in_query<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    if query.contains("%00") {
        return Err("no parameter has a NUL character".to_owned());
    }
    let uri: Uri = format!("/?{query}")
        .parse()
        .map_err(|error: InvalidUri| error.to_string())?;
    let Query(asked) = Query::try_from_uri(&uri).map_err(|error| in_words(&error.body_text()))?;
    Ok(asked)
}

/// The parameters that have a value, for one without is not given: that is what an HTML form sends.
fn given(query: &str) -> String {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given)
        .finish()
}

/// What parsers say, and what people are told.
const WORDS: [(&str, &str); 8] = [
    ("Failed to deserialize query string: ", ""),
    ("Failed to deserialize form body: ", ""),
    ("invalid digit found in string", "a whole number, please"),
    (
        "number too large to fit in target type",
        "that number is too large",
    ),
    ("invalid float literal", "a number, please"),
    ("unknown variant ", ""),
    ("unknown field ", ""),
    (", expected one of ", " is none of "),
];

/// A body that is too long, or one that is wrong.
pub(super) fn refused_body(status: StatusCode, wrong: &str) -> Refusal {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLong,
        _ => Refusal::Request(wrong.to_owned()),
    }
}

/// What is wrong, without who found it.
fn in_words(error: &str) -> String {
    let told = WORDS.iter();
    told.fold(error.to_owned(), |error, (said, words)| {
        error.replace(said, words)
    })
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for FromForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let form = form_of(request.uri().path());
        let read = Form::from_request(request, state).await;
        let Form(sent) = read.map_err(|error: FormRejection| {
            refused_body(error.status(), &in_words(&error.body_text())).answer(form)
        })?;
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
