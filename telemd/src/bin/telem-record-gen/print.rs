//! What is printed: a record, and what became of it.

use std::fmt::Write as _;
use std::path::Path;

use local::legacy::{self, Facts};
use serde_json::json;
use telemd::cli;
use telemd::clock::Moment;
use telemd::config::Config;
use telemd::host;
use telemd::text::chain;
use telemetry::{FieldValue, Kept, Record, SendError};

/// Prints a record: as the frame of Clear Linux's clients says it, or in JSON.
pub(crate) fn echo(record: &Record, config: &Config, json: bool) {
    let submission = record.submission();
    if json {
        let fields: serde_json::Map<_, _> = submission
            .fields
            .iter()
            .map(|field| (field.name.clone(), value_json(field.value.as_ref())))
            .collect();
        let record = json!({
            "classification": submission.classification,
            "severity": submission.severity,
            "payload_version": submission.payload_version,
            "event_id": submission.event_id,
            "payload": submission.payload,
            "fields": fields,
        });
        return cli::say(&record.to_string());
    }
    let mut text = legacy::header_text(submission, &facts(config));
    for field in &submission.fields {
        let value = value_json(field.value.as_ref());
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "field {}: {value}", field.name);
    }
    text.push_str(submission.payload.trim_end_matches('\n'));
    cli::say(&text);
}

fn value_json(value: Option<&FieldValue>) -> serde_json::Value {
    match value {
        Some(FieldValue::Unsigned(number)) => (*number).into(),
        Some(FieldValue::Signed(number)) => (*number).into(),
        Some(FieldValue::Text(text)) => text.as_str().into(),
        // The command line has no bytes.
        Some(FieldValue::Bytes(_)) | None => serde_json::Value::Null,
    }
}

/// What became of a record.
pub(crate) fn outcome_json(outcome: &Result<Kept, SendError>) -> serde_json::Value {
    match outcome {
        Ok(Kept::Durable(seq)) => json!({"outcome": "kept", "seq": seq}),
        Ok(Kept::Counted) => json!({"outcome": "counted"}),
        Err(error @ SendError::Refused { reason, .. }) => {
            let reason = reason.as_str_name().trim_start_matches("REFUSAL_REASON_");
            json!({
                "outcome": "refused", "reason": reason.to_lowercase(), "message": error.to_string(),
            })
        }
        Err(SendError::NotOptedIn) => {
            let message = SendError::NotOptedIn.to_string();
            json!({"outcome": "refused", "reason": "not_opted_in", "message": message})
        }
        Err(error) => json!({"outcome": "failed", "message": chain(error)}),
    }
}

fn facts(config: &Config) -> Facts {
    let host = host::facts(Path::new("/"), config.hostname.as_deref());
    Facts {
        created_s: Moment::now().unix_ns / 1_000_000_000,
        arch: host.arch,
        host_type: host.product,
        build: host.os_build,
        kernel_version: host.kernel_release,
        system_name: host.os_id,
        board_name: host.board,
        cpu_model: host.cpu_model,
        bios_version: host.bios,
    }
}
