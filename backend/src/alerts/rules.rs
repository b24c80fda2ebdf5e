//! The alerts file: which rules there are, and who is told.

mod condition;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use self::condition::some_time;
pub use self::condition::{Condition, Severity};
use super::send::{SECRET_BYTES, SendError, secret};
use crate::text::is_of_the_web;

/// Rules and targets that a file may have of each.
const MOST: usize = 100;
/// Alertmanager takes an alert for resolved that it does not hear of for some time.
const REMIND_ALERTMANAGER: Duration = Duration::from_hours(1);

/// An alerts file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    rule: Vec<Rule>,
    #[serde(default)]
    target: Vec<Target>,
    /// Where the pages are, for links: `https://telemetry.example`. Empty: messages have none.
    #[serde(default)]
    pages: String,
}

/// What is looked for, and who is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name, by which it is silenced.
    pub name: String,
    /// What is looked for.
    pub when: Condition,
    /// Names of those that are told.
    pub targets: Vec<String>,
    /// How often they are told again while it lasts. Left out: never; Alertmanager is every hour.
    #[serde(default, deserialize_with = "time")]
    pub remind: Option<Duration>,
}

/// Somebody who is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name.
    pub name: String,
    /// How.
    pub by: Way,
}

/// How somebody is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Way {
    /// `POST` of JSON to an address, signed with HMAC-SHA-256.
    Webhook {
        /// The address.
        url: String,
        /// File with the secret of the signature, at least 16 bytes. Left out: it is not signed.
        #[serde(default)]
        secret_file: Option<PathBuf>,
    },
    /// Prometheus' Alertmanager, by its API v2.
    Alertmanager {
        /// Its address, without `/api/v2/alerts`.
        url: String,
    },
    /// Mail by SMTP.
    Mail {
        /// `smtp://host:25` in clear, `smtp://host:587?tls=required` with STARTTLS, `smtps://host:465` over TLS; with `user@` before the host to
        /// sign in.
        server: String,
        /// File with the password.
        #[serde(default)]
        password_file: Option<PathBuf>,
        /// The sender.
        from: String,
        /// Who gets it.
        to: Vec<String>,
    },
}

/// What is wrong with an alerts file.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is no file of this form.
    #[error("{path}: {reason}")]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// The secret of a target cannot be used.
    #[error("{path}: target {target:?}")]
    Secret {
        /// Which.
        path: PathBuf,
        /// Whose secret.
        target: String,
        /// Why not.
        #[source]
        source: SendError,
    },
}

impl Rules {
    /// Reads a file, and the secrets that it names.
    pub fn read(path: &Path) -> Result<Self, RulesError> {
        let text = std::fs::read_to_string(path).map_err(|source| RulesError::Read {
            path: path.to_owned(),
            source,
        })?;
        let rules = Self::parse(&text).map_err(|reason| RulesError::Form {
            path: path.to_owned(),
            reason,
        })?;
        for target in &rules.target {
            target.check_secret().map_err(|source| RulesError::Secret {
                path: path.to_owned(),
                target: target.name.clone(),
                source,
            })?;
        }
        Ok(rules)
    }

    /// The same from text; what is wrong is said for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rules: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if rules.rule.len() > MOST || rules.target.len() > MOST {
            return Err(format!("at most {MOST} rules and {MOST} targets"));
        }
        if !rules.pages.is_empty() && !is_of_the_web(&rules.pages) {
            return Err(format!(
                "pages begins with http:// or https://, not {:?}",
                rules.pages
            ));
        }
        let mut targets = HashSet::new();
        for target in &rules.target {
            if !targets.insert(target.name.as_str()) {
                return Err(format!("there are two targets {:?}", target.name));
            }
            target.check()?;
        }
        let mut names = HashSet::new();
        for rule in &rules.rule {
            if !names.insert(rule.name.as_str()) {
                return Err(format!("there are two rules {:?}", rule.name));
            }
            if let Some(unknown) = rule.targets.iter().find(|name| !targets.contains(name.as_str())) {
                let known: Vec<_> = rules.target.iter().map(|target| &target.name).collect();
                return Err(format!(
                    "rule {:?} tells {unknown:?}, and the targets are {known:?}",
                    rule.name
                ));
            }
        }
        Ok(rules)
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rule
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.rule.iter().map(|rule| rule.name.clone()).collect()
    }

    /// What is right in it and hardly meant.
    pub fn remarks(&self) -> Vec<String> {
        if self.rule.is_empty() {
            return vec!["there are no rules in the file: nothing is looked for".to_owned()];
        }
        let untold = self.rule.iter().filter(|rule| rule.targets.is_empty());
        let remark = |rule: &Rule| {
            format!(
                "rule {:?} has no targets: only pages tell what it finds",
                rule.name
            )
        };
        untold.map(remark).collect()
    }

    /// The targets.
    pub fn targets(&self) -> &[Target] {
        &self.target
    }

    /// Where the pages are; empty: not known.
    pub fn pages(&self) -> &str {
        self.pages.trim_end_matches('/')
    }

    /// How often the targets of a rule are told again.
    pub(super) fn remind(&self, rule: &Rule) -> Option<Duration> {
        let to_alertmanager = self.target.iter().any(|target| {
            rule.targets.contains(&target.name) && matches!(target.by, Way::Alertmanager { .. })
        });
        rule.remind.or(to_alertmanager.then_some(REMIND_ALERTMANAGER))
    }
}

impl Target {
    fn check_secret(&self) -> Result<(), SendError> {
        let (file, least) = match &self.by {
            Way::Webhook { secret_file, .. } => (secret_file, SECRET_BYTES),
            Way::Mail { password_file, .. } => (password_file, 1),
            Way::Alertmanager { .. } => return Ok(()),
        };
        match file {
            Some(path) => secret(path, least).map(drop),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        match &self.by {
            Way::Webhook { url, .. } | Way::Alertmanager { url } => {
                if is_of_the_web(url) {
                    Ok(())
                } else {
                    Err(format!(
                        "target {name:?}: url begins with http:// or https://, not {url:?}"
                    ))
                }
            }
            Way::Mail { server, to, .. } => {
                if to.is_empty() {
                    Err(format!("target {name:?}: to names nobody"))
                } else if server.starts_with("smtp://") || server.starts_with("smtps://") {
                    Ok(())
                } else {
                    Err(format!(
                        "target {name:?}: server begins with smtp:// or smtps://, not {server:?}"
                    ))
                }
            }
        }
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    some_time(from).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `docs/alerts.md` has it.
    fn documented() -> String {
        let text = include_str!("../../../docs/alerts.md");
        let from = text.find("```toml\n").unwrap() + "```toml\n".len();
        text[from..].split("```").next().unwrap().to_owned()
    }

    #[test]
    fn the_documented_file_is_right() {
        let rules = Rules::parse(&documented()).unwrap();
        assert_eq!(rules.targets().len(), 3);
        assert!(rules.rules().len() >= 5);
        assert_eq!(rules.pages(), "https://telemetry.example");
        let new = &rules.rules()[0];
        assert_eq!(
            new.when,
            Condition::NewIssue {
                hosts: 5,
                within: Duration::from_hours(24),
                class: "kernel.".to_owned(),
                severity: Severity::High,
            }
        );
    }

    #[test]
    fn what_tells_nobody_is_said() {
        let remarks = |text: &str| Rules::parse(text).unwrap().remarks();
        assert!(remarks(&documented()).is_empty());
        assert!(remarks("")[0].contains("no rules"));
        let untold = "[[rule]]\nname = \"a\"\nwhen = { books = {} }\ntargets = []";
        assert!(remarks(untold)[0].starts_with("rule \"a\" has no targets"));
    }

    #[test]
    fn whoever_tells_alertmanager_reminds_it() {
        let rules = Rules::parse(&documented()).unwrap();
        for rule in rules.rules() {
            let reminded = rules.remind(rule).is_some();
            assert_eq!(
                reminded,
                rule.remind.is_some() || rule.targets.contains(&"alertmanager".to_owned())
            );
        }
    }

    #[test]
    fn mistakes_are_told_with_what_was_meant() {
        let target = "[[target]]\nname = \"ops\"\nby = { webhook = { url = \"https://ops.example/\" } }\n";
        for (text, said) in [
            ("[[rule]]\nname = 1", "line 2"),
            ("[[rules]]\n", "unknown field `rules`"),
            (
                "[[rule]]\nname = \"a\"\nwhen = { often = {} }\ntargets = []",
                "unknown variant `often`",
            ),
            (
                "[[rule]]\nname = \"a\"\nwhen = { silence = { longer_than = \"soon\" } }\ntargets = []",
                "no time such as 30m",
            ),
            (
                "[[rule]]\nname = \"a\"\nwhen = { regression = { class = \"kernel\" } }\ntargets = []",
                "line 3",
            ),
            (
                "[[rule]]\nname = \"a\"\nwhen = { regression = { class = \"kernel\" } }\ntargets = []",
                "kernel.* is all that begin with it",
            ),
            (
                "[[rule]]\nname = \"a\"\nwhen = { escalation = { class = \"kernel.opps\" } }\ntargets = []",
                "there is no class kernel.opps",
            ),
            (
                "[[rule]]\nname = \"a\"\nwhen = { regression = {} }\ntargets = [\"opps\"]",
                "tells \"opps\"",
            ),
            (
                "[[target]]\nname = \"a\"\nby = { webhook = { url = \"ops\" } }",
                "begins with http",
            ),
            (
                "[[target]]\nname = \"a\"\nby = { pager = {} }",
                "unknown variant `pager`",
            ),
            (
                "[[target]]\nname = \"a\"\nby = { webhook = { url = \"http://a\", scret_file = \"b\" } }",
                "unexpected keys in table: scret_file",
            ),
            (&format!("{target}{target}"), "two targets \"ops\""),
        ] {
            let error = Rules::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_no_rule_can_mean_is_told_with_its_line() {
        for (when, said) in [
            ("silence = { longer_than = \"20d\" }", "less than 14 days"),
            ("worse_build = { max_ratio = -1 }", "-1 is no ratio"),
            ("worse_build = { max_ratio = inf }", "inf is no ratio"),
            ("worse_build = { max_ratio = 2, days = 0 }", "1 to 366 days"),
        ] {
            let text = format!("[[rule]]\nname = \"a\"\nwhen = {{ {when} }}\ntargets = []");
            let error = Rules::parse(&text).unwrap_err();
            assert!(
                error.contains(said) && error.contains("line 3"),
                "{when}: {error}"
            );
        }
        let error = Rules::parse("pages = \"x\"").unwrap_err();
        assert!(error.contains("pages begins with http"), "{error}");
    }

    #[test]
    fn secrets_that_cannot_be_used_are_told_before_there_is_a_message() {
        let dir = tempfile::tempdir().unwrap();
        let (file, secret) = (dir.path().join("alerts.toml"), dir.path().join("secret"));
        let told = |by: &str| {
            std::fs::write(&file, format!("[[target]]\nname = \"ops\"\nby = {{ {by} }}")).unwrap();
            Rules::read(&file)
                .map(drop)
                .map_err(|error| crate::store::chain(&error))
        };
        let webhook = format!("webhook = {{ url = \"http://a\", secret_file = {secret:?} }}");
        let mail = format!(
            "mail = {{ server = \"smtp://a@b\", password_file = {secret:?}, from = \"a@b.example\", to = [\"c@d.example\"] }}"
        );
        let missing = told(&webhook).unwrap_err();
        assert!(
            missing.contains("\"ops\"") && missing.contains("No such file"),
            "{missing}"
        );
        std::fs::write(&secret, "short\n").unwrap();
        assert!(told(&webhook).unwrap_err().contains("16 are the least"));
        told(&mail).unwrap();
        std::fs::write(&secret, "sixteen bytes !!\n").unwrap();
        told(&webhook).unwrap();
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            Rules::parse(&text).ok();
        }
    }
}
