//! Sends messages to their targets.

mod mail;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::rules::{Rules, Target, Way};
use crate::store::{AlertMessage, AlertState};
use crate::text::hex_digits;

/// Messages in one mail, or in one post to Alertmanager.
const TOGETHER: u16 = 500;
/// Messages that are sent one by one in a turn.
const ONE_BY_ONE: u16 = 32;
/// How long a target may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Fewer bytes are no secret.
pub(super) const SECRET_BYTES: usize = 16;
/// How long Alertmanager believes that an alert lasts, unless it hears of it again: four reminders.
const BELIEVED_S: i64 = 4 * 3600;

/// Why a target did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The file was changed since.
    #[error("there is no target {0:?} in the alerts file any more")]
    NoTarget(String),
    /// A file with a secret or a password.
    #[error("cannot read {path}: {reason}")]
    Secret {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// HTTP.
    #[error("not taken by HTTP")]
    Http(#[source] Box<ureq::Error>),
    /// Mail.
    #[error("not taken by mail: {0}")]
    Mail(String),
    /// This program is ending.
    #[error("not sent")]
    Ended,
}

/// How messages go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Each on its own.
    OneByOne,
    /// All that wait.
    Together,
}

impl Delivery {
    /// How many are sent in a turn at most.
    pub(super) fn a_turn(self) -> u16 {
        match self {
            Self::OneByOne => ONE_BY_ONE,
            Self::Together => TOGETHER,
        }
    }

    /// How many of these at once.
    pub(super) fn at_once(self) -> u16 {
        match self {
            Self::OneByOne => 1,
            Self::Together => TOGETHER,
        }
    }
}

/// Sends. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    targets: Arc<[Target]>,
    pages: Arc<str>,
    agent: Agent,
}

impl Sender {
    pub(super) fn new(rules: &Rules) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .tls_config(tls)
            .build();
        Self {
            targets: rules.targets().into(),
            pages: rules.pages().into(),
            agent: agent.into(),
        }
    }

    fn way(&self, target: &str) -> Option<&Way> {
        let target = self.targets.iter().find(|known| known.name == target)?;
        Some(&target.by)
    }

    /// How a target takes messages.
    pub(super) fn delivery(&self, target: &str) -> Delivery {
        match self.way(target) {
            Some(Way::Webhook { .. }) => Delivery::OneByOne,
            _ => Delivery::Together,
        }
    }

    /// Sends messages once, as many as a target takes at once.
    pub(super) async fn send(&self, target: &str, messages: &[AlertMessage]) -> Result<(), SendError> {
        let way = self.way(target);
        match way.ok_or_else(|| SendError::NoTarget(target.to_owned()))?.clone() {
            Way::Webhook { url, secret_file } => {
                let (sender, messages) = (self.clone(), messages.to_vec());
                let send =
                    move |message: &AlertMessage| sender.webhook(&url, secret_file.as_deref(), message);
                blocking(move || messages.iter().try_for_each(send)).await
            }
            Way::Alertmanager { url } => {
                let alerts = messages
                    .iter()
                    .map(|message| alertmanager(message, &self.link(message)));
                let body: Value = alerts.collect();
                let agent = self.agent.clone();
                let url = format!("{}/api/v2/alerts", url.trim_end_matches('/'));
                blocking(move || posted(agent.post(&url).send_json(&body))).await
            }
            Way::Mail {
                server,
                password_file,
                from,
                to,
            } => {
                let password = password_file.as_deref().map(|path| secret(path, 1)).transpose()?;
                let letter = mail::letter(&from, &to, messages, &self.pages)?;
                mail::send(&server, password, letter).await
            }
        }
    }

    fn webhook(
        &self,
        url: &str,
        secret_file: Option<&Path>,
        message: &AlertMessage,
    ) -> Result<(), SendError> {
        let body = webhook(message, &self.link(message)).to_string();
        let mut request = self
            .agent
            .post(url)
            .header("content-type", "application/json")
            .header("x-telemetrics-id", message.id.to_string());
        if let Some(path) = secret_file {
            let now = Timestamp::now().as_second();
            request = request.header(
                "x-telemetrics-signature",
                signature(&secret(path, SECRET_BYTES)?, now, &body),
            );
        }
        posted(request.send(body))
    }

    fn link(&self, message: &AlertMessage) -> String {
        link(&self.pages, message)
    }
}

/// Where it can be looked at; empty: not known.
fn link(pages: &str, message: &AlertMessage) -> String {
    if pages.is_empty() {
        return String::new();
    }
    format!("{pages}{}", message.text("path"))
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA-256 of `SECONDS.BODY`, so that a message that somebody kept cannot be played again later.
fn signature(secret: &str, unix_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{unix_s}.{body}").as_bytes());
    format!("t={unix_s},v1={}", hex_digits(tag.as_ref()))
}

fn webhook(message: &AlertMessage, link: &str) -> Value {
    let mut body = message.message.clone();
    body["id"] = message.id.to_string().into();
    body["url"] = link.into();
    body
}

/// One of `POST /api/v2/alerts` (prometheus/alertmanager, api/v2/openapi.yaml, postableAlerts).
fn alertmanager(message: &AlertMessage, link: &str) -> Value {
    let told = &message.message;
    let ends = match message.state() {
        AlertState::Firing => Timestamp::now().as_second().saturating_add(BELIEVED_S),
        AlertState::Resolved => Timestamp::now().as_second(),
    };
    json!({
        "labels": {
            "alertname": told["rule"],
            "object": told["object"],
            "severity": told["severity"],
            "source": "telemetrics",
        },
        "annotations": { "summary": told["summary"] },
        "startsAt": told["since"],
        "endsAt": Timestamp::from_second(ends).unwrap_or_default().to_string(),
        "generatorURL": link,
    })
}

fn posted<T>(answer: Result<T, ureq::Error>) -> Result<(), SendError> {
    answer.map(drop).map_err(|error| SendError::Http(Box::new(error)))
}

/// A secret or a password of a file, of at least so many bytes.
pub(super) fn secret(path: &Path, least: usize) -> Result<String, SendError> {
    let failed = |reason: String| SendError::Secret {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() < least {
        return Err(failed(format!(
            "it has {} bytes, and {least} are the least",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

async fn blocking(send: impl FnOnce() -> Result<(), SendError> + Send + 'static) -> Result<(), SendError> {
    tokio::task::spawn_blocking(send)
        .await
        .unwrap_or(Err(SendError::Ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `printf '1700000000.{}' | openssl dgst -sha256 -hmac 'sixteen bytes !!'`.
    #[test]
    fn messages_are_signed_as_documented() {
        assert_eq!(
            signature("sixteen bytes !!", 1_700_000_000, "{}"),
            "t=1700000000,v1=f161dc4c2cba8ddae6d836463f9177cf9d2e16965e51362aa7a021a6594cd5f9"
        );
    }
}
