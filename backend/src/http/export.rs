//! Records as files.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio_stream::wrappers::ReceiverStream;

use super::error::{ApiError, Refusal};
use super::query::BadQuery;
use super::{App, query};
use crate::export::{ExportError, Format, export};
use crate::store::chain;

/// Exports that run at the same time.
pub(super) const EXPORTS: usize = 4;
/// Pieces that wait for a slow reader.
const PIECES: usize = 2;

/// Records as a file
///
/// Of any size: it is streamed, newest first. A connection that ends early means that not everything came. What a spreadsheet
/// would take for a formula has a single quotation mark before it in CSV.
#[utoipa::path(
    get,
    path = "/api/v1/faults/export",
    operation_id = "export_faults",
    tag = "faults",
    params(
        ("format" = Option<String>, Query, description = "`csv` (if nothing is said), `jsonl` or `parquet`"),
        query::FilterParameters,
    ),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/csv"), (String = "application/jsonl"), (String = "application/vnd.apache.parquet"),
        )),
        super::openapi::Refusals,
    )
)]
pub(super) async fn faults(State(app): State<App>, RawQuery(raw): RawQuery) -> Result<Response, ApiError> {
    let (request, format) = query::parse_with(&raw.unwrap_or_default(), Some("format"))?;
    if request.page_size != 0 || !request.page_token.is_empty() {
        let whole = "an export has no pages: leave page_size and page_token out";
        return Err(Refusal::Request(whole.to_owned()).into());
    }
    let format = format_of(format.as_deref())?;
    // Held until the last piece is sent.
    let permit = std::sync::Arc::clone(&app.exports)
        .try_acquire_owned()
        .map_err(|_none_left| Refusal::BusyExports)?;
    let filter = request.filter.unwrap_or_default();
    let (pieces, mut stream) = mpsc::channel(PIECES);
    let running = tokio::spawn(async move {
        let export = export(&app.store, &filter, format, &pieces);
        let exported = app.shutdown.run_until_cancelled(export).await;
        drop(permit);
        exported.unwrap_or(Err(ExportError::Gone))
    });
    // What is wrong from the start is answered as such.
    let Some(first) = stream.recv().await else {
        return match running.await {
            // Nothing matches, in a format that has no header.
            Ok(Ok(_none)) => Ok(file(format, Body::empty())),
            Ok(Err(ExportError::Store(error))) => Err(error.into()),
            _ => Err(Refusal::Slow.into()),
        };
    };
    let all = futures::stream::once(async { Ok(first) })
        .chain(ReceiverStream::new(stream).map(Ok))
        .chain(futures::stream::once(running).filter_map(|ended| async { early(ended) }));
    Ok(file(format, Body::from_stream(all)))
}

/// An export that did not get to its end; the reader is told by a connection that is cut.
fn early(ended: Result<Result<u64, ExportError>, JoinError>) -> Option<std::io::Result<Bytes>> {
    match ended {
        Ok(Ok(_count)) => None,
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "an export ended early");
            Some(Err(std::io::Error::other(error)))
        }
        Err(error) => Some(Err(std::io::Error::other(error))),
    }
}

fn format_of(name: Option<&str>) -> Result<Format, BadQuery> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(Format::Csv);
    };
    let found = Format::ALL.into_iter().find(|format| format.name() == name);
    found.ok_or(BadQuery::Value {
        name: "format",
        expected: "csv, jsonl or parquet",
    })
}

fn file(format: Format, body: Body) -> Response {
    let name = format!("attachment; filename=\"faults.{}\"", format.name());
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    // Invariant: a fixed text and the name of a format.
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
