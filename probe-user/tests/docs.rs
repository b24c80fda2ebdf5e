//! The table of hooks in `docs/probes.md` is the catalogue's: with `UPDATE_GENERATED=1` this writes it.

#![expect(clippy::unwrap_used, reason = "a test panics")]

use std::{fmt::Write as _, fs, path::Path};

use probe_user::catalogue::{HOOKS, HookSpec, Way};

const BEGIN: &str =
    "<!-- hooks: made of the catalogue by `UPDATE_GENERATED=1 cargo test -p probe-user --test docs` -->\n";
const END: &str = "<!-- hooks: end -->\n";

#[test]
fn the_table_of_hooks_is_that_of_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/probes.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, current).unwrap();
        return;
    }
    assert!(
        text == current,
        "docs/probes.md is not current: run `UPDATE_GENERATED=1 cargo test -p probe-user --test docs` and commit"
    );
}

fn table() -> String {
    let mut table =
        "| hook | sees | tried in this order | without it |\n| --- | --- | --- | --- |\n".to_owned();
    for hook in HOOKS {
        let HookSpec {
            name, sees, without, ..
        } = hook;
        let ways: Vec<String> = hook.ways().iter().map(way).collect();
        writeln!(table, "| `{name}` | {sees} | {} | {without} |", ways.join(", ")).unwrap();
    }
    table
}

fn way(way: &Way) -> String {
    let mut text = format!("{} `{}`", way.attach, way.target);
    if !way.filter.is_empty() {
        write!(text, " where `{}`", way.filter).unwrap();
    }
    if let Some(module) = way.module {
        write!(text, " of the module `{module}`").unwrap();
    }
    text
}
