//! The description of the REST API says what is there, and all of it.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;

use super::routes::{get, send};

async fn described() -> Value {
    let answer = get("/api/v1/openapi.json").await;
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn every_route_of_the_api_is_described_and_every_description_is_of_one() {
    let described = described().await;
    assert_eq!(described["openapi"], "3.1.0");
    let id = "0193a5c0-0000-7000-8000-000000000001";
    let issue = "00112233445566778899aabbccddeeff";
    let mut names = BTreeSet::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        let address = path
            .replace("{id}", id)
            .replace("{agent}", id)
            .replace("{issue}", issue);
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(name), "{operation}");
            let request = Request::builder()
                .method(method.to_ascii_uppercase().as_str())
                .uri(&address)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from("{}"))
                .unwrap();
            let status = send(request).await.status;
            let missing = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
            assert!(!missing.contains(&status), "{method} {path}: {status}");
        }
    }
    // They are only added together with their description.
    let added = include_str!("../../http.rs");
    assert!(!added.contains(".route(\"/api"), "describe it: api_routes()");
}

#[tokio::test]
async fn every_route_says_what_it_may_answer_instead() {
    let described = described().await;
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for status in ["400", "401", "403", "404", "405", "413", "414", "500", "503"] {
                let content = &operation["responses"][status]["content"];
                // Old scripts know their own form of what is wrong with a question.
                let kind = match (path.as_str(), status) {
                    ("/api/records", "400") => "application/json",
                    _ => "application/problem+json",
                };
                assert!(content[kind].is_object(), "{method} {path} {status}: {content}");
            }
        }
    }
}

#[tokio::test]
async fn the_description_refers_to_what_is_there_only() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let described = described().await;
    let mut found = Vec::new();
    references(&described, &mut found);
    assert!(found.contains(&"#/components/schemas/Fault"));
    assert!(found.contains(&"#/components/schemas/KernelReport"));
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(described.pointer(pointer).is_some(), "{reference}");
    }
}

/// Where a description leaves the form of something open.
fn untyped(schema: &Value, place: &str, found: &mut Vec<String>) {
    let mut within: Vec<(String, &Value)> = Vec::new();
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        within.push((format!("{place}.{key}"), value));
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        let all = schema[several].as_array().into_iter().flatten();
        within.extend(all.map(|one| (place.to_owned(), one)));
    }
    if let Some(items) = schema.get("items") {
        within.push((format!("{place}[]"), items));
    }
    let scalars = ["string", "number", "integer", "boolean", "null"];
    let is_scalar = |kind: &Value| kind.as_str().is_some_and(|kind| scalars.contains(&kind));
    let kind = &schema["type"];
    let is_one = is_scalar(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().all(is_scalar));
    if within.is_empty() && !is_one && schema.get("$ref").is_none() {
        found.push(place.to_owned());
    }
    for (place, schema) in within {
        untyped(schema, &place, found);
    }
}

#[tokio::test]
async fn every_answer_of_the_api_has_its_form_described() {
    let described = described().await;
    let mut found = Vec::new();
    for (name, schema) in described["components"]["schemas"].as_object().unwrap() {
        untyped(schema, name, &mut found);
    }
    for (path, operations) in described["paths"].as_object().unwrap() {
        // Its form is a standard of its own.
        if path == "/api/v1/openapi.json" {
            continue;
        }
        for (method, operation) in operations.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("200"), "{method} {path}");
            let bodies = answers.values().chain(operation.get("requestBody"));
            for (kind, content) in bodies.flat_map(|body| body["content"].as_object().unwrap()) {
                untyped(
                    &content["schema"],
                    &format!("{method} {path}: {kind}"),
                    &mut found,
                );
            }
        }
    }
    assert!(found.is_empty(), "say what these are: {found:#?}");
}
