//! What holds of any text.

use proptest::prelude::*;

use super::*;

/// Something private, with what must not be left of it.
fn secret() -> impl Strategy<Value = (String, String)> {
    let secret = |prefix: &'static str| move |found: String| (format!("{prefix}{found}"), found);
    prop_oneof![
        "ffff8[0-9a-f]{10}[1-9a-f]".prop_map(secret("at ")),
        "(0[2-9a-e]:){5}[0-9a-f]{2}".prop_map(secret("hw ")),
        "(10|172|192)\\.([1-9][0-9]\\.){2}[1-9][0-9]?".prop_map(secret("peer ")),
        "2001:db8:[1-9a-f]{4}::[1-9a-f]{1,4}".prop_map(secret("peer ")),
        "[a-z]{4,8}".prop_map(secret("open /home/")),
        "[a-z]{3,8}\\.[a-z]{3,8}@[a-z]{3,8}\\.example".prop_map(secret("mail ")),
        "[A-Z0-9]{8,20}".prop_map(secret("SerialNumber: ")),
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}".prop_map(secret("fs ")),
        "root=/dev/[a-z]{8} [a-z]{8}=[0-9]{8}".prop_map(secret("Kernel command line: ")),
        "[a-z]{6,9}\\.txt".prop_map(secret("EXT4-fs warning (device sda1): name ")),
        Just("db-7.example".to_owned()).prop_map(secret("from ")),
    ]
}

fn action() -> impl Strategy<Value = &'static Scrubber> {
    (0_usize..3).prop_map(|which| &ALL[which])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scrubbing_changes_no_fingerprint(
        which in any::<prop::sample::Index>(), scrubber in action(),
        secrets in prop::collection::vec((any::<prop::sample::Index>(), secret()), 0..8),
    ) {
        let sample = which.get(&SAMPLES);
        let mut lines: Vec<String> = sample.lines().map(str::to_owned).collect();
        for (at, (text, _)) in &secrets {
            // Its own line, with the time of the one before it.
            let at = at.index(lines.len());
            let time = lines[at].split(']').next().unwrap_or_default().to_owned();
            lines.insert(at + 1, format!("{time}] note {text}"));
        }
        let text = lines.join("\n");
        let scrubbed = scrubber.text(&text);
        for (_, (_, secret)) in &secrets {
            prop_assume!(!sample.contains(secret.as_str()));
            prop_assert!(!scrubbed.text.contains(secret.as_str()), "{} is left", secret);
        }
        let (before, after) = (parsed(&text), parsed(&scrubbed.text));
        let identity = |report: &KernelReport| (report.kind, report.title.clone(), of_report(report), report.registers.len(), report.traces.len());
        prop_assert_eq!(before.iter().map(identity).collect::<Vec<_>>(), after.iter().map(identity).collect::<Vec<_>>());
        prop_assert_eq!(scrubbed.counts.total(), scrubbed.spans.len() as u64);
        prop_assert!(scrubbed.counts.total() >= secrets.len() as u64);
        for span in &scrubbed.spans {
            prop_assert!(text.get(span.before.clone()).is_some() && scrubbed.text.get(span.after.clone()).is_some());
            prop_assert_eq!(scrubbed.moved(span.before.start), span.after.start);
        }
    }

    #[test]
    fn scrubbing_twice_is_scrubbing_once(
        scrubber in action(),
        words in prop::collection::vec(prop_oneof![
            // Not joined to what comes: see `Scrubber::text`.
            secret().prop_map(|(text, _)| format!("{text} ")),
            prop::sample::select(vec![
                " ", " ", "\n", ":", "::", "<", ">", "[", "]", "/", "-", "@", ".", "'", "\"", "=", "0x", "+0x1", "a", "é", "1", "<ip>", "<user>", "<mac:0123456789ab>",
                "<host:0123456789ab>", "serial", "SN", "cmdline=", "EXT4-fs error: ", "path ", "/home/", "Kiste", "Nov 24 02:54:00 ", "kernel: ", "ffff888012345678", "192.0.2.7 ", "fe80::1 ",
                "52:54:00:12:34:56 ", "a@b.example ", "00000000abcdef12", "0add000000000000", "xxxx", "RSP: 0018:", "wwn-0x", "v", "Code: ",
            ]).prop_map(str::to_owned),
            "\\PC{0,6}",
        ], 0..40),
    ) {
        let text = words.concat();
        let once = scrubber.text(&text);
        let twice = scrubber.text(&once.text);
        prop_assert_eq!(&twice.text, &once.text, "{:?}", text);
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,300}", scrubber in action()) {
        scrubber.text(&text);
    }
}
