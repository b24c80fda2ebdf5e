//! `/var/log/dnf.rpm.log`: what the transactions of dnf 4 did, a line a package, times with their zone.
//!
//! ```text
//! 2026-11-27T14:36:25+0000 INFO --- logging initialized ---
//! 2026-11-27T14:36:31+0000 SUBDEBUG Upgrade: bash-5.2.26-3.fc40.x86_64
//! 2026-11-27T14:36:32+0000 SUBDEBUG Upgraded: bash-5.2.26-1.fc40.x86_64
//! ```
//!
//! `Upgrade` names what comes and `Upgraded` what went (`dnf/yum/rpmtrans.py` of dnf 4.19). The log does not say how a transaction
//! ended.

use super::{Action, CHANGES, Change, Update, word};

/// Where dnf keeps it.
pub const LOG: &str = "var/log/dnf.rpm.log";
/// The line that begins a run of dnf.
const BEGIN: &str = "--- logging initialized ---";

/// The transactions in a log that changed something, in its order. The last may still be going on: it is left out until it is
/// followed by another, or was over for a while at `now_s`.
pub fn updates(log: &str, now_s: u64) -> Vec<Update> {
    let mut updates = Vec::new();
    let mut current = Update::default();
    for line in log.lines() {
        if line.ends_with(BEGIN) {
            updates.push(std::mem::take(&mut current));
        } else if let Some((at_s, verb, package)) = parts(line) {
            take(&mut current, at_s, verb, package);
        }
    }
    if current.ended_s.is_some_and(|ended_s| ended_s + QUIET_S <= now_s) {
        updates.push(current);
    }
    updates.retain(|update| !update.changes.is_empty());
    updates
}

/// A transaction that wrote nothing for so long is over: the longest scripts of packages take minutes.
const QUIET_S: u64 = 600;

fn parts(line: &str) -> Option<(u64, &str, &str)> {
    let (time, rest) = line.split_once(' ')?;
    let (verb, package) = rest.split_once(' ')?.1.split_once(": ")?;
    let time = jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", time).ok()?;
    Some((u64::try_from(time.as_second()).ok()?, verb, package))
}

fn take(update: &mut Update, at_s: u64, verb: &str, package: &str) {
    let (name, version) = split(package);
    let action = match verb {
        "Install" | "Installed" => Action::Installed,
        "Upgrade" => Action::Upgraded,
        "Downgrade" => Action::Downgraded,
        "Reinstall" => Action::Reinstalled,
        "Erase" | "Erased" => Action::Removed,
        "Upgraded" | "Downgraded" => {
            update.ended_s = update.ended_s.map(|ended_s| ended_s.max(at_s));
            let of_name = update
                .changes
                .iter_mut()
                .rev()
                .find(|change| change.package == name);
            if let Some(change) = of_name {
                change.from = version;
            }
            return;
        }
        _ => return,
    };
    if update.changes.is_empty() {
        update.manager = "dnf";
        update.started_s = at_s;
    }
    update.ended_s = Some(at_s.max(update.ended_s.unwrap_or(0)));
    if update.changes.len() < CHANGES {
        let (from, to) = match action {
            Action::Removed => (version, String::new()),
            _ => (String::new(), version),
        };
        update.changes.push(Change {
            action,
            package: name,
            from,
            to,
        });
    }
}

/// `NAME-VERSION-RELEASE.ARCH` to `NAME.ARCH` and `VERSION-RELEASE`.
fn split(package: &str) -> (String, String) {
    let (rest, arch) = package.rsplit_once('.').unwrap_or((package, ""));
    let mut parts = rest.rsplitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(release), Some(version), Some(name)) => (
            word(&format!("{name}.{arch}")),
            word(&format!("{version}-{release}")),
        ),
        _ => (word(package), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &str = "2026-11-27T14:36:25+0000 INFO --- logging initialized ---\n\
        2026-11-27T15:36:31+0100 SUBDEBUG Upgrade: bash-5.2.26-3.fc40.x86_64\n\
        2026-11-27T14:36:31+0000 SUBDEBUG Installed: new-1-1.noarch\n\
        2026-11-27T14:36:32+0000 SUBDEBUG Upgraded: bash-5.2.26-1.fc40.x86_64\n\
        2026-11-27T14:36:33+0000 SUBDEBUG Erase: old-lib-0.9-2.x86_64\n\
        2026-11-27T14:40:00+0000 INFO --- logging initialized ---\n\
        2026-11-27T14:50:00+0000 INFO --- logging initialized ---\n\
        2026-11-27T14:50:01+0000 SUBDEBUG Upgrade: half-2-1.x86_64\n";

    #[test]
    fn what_dnf_did_is_read_and_what_it_is_doing_waits() {
        let updates = updates(LOG, 1_795_791_002);
        assert_eq!(updates.len(), 1);
        let update = &updates[0];
        assert_eq!(
            (update.started_s, update.ended_s),
            (1_795_790_191, Some(1_795_790_193))
        );
        assert_eq!(
            update.text(),
            "upgraded bash.x86_64 5.2.26-1.fc40 -> 5.2.26-3.fc40\ninstalled new.noarch 1-1\nremoved old-lib.x86_64 0.9-2\n"
        );
        assert_eq!(super::updates(LOG, 1_795_791_601).len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(2026-11-27T14:36:25\\+0000 |SUBDEBUG |Upgrade: |Upgraded: |[a-z0-9.-]|--- logging initialized ---|\n){0,80}") {
            for update in updates(&text, u64::MAX) {
                prop_assert!(update.changes.len() <= CHANGES);
                update.text();
            }
        }
    }
}
