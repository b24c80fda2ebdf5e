//! Mail by SMTP.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::{PATIENCE, SendError};
use crate::store::{AlertMessage, AlertState};

/// Sends one mail to all.
pub(super) async fn send(
    server: &str,
    password: Option<String>,
    from: &str,
    to: &[String],
    message: &AlertMessage,
    link: &str,
) -> Result<(), SendError> {
    let failed = |error: &dyn std::error::Error| SendError::Mail(crate::store::chain(error));
    let mail = letter(from, to, message, link)?;
    let server = with_password(server, password);
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&server)
        .map_err(|error| failed(&error))?
        .timeout(Some(PATIENCE))
        .build();
    transport
        .send(mail)
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

fn letter(from: &str, to: &[String], message: &AlertMessage, link: &str) -> Result<Message, SendError> {
    let mailbox = |address: &str| {
        address
            .parse::<Mailbox>()
            .map_err(|error| SendError::Mail(format!("{address:?} is no address: {error}")))
    };
    let text = |key: &str| message.message[key].as_str().unwrap_or_default();
    let word = match message.state() {
        AlertState::Firing => "",
        AlertState::Resolved => "Resolved: ",
    };
    // A header has one line, whatever a title of a stranger holds.
    let subject = format!("[{}] {word}{}", text("rule"), text("summary")).replace(char::is_control, " ");
    let mut letter: MessageBuilder = Message::builder()
        .from(mailbox(from)?)
        .subject(subject)
        .message_id(Some(format!("<{}@telemetrics>", message.id)))
        .header(ContentType::TEXT_PLAIN);
    for address in to {
        letter = letter.to(mailbox(address)?);
    }
    let body = format!(
        "{word}{}\r\n\r\nRule:     {}\r\nObject:   {}\r\nSeverity: {}\r\nSince:    {}\r\n{link}\r\n",
        text("summary"),
        text("rule"),
        text("object"),
        text("severity"),
        text("since"),
    );
    letter
        .body(body)
        .map_err(|error| SendError::Mail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
