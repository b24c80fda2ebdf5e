//! What is taken out of every record before it is kept: `[privacy]` of the configuration.

use faults::scrub::{Action, Policy, PolicyError, Rule, Scrubber};
use uuid::Uuid;

use crate::config::{Privacy, Treatment};
use crate::durable;
use crate::identity::{StateDir, StateError};

/// The file with the key of hashes, in the state directory.
pub const KEY_FILE: &str = "privacy_key";

/// Why nothing can be scrubbed. Nothing is recorded then.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// The key of hashes.
    #[error(transparent)]
    Key(#[from] StateError),
    /// The key is no key.
    #[error("{KEY_FILE} in the state directory cannot be used: remove it and a new one is made")]
    Policy(#[from] PolicyError),
}

/// The rules with their names in the configuration, and what is done to what they find.
fn rules(privacy: &Privacy) -> [(Rule, &'static str, Treatment); 9] {
    [
        (Rule::Pointer, "pointer", privacy.pointer),
        (Rule::Mac, "mac", privacy.mac),
        (Rule::Ip, "ip", privacy.ip),
        (Rule::Host, "host", privacy.host),
        (Rule::User, "user", privacy.user),
        (Rule::FileName, "file", privacy.file),
        (Rule::CommandLine, "cmdline", privacy.cmdline),
        (Rule::Email, "email", privacy.email),
        (Rule::Serial, "serial", privacy.serial),
    ]
}

/// What the collector is told of it: `ip hash` and the like, of rules that do not keep what they find.
pub(crate) fn told(privacy: &Privacy) -> Vec<String> {
    let treated = rules(privacy).into_iter().filter_map(|(_, rule, treatment)| {
        let treatment = match treatment {
            Treatment::Keep => return None,
            Treatment::Replace => "replace",
            Treatment::Mask => "mask",
            Treatment::Hash => "hash",
        };
        Some(format!("{rule} {treatment}"))
    });
    treated.collect()
}

/// A scrubber that treats what `privacy` names. `hostname` is the host's own name.
pub fn scrubber(privacy: &Privacy, hostname: &str, state: &StateDir) -> Result<Scrubber, PrivacyError> {
    let rules = rules(privacy);
    let mut policy = Policy::default().hosts([hostname.to_owned()]);
    for (rule, _, treatment) in rules {
        policy = match treatment {
            Treatment::Keep => policy,
            Treatment::Replace => policy.with(rule, Action::Replace),
            Treatment::Mask => policy.with(rule, Action::Mask),
            Treatment::Hash => policy.with(rule, Action::Hash),
        };
    }
    if rules.iter().any(|(.., treatment)| *treatment == Treatment::Hash) {
        policy = policy.key(&key(state)?);
    }
    Ok(Scrubber::new(&policy)?)
}

/// The key of hashes: made once, and erased with everything else when consent is withdrawn.
fn key(state: &StateDir) -> Result<Vec<u8>, StateError> {
    let path = state.path().join(KEY_FILE);
    let made = || -> std::io::Result<Vec<u8>> {
        if let Some(key) = durable::read(&path)? {
            return Ok(key);
        }
        // 244 random bits of the kernel.
        let key = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        durable::write(&path, &key)?;
        Ok(key)
    };
    made().map_err(|source| StateError::File {
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(privacy: &Privacy, state: &StateDir, text: &str) -> String {
        scrubber(privacy, "web-1", state).unwrap().text(text).text
    }

    #[test]
    fn the_collector_is_told_what_is_treated() {
        let privacy = Privacy {
            ip: Treatment::Mask,
            ..Privacy::everything(Treatment::Keep)
        };
        assert_eq!(told(&privacy), ["ip mask"]);
        let usual = told(&Privacy::default()).join(", ");
        assert_eq!(
            usual,
            "mac hash, ip hash, user hash, file replace, cmdline replace, email hash, serial hash"
        );
    }

    #[test]
    fn equal_values_stay_equal_over_a_restart_and_differ_after_opting_out() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let text = "nfs: server 192.0.2.7 not responding";
        let first = scrubbed(&Privacy::default(), &state, text);
        assert!(!first.contains("192.0.2.7"), "{first}");
        assert_eq!(scrubbed(&Privacy::default(), &state, text), first);
        crate::consent::forget(dir.path()).unwrap();
        assert_ne!(scrubbed(&Privacy::default(), &state, text), first);
    }

    #[test]
    fn what_is_kept_stays_and_needs_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let keep = Privacy {
            host: Treatment::Mask,
            ..Privacy::everything(Treatment::Keep)
        };
        let text = "Nov 27 12:00:00 web-1 kernel: from 192.0.2.7";
        assert_eq!(
            scrubbed(&keep, &state, text),
            "Nov 27 12:00:00 xxx-x kernel: from 192.0.2.7"
        );
        assert!(!dir.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_key_that_is_too_short_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(KEY_FILE), b"short").unwrap();
        let error = scrubber(&Privacy::default(), "web-1", &state).unwrap_err();
        assert!(error.to_string().contains("remove it"), "{error}");
    }
}
