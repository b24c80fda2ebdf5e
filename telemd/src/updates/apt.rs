//! `/var/log/apt/history.log`: paragraphs of `Key: value`, times by the host's own clock.
//!
//! What apt writes: `apt-pkg/deb/dpkgpm.cc` (`pkgDPkgPM::OpenLog`, `WriteHistoryTag`, `CloseLog`) of apt 2.6.

use jiff::tz::TimeZone;

use super::{Action, CHANGES, Change, Update, local_time, word};

/// Where apt keeps it.
pub const LOG: &str = "var/log/apt/history.log";

/// The updates in a log, in its order. One that has no end yet is left out: it is still being made.
pub fn updates(log: &str, zone: &TimeZone) -> Vec<Update> {
    log.split("\n\n")
        .filter_map(|paragraph| update(paragraph, zone))
        .collect()
}

fn update(paragraph: &str, zone: &TimeZone) -> Option<Update> {
    let mut update = Update {
        manager: "apt",
        succeeded: Some(true),
        ..Update::default()
    };
    let mut started_s = None;
    for line in paragraph.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let action = match key {
            "Start-Date" => {
                started_s = local_time(value, zone);
                continue;
            }
            "End-Date" => {
                update.ended_s = local_time(value, zone);
                continue;
            }
            "Error" => {
                update.succeeded = Some(false);
                continue;
            }
            "Install" => Action::Installed,
            "Upgrade" => Action::Upgraded,
            "Downgrade" => Action::Downgraded,
            "Reinstall" => Action::Reinstalled,
            "Remove" | "Purge" => Action::Removed,
            _ => continue,
        };
        let room = CHANGES - update.changes.len();
        update.changes.extend(changes(action, value).take(room));
    }
    update.started_s = started_s?;
    update.ended_s?;
    Some(update)
}

/// `bash:amd64 (5.1-2, 5.2-1), curl:amd64 (7.88, automatic)`
fn changes(action: Action, list: &str) -> impl Iterator<Item = Change> {
    list.split("), ").filter_map(move |item| {
        let (package, versions) = item.split_once(" (")?;
        let mut versions = versions
            .trim_end_matches(')')
            .split(", ")
            .filter(|version| *version != "automatic");
        let (first, second) = (
            versions.next().unwrap_or_default(),
            versions.next().unwrap_or_default(),
        );
        let (from, to) = match action {
            Action::Upgraded | Action::Downgraded => (first, second),
            Action::Removed => (first, ""),
            Action::Installed | Action::Reinstalled => ("", first),
        };
        Some(Change {
            action,
            package: word(package),
            from: word(from),
            to: word(to),
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &str = "\nStart-Date: 2026-11-27  14:36:25\nCommandline: apt-get -qqy upgrade --secret=x\n\
        Install: new:amd64 (1:1.0-1+b1, automatic)\nUpgrade: bash:amd64 (5.1-2, 5.2-1), curl:amd64 (7.88-1, 8.0-1)\n\
        Remove: old:all (0.9)\nError: Sub-process /usr/bin/dpkg returned an error code (1)\n\
        End-Date: 2026-11-27  14:37:04\n\nStart-Date: 2026-11-27  15:00:00\nUpgrade: half:amd64 (1, 2)\n";

    #[test]
    fn what_apt_did_is_read_and_what_it_is_doing_waits() {
        let updates = updates(LOG, &TimeZone::UTC);
        assert_eq!(updates.len(), 1);
        let update = &updates[0];
        assert_eq!(
            (update.started_s, update.ended_s),
            (1_795_790_185, Some(1_795_790_224))
        );
        assert_eq!(update.succeeded, Some(false));
        assert_eq!(
            update.text(),
            "installed new:amd64 1:1.0-1+b1\nupgraded bash:amd64 5.1-2 -> 5.2-1\n\
             upgraded curl:amd64 7.88-1 -> 8.0-1\nremoved old:all 0.9\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(Start-Date|End-Date|Install|Upgrade|Remove|[a-z(), :\n]|2026-11-27  14:36:25|: ){0,80}") {
            for update in updates(&text, &TimeZone::UTC) {
                prop_assert!(update.changes.len() <= CHANGES);
                update.text();
            }
        }
    }
}
