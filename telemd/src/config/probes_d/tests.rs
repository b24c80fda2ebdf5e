use proptest::prelude::*;

use super::*;

fn probes(text: &str) -> Probes {
    let mut probes = Probes::default();
    probes.add(Path::new("nfs.toml"), text);
    probes
}

fn mistakes(text: &str) -> Vec<String> {
    probes(text).mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_key_is_read() {
    let text = r#"
        [probe.nfs_slow]
        tracepoint = "sunrpc:rpc_timeout_status"
        title = "NFS server {server} not responding"
        class = "storage.nfs_timeout"
        severity = "high"
        fields = ["server", "status"]
        filter = "status != 0 && server != 'backup'"
        rate = 3
        stack = true
        [probe.other]
        tracepoint = "a:b"
    "#;
    let probes = probes(text);
    assert_eq!(probes.mistakes, []);
    let nfs = &probes.probes[0];
    assert_eq!((nfs.name(), nfs.file()), ("nfs_slow", Path::new("nfs.toml")));
    assert_eq!(
        (nfs.probe.rate, nfs.probe.stack, nfs.probe.fields.len()),
        (3, true, 2)
    );
    assert_eq!(nfs.probe.filter.terms().len(), 2);
    assert_eq!(probes.probes[1].probe.rate, DEFAULT_RATE);
}

#[test]
fn every_mistake_is_told_with_its_place_and_remedy() {
    insta::assert_snapshot!(
        mistakes(
            "[probe.a]\ntracepoint = \"block:rq\"\nfilter = 'error = 5'\n[probe.b]\ntracepoint = \"x\"\nrate = 0\n\
             title = \"\"\"\nserver {\"\"\"\nfields = [\"a\", \"b c\"]\nclass = \"X\"\nseverity = \"bad\"\n[probe.C]\ntracepoint = \"c:c\""
        )
        .join("\n")
    );
}

#[test]
fn what_is_no_such_file_is_told_with_its_place() {
    for (text, start) in [
        (
            "[probe.a]\n  tracepont = 'a:b'",
            "nfs.toml:2:3: unknown field `tracepont`",
        ),
        ("[probe.a]\nrate = 3", "nfs.toml:1:"),
        ("[probe.a]\ntracepoint = 'a:b'\nrate = -1", "nfs.toml:3:8: "),
        (
            "[probes.a]\ntracepoint = 'a:b'",
            "nfs.toml:1:2: unknown field `probes`",
        ),
        ("x", "nfs.toml:1:"),
    ] {
        let told = mistakes(text);
        assert!(told.len() == 1 && told[0].starts_with(start), "{told:?}");
    }
}

#[test]
fn names_are_unique_and_probes_few() {
    let mut probes = probes("[probe.a]\ntracepoint = 'a:b'");
    probes.add(Path::new("other.toml"), "[probe.a]\ntracepoint = 'a:b'");
    assert_eq!(probes.probes.len(), 1);
    assert!(
        probes.mistakes[0]
            .to_string()
            .starts_with("other.toml:1:8: probe.a: `a` is in nfs.toml already")
    );
    let many: Vec<String> = (0..=MAX_PROBES)
        .map(|n| format!("[probe.p{n}]\ntracepoint = 'a:b'\n"))
        .collect();
    probes.add(Path::new("many.toml"), &many.concat());
    assert_eq!((probes.probes.len(), probes.mistakes.len()), (MAX_PROBES, 3));
}

#[test]
fn what_is_left_out_has_a_name_that_no_probe_has() {
    let mut probes = probes("[probe.a]\ntracepoint = 'a:b'\n[probe.b]\ntracepoint = 'b'");
    probes.add(Path::new("other.toml"), "[probe.a]\ntracepoint = 'a:b'");
    probes.add(Path::new("broken.toml"), "x");
    let names: Vec<String> = probes.unfit().into_keys().collect();
    assert_eq!(names, ["user.b", "user.broken.toml", "user.other.toml"]);
}

#[test]
fn the_files_of_a_folder_are_read_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("b.toml", "[probe.b]\ntracepoint = 'a:b'");
    file("a.toml", "[probe.a]\ntracepoint = 'a:b'");
    file("c.toml.off", "what this is, nobody reads");
    file("long.toml", &"#".repeat(usize::try_from(FILE_BYTES).unwrap() + 1));
    let probes = Probes::of_folder(folder.path());
    let names: Vec<&str> = probes.probes.iter().map(Probe::name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(probes.mistakes.len(), 1);
    assert!(probes.mistakes[0].problem.contains("more than"), "{probes:?}");
    assert_eq!(Probes::of_folder(&folder.path().join("none")), Probes::default());
}

#[test]
fn the_documented_probes_are_right() {
    let document = include_str!("../../../../docs/user-probes.md");
    let mut count = 0;
    for block in document.split("```toml\n").skip(1) {
        let (text, _) = block.split_once("```").unwrap();
        let probes = probes(text);
        assert_eq!(probes.mistakes, []);
        count += probes.probes.len();
    }
    assert!(count >= 3);
}

proptest! {
    #[test]
    fn any_text_is_understood_or_told(
        text in "(\\[probe\\.[a-zA-Z]{1,3}\\]\n)?((tracepoint|filter|title|class|x) = [\"'].{0,20}[\"']\n){0,4}.{0,10}",
    ) {
        for mistake in probes(&text).mistakes {
            prop_assert!(mistake.line >= 1 && mistake.column >= 1);
            prop_assert!(mistake.line <= text.lines().count() + 1);
        }
    }
}
