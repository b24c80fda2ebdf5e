//! `docs/parity.md` names tests that exist.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::Path;

/// The text of every Rust file below a folder, without what is built and hidden.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("its entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// What stands between backticks in the last cell of a row.
fn named(row: &str) -> impl Iterator<Item = &str> {
    let row = row.strip_suffix('|').unwrap_or(row);
    let cell = row.rsplit('|').next().unwrap_or_default();
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|name| !name.contains(' '))
}

#[test]
fn every_test_that_the_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(root.join("docs/parity.md")).expect("docs/parity.md");
    let mut text = String::new();
    sources(&root, &mut text);
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let tests: Vec<_> = rows.flat_map(named).collect();
    assert!(tests.len() > 40, "only {} tests are named", tests.len());
    let missing: Vec<_> = tests
        .into_iter()
        .filter(|name| !text.contains(&format!("fn {name}(")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/parity.md names tests that are not there: {missing:?}"
    );
}
