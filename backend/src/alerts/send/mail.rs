//! Mail by SMTP: what is told at the same time is in one letter.

use std::collections::BTreeMap;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use uuid::Uuid;

use super::{PATIENCE, SendError, link};
use crate::store::{AlertMessage, AlertState};

/// Alerts of a rule that a letter has; it says how many more there are.
const OF_A_RULE: usize = 50;
/// Rules that it has.
const RULES: usize = 20;

/// Sends a letter to all that it is for.
pub(super) async fn send(server: &str, password: Option<String>, letter: Message) -> Result<(), SendError> {
    let failed = |error: &dyn std::error::Error| SendError::Mail(crate::store::chain(error));
    let server = with_password(server, password);
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&server)
        .map_err(|error| failed(&error))?
        .timeout(Some(PATIENCE))
        .build();
    transport
        .send(letter)
        .await
        .map(drop)
        .map_err(|error| failed(&error))
}

/// `smtp://user@host` becomes `smtp://user:password@host`.
fn with_password(server: &str, password: Option<String>) -> String {
    let Some(password) = password else {
        return server.to_owned();
    };
    let escaped: String = form_urlencoded::byte_serialize(password.as_bytes())
        .collect::<String>()
        .replace('+', "%20");
    server.replacen('@', &format!(":{escaped}@"), 1)
}

/// A letter about these.
pub(super) fn letter(
    from: &str,
    to: &[String],
    messages: &[AlertMessage],
    pages: &str,
) -> Result<Message, SendError> {
    let mailbox = |address: &str| {
        address
            .parse::<Mailbox>()
            .map_err(|error| SendError::Mail(format!("{address:?} is no address: {error}")))
    };
    let (subject, body) = match messages {
        [message] => alone(message, pages),
        _ => digest(messages, pages),
    };
    let mut letter: MessageBuilder = Message::builder()
        .from(mailbox(from)?)
        .subject(line(&subject))
        .message_id(Some(format!("<{}@telemetrics>", id(messages))))
        .header(ContentType::TEXT_PLAIN);
    for address in to {
        letter = letter.to(mailbox(address)?);
    }
    letter
        .body(body)
        .map_err(|error| SendError::Mail(error.to_string()))
}

/// The same for the same messages, and that of the message where it is one.
fn id(messages: &[AlertMessage]) -> Uuid {
    Uuid::from_u128(messages.iter().fold(0, |id, message| id ^ message.id.as_u128()))
}

/// One line, whatever a title of a stranger holds.
fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Subject and text of a letter about one.
fn alone(message: &AlertMessage, pages: &str) -> (String, String) {
    let text = |key: &str| message.text(key);
    let word = word(message);
    let subject = format!("[{}] {word}{}", text("rule"), text("summary"));
    let body = format!(
        "{word}{}\r\n\r\nRule:     {}\r\nObject:   {}\r\nSeverity: {}\r\nSince:    {}\r\n{}\r\n",
        text("summary"),
        text("rule"),
        text("object"),
        text("severity"),
        text("since"),
        link(pages, message),
    );
    (subject, body)
}

/// Those of a letter about many, rule by rule.
fn digest(messages: &[AlertMessage], pages: &str) -> (String, String) {
    let mut rules = BTreeMap::<&str, Vec<&AlertMessage>>::new();
    for message in messages {
        rules.entry(message.text("rule")).or_default().push(message);
    }
    let resolved = match messages.iter().filter(|message| is_resolved(message)).count() {
        0 => String::new(),
        count => format!(", {count} of them resolved"),
    };
    let subject = match rules.keys().next() {
        Some(rule) if rules.len() == 1 => format!("[{rule}] {} alerts{resolved}", messages.len()),
        _ => format!("{} alerts of {} rules{resolved}", messages.len(), rules.len()),
    };
    let mut lines = vec![line(&subject)];
    for (rule, messages) in rules.iter().take(RULES) {
        lines.extend([String::new(), format!("{}: {}", line(rule), messages.len())]);
        lines.extend(
            messages
                .iter()
                .take(OF_A_RULE)
                .flat_map(|message| entry(message, pages)),
        );
        if let Some(more @ 1..) = messages.len().checked_sub(OF_A_RULE) {
            lines.push(format!("and {more} more: `backend alert list`"));
        }
    }
    if let Some(more @ 1..) = rules.len().checked_sub(RULES) {
        lines.extend([
            String::new(),
            format!("and {more} more rules: `backend alert list`"),
        ]);
    }
    lines.push(String::new());
    (subject, lines.join("\r\n"))
}

/// The lines that a digest has about one.
fn entry(message: &AlertMessage, pages: &str) -> Vec<String> {
    let text = |key: &str| message.text(key);
    let said = format!(
        "- {}{}: {} (since {})",
        word(message),
        text("severity"),
        text("summary"),
        text("since")
    );
    let mut lines = vec![line(&said)];
    let link = link(pages, message);
    if !link.is_empty() {
        lines.push(format!("  {}", line(&link)));
    }
    lines
}

fn is_resolved(message: &AlertMessage) -> bool {
    message.state() == AlertState::Resolved
}

fn word(message: &AlertMessage) -> &'static str {
    if is_resolved(message) { "Resolved: " } else { "" }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn message(rule: &str, number: usize, state: &str) -> AlertMessage {
        AlertMessage {
            id: Uuid::from_u128(number as u128 + 1),
            target: "mail".to_owned(),
            message: json!({
                "state": state,
                "rule": rule,
                "severity": "medium",
                "summary": format!("web-{number} has been\r\nsilent"),
                "since": "2026-01-08T10:20:30Z",
                "path": format!("/hosts/{number}"),
            }),
            attempts: 0,
            age: Duration::ZERO,
        }
    }

    #[test]
    fn a_digest_goes_rule_by_rule_and_says_what_it_leaves_out() {
        let mut messages: Vec<_> = (0..60).map(|host| message("silent", host, "firing")).collect();
        let (subject, _) = digest(&messages, "");
        assert_eq!(subject, "[silent] 60 alerts");
        messages.push(message("a memory module fails", 60, "resolved"));
        let (subject, body) = digest(&messages, "https://t.example");
        assert_eq!(subject, "61 alerts of 2 rules, 1 of them resolved");
        let lines: Vec<_> = body.lines().collect();
        assert_eq!(
            &lines[..6],
            [
                "61 alerts of 2 rules, 1 of them resolved",
                "",
                "a memory module fails: 1",
                "- Resolved: medium: web-60 has been  silent (since 2026-01-08T10:20:30Z)",
                "  https://t.example/hosts/60",
                "",
            ]
        );
        assert_eq!(lines[6], "silent: 60");
        assert_eq!(lines.last(), Some(&"and 10 more: `backend alert list`"));
        assert_eq!(lines.len(), 7 + 2 * OF_A_RULE + 1);
        assert_eq!(id(&messages[..1]), messages[0].id);
    }

    #[test]
    fn a_password_goes_behind_the_user() {
        let with = |server| with_password(server, Some("p@ss w/rd".to_owned()));
        assert_eq!(
            with("smtps://ops@mail.example:465"),
            "smtps://ops:p%40ss%20w%2Frd@mail.example:465"
        );
        assert_eq!(with_password("smtp://mail.example", None), "smtp://mail.example");
    }
}
