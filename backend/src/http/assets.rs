//! The style sheet, the script and the pictures, built into the program.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::{Form, Refusal};

/// Browsers ask each time whether a file has changed: a new version of the program is seen at once.
const ASK_EACH_TIME: &str = "no-cache";

/// Name, content type and content.
const FILES: [(&str, &str, &str); 4] = [
    (
        "app.css",
        "text/css; charset=utf-8",
        include_str!("../../static/app.css"),
    ),
    (
        "app.js",
        "text/javascript; charset=utf-8",
        include_str!("../../static/app.js"),
    ),
    (
        "chevron.svg",
        "image/svg+xml",
        include_str!("../../static/chevron.svg"),
    ),
    (
        "favicon.svg",
        "image/svg+xml",
        include_str!("../../static/favicon.svg"),
    ),
];

/// `GET /static/{name}`.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, content_type, content)) = FILES.into_iter().find(|(known, ..)| *known == name) else {
        return Refusal::NoRoute.answer(Form::Page);
    };
    let tag = format!("\"{:08x}\"", crc32c::crc32c(content.as_bytes()));
    let current = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let cache = [
        (header::CACHE_CONTROL, ASK_EACH_TIME.to_owned()),
        (header::ETAG, tag),
    ];
    if current {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(header::CONTENT_TYPE, content_type)], content).into_response()
}
