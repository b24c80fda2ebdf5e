//! What the forms of the page send.

use serde::Deserialize;

use crate::http::view::AdminForms;

/// What a form of the page sends: which it is, and its fields as they were written.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::http) enum Action {
    /// Make a token that hosts enrol with.
    CreateToken {
        uses: String,
        expires: String,
        note: String,
    },
    /// Withdraw one.
    RevokeToken { id: String },
    /// Add somebody, or give them a new password.
    SetPerson {
        name: String,
        role: String,
        password: String,
    },
    /// Give somebody another role.
    SetRole { name: String, role: String },
    /// Remove somebody.
    RemovePerson { name: String },
    /// Add a rule of what is given up.
    AddRetention {
        position: String,
        class: String,
        max_severity: String,
        agent_id: String,
        keep_days: String,
    },
    /// Take one away.
    RemoveRetention { position: String },
    /// Tell nobody of something for some time.
    Silence {
        rule: String,
        object: String,
        time: String,
        note: String,
    },
    /// Tell again.
    Unsilence { rule: String, object: String },
}

impl Action {
    /// The part of the page that its form is in.
    pub(super) fn part(&self) -> &'static str {
        match self {
            Self::CreateToken { .. } | Self::RevokeToken { .. } => "tokens",
            Self::SetPerson { .. } | Self::SetRole { .. } | Self::RemovePerson { .. } => "people",
            Self::AddRetention { .. } | Self::RemoveRetention { .. } => "retention",
            Self::Silence { .. } | Self::Unsilence { .. } => "alerts",
        }
    }

    /// The forms of the page with what was written in this one, but for a password.
    pub(super) fn forms(&self) -> AdminForms {
        let mut forms = AdminForms {
            part: self.part(),
            ..AdminForms::default()
        };
        match self.clone() {
            Self::CreateToken { uses, expires, note } => {
                (forms.uses, forms.expires, forms.token_note) = (uses, expires, note);
            }
            Self::SetPerson { name, role, .. } => (forms.name, forms.role) = (name, role),
            Self::AddRetention {
                position,
                class,
                max_severity,
                agent_id,
                keep_days,
            } => {
                (forms.position, forms.class, forms.max_severity) = (position, class, max_severity);
                (forms.agent_id, forms.keep_days) = (agent_id, keep_days);
            }
            // The form silences whole rules.
            Self::Silence {
                rule,
                object,
                time,
                note,
            } if object.is_empty() => {
                (forms.rule, forms.time, forms.silence_note) = (rule, time, note);
            }
            _ => {}
        }
        forms
    }
}
