//! Severities by the words that people and programs use.

use proto::v1::Severity;
use serde::Serializer;

/// Each with its word, the least first.
pub(crate) const SEVERITIES: [(&str, Severity); 4] = [
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

/// The word for a severity; empty when it is not specified.
pub(crate) fn word(severity: Severity) -> &'static str {
    SEVERITIES
        .iter()
        .find(|(_, known)| *known == severity)
        .map_or("", |(word, _)| word)
}

/// Writes its word.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
pub(crate) fn serialize<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word(*severity))
}

/// The severity of a word, or of its number.
pub(crate) fn of_word(word: &str) -> Option<Severity> {
    SEVERITIES
        .iter()
        .find(|(name, severity)| word.eq_ignore_ascii_case(name) || word == i32::from(*severity).to_string())
        .map(|(_, severity)| *severity)
}
