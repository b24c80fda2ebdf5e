//! Records of programs that bring a system from one build to another.

use proto::v1::{Record, record::Payload};

/// swupd's records of updates (`src/swupd_lib/telemetry.c` and `update.c` of swupd-client): `key=value` lines.
const SWUPD: &str = "/swupd-client/update";
/// Longest name of a build, bytes, as `Host.os_build` has it.
const BUILD_BYTES: usize = 256;

/// How an update went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    /// Build before.
    pub(crate) from: String,
    /// Build that it was to be.
    pub(crate) to: String,
    /// Whether it went well.
    pub(crate) succeeded: bool,
}

impl Update {
    /// What a record says of an update from one build to another. None: nothing.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let Some(Payload::Custom(custom)) = &record.payload else {
            return None;
        };
        if !custom.classification.ends_with(SWUPD) {
            return None;
        }
        let value = |name: &str| {
            let mut pairs = custom.payload.lines().filter_map(|line| line.split_once('='));
            let found = pairs.find(|(key, _)| key.trim() == name)?.1.trim();
            (!found.is_empty() && found.len() <= BUILD_BYTES).then(|| found.to_owned())
        };
        let (from, to) = (value("current_version")?, value("server_version")?);
        // An update that finds itself up to date, or cannot tell the newest build (-1), goes nowhere.
        let goes = from != to
            && [&from, &to]
                .iter()
                .all(|build| !build.starts_with('-') && *build != "0");
        goes.then_some(Self {
            succeeded: value("result")? == "0",
            from,
            to,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::v1::Custom;

    use super::*;

    fn record(payload: &str) -> Record {
        Record {
            payload: Some(Payload::Custom(Custom {
                classification: "org.clearlinux/swupd-client/update".to_owned(),
                payload: payload.to_owned(),
                ..Custom::default()
            })),
            ..Record::default()
        }
    }

    #[test]
    fn what_swupd_says_is_read() {
        let said = |result| {
            format!(
                "PACKAGE_NAME=swupd-client\nPACKAGE_VERSION=3.1\ncurrent_version=41\nserver_version=42\nresult={result}\n"
            )
        };
        let update = |succeeded| Update {
            from: "41".to_owned(),
            to: "42".to_owned(),
            succeeded,
        };
        assert_eq!(Update::of(&record(&said(0))), Some(update(true)));
        assert_eq!(Update::of(&record(&said(28))), Some(update(false)));
    }

    #[test]
    fn what_goes_nowhere_is_none() {
        for payload in [
            "",
            "current_version=41\nresult=0",
            "current_version=41\nserver_version=41\nresult=0",
            "current_version=41\nserver_version=-1\nresult=1",
            "current_version=41\nserver_version=42",
        ] {
            assert_eq!(Update::of(&record(payload)), None, "{payload}");
        }
        assert_eq!(Update::of(&Record::default()), None);
    }

    proptest! {
        #[test]
        fn no_payload_is_too_strange(payload in "(current_version|server_version|result|=|[0-9]|\n|\\PC)*") {
            Update::of(&record(&payload));
        }
    }
}
