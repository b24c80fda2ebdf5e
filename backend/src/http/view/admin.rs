//! Administration: who may deliver and who may ask, what is kept, what people are told, and who did what.

use askama::Template;
use jiff::Timestamp;
use serde_json::Value;

use super::list::Choice;
use super::{Moment, grouped, severity_word};
use crate::access::Role;
use crate::http::access::Frame;
use crate::http::{Delivery, Started};
use crate::severity;
use crate::store::{AuditEntry, Person, RetentionRule, Silence, Token, Treated};

/// Entries of the audit log that are shown.
const AUDIT: usize = 100;
/// Tokens that are shown, the newest.
const TOKENS: usize = 50;
/// Alerts that are shown, the worst.
const ALERTS: usize = 50;

/// The page `/admin`.
#[derive(Debug, Template)]
#[template(path = "admin.html")]
pub(in crate::http) struct AdminPage {
    /// A token that was just made; empty: none was.
    pub(in crate::http) made: String,
    /// The command that prints the fingerprint of the collector's own authority; empty: its certificate is of another, or it has none.
    pub(in crate::http) ca_show: String,
    /// What its options mean; empty: that is seen.
    pub(in crate::http) options_note: &'static str,
    pub(in crate::http) forms: AdminForms,
    pub(in crate::http) tokens: Vec<TokenRow>,
    pub(in crate::http) people: Vec<PersonRow>,
    pub(in crate::http) roles: Vec<Choice>,
    pub(in crate::http) retention: Vec<RuleRow>,
    pub(in crate::http) severities: Vec<Choice>,
    pub(in crate::http) alerts: Vec<AlertRow>,
    pub(in crate::http) silences: Vec<SilenceRow>,
    /// Rules that can be silenced; none: this collector has none.
    pub(in crate::http) alert_rules: Vec<Choice>,
    pub(in crate::http) privacy: Vec<TreatedRow>,
    pub(in crate::http) audit: Vec<AuditRow>,
    pub(in crate::http) frame: Frame,
}

/// What is in the forms: what they offer, or what was written in one that was refused.
#[derive(Debug)]
pub(in crate::http) struct AdminForms {
    /// The part of the page with the one that was refused.
    pub(in crate::http) part: &'static str,
    /// What is wrong with it; empty: nothing was sent.
    pub(in crate::http) wrong: String,
    pub(in crate::http) uses: String,
    pub(in crate::http) expires: String,
    pub(in crate::http) token_note: String,
    pub(in crate::http) name: String,
    pub(in crate::http) role: String,
    /// Empty: the next one.
    pub(in crate::http) position: String,
    pub(in crate::http) class: String,
    pub(in crate::http) max_severity: String,
    pub(in crate::http) agent_id: String,
    pub(in crate::http) keep_days: String,
    pub(in crate::http) rule: String,
    pub(in crate::http) time: String,
    pub(in crate::http) silence_note: String,
}

impl Default for AdminForms {
    fn default() -> Self {
        Self {
            part: "",
            wrong: String::new(),
            uses: "1".to_owned(),
            expires: "1d".to_owned(),
            token_note: String::new(),
            name: String::new(),
            role: Role::Viewer.name().to_owned(),
            position: String::new(),
            class: String::new(),
            max_severity: "critical".to_owned(),
            agent_id: String::new(),
            keep_days: String::new(),
            rule: String::new(),
            time: "1d".to_owned(),
            silence_note: String::new(),
        }
    }
}

impl AdminForms {
    /// What is wrong with the form of a part of the page; empty: nothing.
    fn wrong_in(&self, part: &str) -> &str {
        if self.part == part { &self.wrong } else { "" }
    }
}

/// What is private, and what hosts do to it.
#[derive(Debug)]
pub(in crate::http) struct TreatedRow {
    pub(in crate::http) rule: String,
    pub(in crate::http) treatment: String,
    /// `3 of 120`.
    pub(in crate::http) hosts: String,
}

/// A token that hosts enrol with.
#[derive(Debug)]
pub(in crate::http) struct TokenRow {
    pub(in crate::http) id: String,
    pub(in crate::http) note: String,
    pub(in crate::http) agent: String,
    pub(in crate::http) used: String,
    pub(in crate::http) until: String,
    pub(in crate::http) state: &'static str,
}

/// Somebody who may sign in.
#[derive(Debug)]
pub(in crate::http) struct PersonRow {
    pub(in crate::http) name: String,
    pub(in crate::http) roles: Vec<Choice>,
    pub(in crate::http) since: String,
    pub(in crate::http) sessions: i64,
    /// It is who looks at the page.
    pub(in crate::http) you: bool,
}

/// What is kept for how long.
#[derive(Debug)]
pub(in crate::http) struct RuleRow {
    pub(in crate::http) position: i32,
    pub(in crate::http) class: String,
    pub(in crate::http) severity: String,
    pub(in crate::http) host: String,
    pub(in crate::http) keep: String,
}

/// What people are told.
#[derive(Debug)]
pub(in crate::http) struct AlertRow {
    pub(in crate::http) rule: String,
    pub(in crate::http) object: String,
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) summary: String,
    /// The page that shows it.
    pub(in crate::http) href: String,
    pub(in crate::http) since: String,
    pub(in crate::http) silenced: bool,
    /// Why a message was not taken; empty: it was.
    pub(in crate::http) failed: String,
}

/// What nobody is told.
#[derive(Debug)]
pub(in crate::http) struct SilenceRow {
    pub(in crate::http) rule: String,
    pub(in crate::http) object: String,
    pub(in crate::http) until: String,
    pub(in crate::http) who: String,
    pub(in crate::http) note: String,
}

/// What somebody did.
#[derive(Debug)]
pub(in crate::http) struct AuditRow {
    pub(in crate::http) at: Option<Moment>,
    pub(in crate::http) who: String,
    pub(in crate::http) action: String,
    pub(in crate::http) object: String,
}

/// What the page is made of.
#[derive(Debug)]
pub(in crate::http) struct AdminInput<'a> {
    pub(in crate::http) forms: AdminForms,
    pub(in crate::http) tokens: Vec<Token>,
    pub(in crate::http) people: Vec<Person>,
    pub(in crate::http) retention: Vec<RetentionRule>,
    /// As `Store::open_alerts_listed` tells them.
    pub(in crate::http) alerts: Vec<Value>,
    pub(in crate::http) silences: Vec<Silence>,
    pub(in crate::http) started: &'a Started,
    /// What hosts take out of their records, and how many hosts there are.
    pub(in crate::http) privacy: (Vec<Treated>, u64),
    pub(in crate::http) audit: Vec<AuditEntry>,
    /// The name of who looks at it.
    pub(in crate::http) you: Option<String>,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl AdminPage {
    pub(in crate::http) fn new(input: AdminInput<'_>) -> Self {
        let AdminInput {
            mut forms,
            you,
            started,
            now,
            ..
        } = input;
        let severities = severity::SEVERITIES.into_iter().map(|(name, _)| Choice {
            label: format!("up to {name}"),
            ..choice(name, &forms.max_severity)
        });
        let severities = severities.collect();
        if forms.position.is_empty() {
            let last = input.retention.last().map_or(0, |rule| rule.position);
            forms.position = last.saturating_add(10).to_string();
        }
        Self {
            made: String::new(),
            ca_show: match started.delivery {
                Delivery::OwnAuthority { .. } => format!("backend ca show{}", started.database.options()),
                Delivery::OtherAuthority | Delivery::Clear => String::new(),
            },
            options_note: started.database.options_note(),
            tokens: input
                .tokens
                .into_iter()
                .take(TOKENS)
                .map(|token| TokenRow::new(token, now))
                .collect(),
            people: input
                .people
                .into_iter()
                .map(|person| PersonRow::new(person, you.as_deref()))
                .collect(),
            roles: roles(&forms.role),
            retention: input.retention.into_iter().map(RuleRow::from).collect(),
            severities,
            alerts: input.alerts.iter().take(ALERTS).map(AlertRow::from).collect(),
            silences: input.silences.into_iter().map(SilenceRow::from).collect(),
            alert_rules: started
                .alert_rules()
                .iter()
                .map(|rule| choice(rule, &forms.rule))
                .collect(),
            forms,
            privacy: treated(&input.privacy),
            audit: input
                .audit
                .into_iter()
                .take(AUDIT)
                .map(|entry| AuditRow::new(entry, now))
                .collect(),
            frame: input.frame,
        }
    }
}

fn choice(name: &str, chosen: &str) -> Choice {
    Choice {
        value: name.to_owned(),
        label: name.to_owned(),
        selected: name == chosen,
    }
}

fn roles(chosen: &str) -> Vec<Choice> {
    Role::ALL.map(|role| choice(role.name(), chosen)).into()
}

/// `2026-11-28`.
fn date(unix_s: i64) -> String {
    let at = Timestamp::from_second(unix_s).unwrap_or_default();
    at.strftime("%Y-%m-%d").to_string()
}

impl TokenRow {
    fn new(token: Token, now: Timestamp) -> Self {
        let state = if token.revoked {
            "revoked"
        } else if token.used >= token.uses {
            "used up"
        } else if token.expires_unix_s <= now.as_second() {
            "expired"
        } else {
            "good"
        };
        Self {
            id: token.id,
            note: token.note,
            agent: token.agent_id.map(|id| id.to_string()).unwrap_or_default(),
            used: format!("{} of {}", token.used, token.uses),
            until: date(token.expires_unix_s),
            state,
        }
    }
}

impl PersonRow {
    fn new(person: Person, you: Option<&str>) -> Self {
        Self {
            you: you == Some(person.name.as_str()),
            name: person.name,
            roles: roles(&person.role),
            since: date(person.created_unix_s),
            sessions: person.sessions,
        }
    }
}

impl From<RetentionRule> for RuleRow {
    fn from(rule: RetentionRule) -> Self {
        let severity = i32::from(rule.max_severity).try_into().unwrap_or_default();
        Self {
            position: rule.position,
            class: match rule.class.as_str() {
                "" => "any".to_owned(),
                class if class.ends_with('.') => format!("{class}*"),
                class => class.to_owned(),
            },
            severity: match rule.max_severity {
                4.. => "any".to_owned(),
                _ => format!("up to {}", severity_word(severity)),
            },
            host: rule
                .agent_id
                .map_or_else(|| "any".to_owned(), |id| id.to_string()),
            keep: match rule.keep_days {
                None => "for ever".to_owned(),
                Some(1) => "1 day".to_owned(),
                Some(days) => format!("{days} days"),
            },
        }
    }
}

impl From<&Value> for AlertRow {
    fn from(alert: &Value) -> Self {
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        Self {
            rule: text("rule"),
            object: text("object"),
            severity: severity::of_word(&text("severity")).map_or("", severity_word),
            summary: text("summary"),
            href: text("path"),
            since: text("since")
                .chars()
                .take(16)
                .collect::<String>()
                .replace('T', " "),
            silenced: alert["silenced"] == true,
            failed: text("failed"),
        }
    }
}

fn treated((privacy, hosts): &(Vec<Treated>, u64)) -> Vec<TreatedRow> {
    let row = |treated: &Treated| {
        let (rule, treatment) = treated.what.split_once(' ').unwrap_or((&treated.what, ""));
        TreatedRow {
            rule: rule.to_owned(),
            treatment: treatment.to_owned(),
            hosts: format!("{} of {}", grouped(treated.hosts), grouped(*hosts)),
        }
    };
    privacy.iter().map(row).collect()
}

impl From<Silence> for SilenceRow {
    fn from(silence: Silence) -> Self {
        let until = Timestamp::from_second(silence.until_unix_s).unwrap_or_default();
        Self {
            rule: silence.rule,
            object: silence.object,
            until: until.strftime("%Y-%m-%d %H:%M").to_string(),
            who: silence.who,
            note: silence.note,
        }
    }
}

impl AuditRow {
    fn new(entry: AuditEntry, now: Timestamp) -> Self {
        let unix_ns = u64::try_from(entry.unix_s)
            .unwrap_or(0)
            .saturating_mul(1_000_000_000);
        Self {
            at: Moment::new(unix_ns, now),
            who: entry.who,
            action: entry.action,
            object: entry.object,
        }
    }
}
