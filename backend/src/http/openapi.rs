//! The description of the REST API, `OpenAPI` 3.1, made from the code: the routes and their parameters from the handlers, the forms
//! of `telemetry.v1` messages from their descriptors by the rules of [`super::json`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder, ServerBuilder};
use utoipa::{IntoResponses, OpenApi};

use super::json;
use crate::descriptors::{ANSWERED, message};

/// What the description says of itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Telemetrics",
        description = "Faults of many machines: what was stored, the issues that it adds up to, and what people decided about \
                       them. Looking takes the role viewer, changing takes triager; programs send `Authorization: Bearer TOKEN` \
                       (`backend api-token create`)."
    ),
    tags(
        (name = "faults", description = "Records that were stored"),
        (name = "issues", description = "What records with one fingerprint add up to"),
        (name = "hosts", description = "Hosts and the builds that they run"),
        (name = "statistics", description = "What the counts say: docs/statistics.md"),
        (name = "about", description = "This description"),
    )
)]
struct About;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// This description
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "describe",
    tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = Value), Refusals)
)]
pub(super) async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

fn document() -> Value {
    let mut api = About::openapi();
    api.merge(super::api_routes().into_openapi());
    api.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    // Invariant: a description is made of texts, lists and maps, which JSON has.
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    document["security"] = json!([{ "token": [] }, {}]);
    let schemas = &mut document["components"]["schemas"];
    for (name, schema) in messages() {
        schemas[name] = schema;
    }
    schemas["Problem"] = json!({
        "type": "object",
        "description": "RFC 9457: what went wrong, and in `detail` what to do about it.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "The code of gRPC, in lower case." },
            "detail": { "type": "string" },
        },
    });
    document
}

/// What every route may answer instead.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = |description: &str| {
            let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
            let content = Content::new(Some(schema));
            let response = ResponseBuilder::new().description(description);
            RefOr::T(response.content("application/problem+json", content).build())
        };
        BTreeMap::from([
            ("400".to_owned(), problem("The request cannot be read")),
            ("401".to_owned(), problem("Nobody that is known")),
            ("403".to_owned(), problem("That takes another role")),
            ("404".to_owned(), problem("There is nothing of this name")),
            ("405".to_owned(), problem("Another method than is described")),
            ("413".to_owned(), problem("The body is too long")),
            ("414".to_owned(), problem("The query string is too long")),
            (
                "500".to_owned(),
                problem("Something went wrong here: the log of the collector has the reason"),
            ),
            (
                "503".to_owned(),
                problem("Not available at the moment; Retry-After says when to try again"),
            ),
        ])
    }
}

/// The schemas of all messages that are answered with, and of those within them.
fn messages() -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::new();
    let mut open: Vec<MessageDescriptor> = ANSWERED.iter().map(|name| message(name)).collect();
    let mut seen = BTreeSet::new();
    while let Some(message) = open.pop() {
        if !seen.insert(message.name().to_owned()) {
            continue;
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields() {
            let name = json::name(&field);
            if !field.supports_presence() {
                required.push(name.clone());
            }
            properties.insert(name, schema(&field));
            if let Kind::Message(inner) = field.kind() {
                open.push(inner);
            }
        }
        let mut object = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            object["required"] = json!(required);
        }
        schemas.insert(message.name().to_owned(), object);
    }
    schemas
}

fn schema(field: &FieldDescriptor) -> Value {
    let one = match field.kind() {
        _ if json::is_moment(field) => json!({ "type": ["string", "null"], "format": "date-time" }),
        Kind::Message(inner) => json!({ "$ref": format!("#/components/schemas/{}", inner.name()) }),
        Kind::Enum(values) => {
            let names: Vec<Value> = values
                .values()
                .map(|value| json::enumeration(field, value.number()))
                .collect();
            // Values from the future are numbers.
            json!({ "anyOf": [{ "type": "string", "enum": names }, { "type": "integer" }] })
        }
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Double | Kind::Float => json!({ "type": "number" }),
        Kind::Fixed64 if !json::is_duration(field) => {
            json!({ "type": "string", "pattern": "^0x[0-9a-f]{16}$" })
        }
        Kind::String | Kind::Bytes => json!({ "type": "string" }),
        _ => json!({ "type": "integer" }),
    };
    if field.is_list() {
        return json!({ "type": "array", "items": one });
    }
    one
}
