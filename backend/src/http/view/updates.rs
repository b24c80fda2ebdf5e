//! How updates from one build to another went, as a matrix.

use askama::Template;

use super::chart::percent;
use super::{compare_href, grouped};
use crate::http::access::Frame;
use crate::store::UpdatePath;

/// Builds of a side of the matrix at most: those with the most hosts.
const SIDE: usize = 16;
/// Updates that are listed.
const LISTED: usize = 100;

/// The page `/updates`.
#[derive(Debug, Template)]
#[template(path = "updates.html")]
pub(in crate::http) struct UpdatesPage {
    pub(in crate::http) days: u32,
    /// Builds that hosts went to: the columns.
    pub(in crate::http) to: Vec<String>,
    pub(in crate::http) rows: Vec<FromRow>,
    pub(in crate::http) paths: Vec<PathRow>,
    /// Updates that are not listed.
    pub(in crate::http) more: usize,
    pub(in crate::http) frame: Frame,
}

/// A build that hosts came from, with a cell for each column.
#[derive(Debug)]
pub(in crate::http) struct FromRow {
    pub(in crate::http) from: String,
    pub(in crate::http) cells: Vec<Option<Cell>>,
}

/// An update in the matrix.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Cell {
    /// Part of the hosts that stayed with the new build: `97 %`.
    pub(in crate::http) went_well: String,
    pub(in crate::http) hosts: String,
    /// 0, all is well, to 4.
    pub(in crate::http) heat: u8,
    pub(in crate::http) title: String,
}

/// An update in the list.
#[derive(Debug)]
pub(in crate::http) struct PathRow {
    pub(in crate::http) from: String,
    pub(in crate::http) to: String,
    pub(in crate::http) tried: String,
    pub(in crate::http) succeeded: String,
    pub(in crate::http) failed: String,
    pub(in crate::http) went_back: String,
    /// Where the two are compared; empty: hosts did not run both.
    pub(in crate::http) compare: String,
}

impl UpdatesPage {
    /// `paths` are those of the last `days` days, those that most hosts tried first.
    pub(in crate::http) fn new(days: u32, paths: &[UpdatePath], frame: Frame) -> Self {
        let from = side(paths, |path| &path.from);
        let to = side(paths, |path| &path.to);
        let rows = from.into_iter().map(|from| FromRow {
            cells: to
                .iter()
                .map(|to| {
                    let path = paths.iter().find(|path| path.from == from && path.to == *to);
                    path.map(Cell::new)
                })
                .collect(),
            from: named(&from),
        });
        Self {
            days,
            rows: rows.collect(),
            to: to.iter().map(|to| named(to)).collect(),
            paths: paths
                .iter()
                .take(LISTED)
                .map(|path| PathRow::new(path, paths))
                .collect(),
            more: paths.len().saturating_sub(LISTED),
            frame,
        }
    }
}

/// The builds of one side, those of most hosts, in the order of their names.
fn side(paths: &[UpdatePath], of: impl Fn(&UpdatePath) -> &String) -> Vec<String> {
    let mut builds: Vec<String> = Vec::new();
    for path in paths {
        if builds.len() < SIDE && !builds.contains(of(path)) {
            builds.push(of(path).clone());
        }
    }
    builds.sort_by(|one, other| numbers(one).cmp(&numbers(other)).then_with(|| one.cmp(other)));
    builds
}

/// The numbers in the name of a build, by which 9 comes before 41270.
fn numbers(build: &str) -> Vec<u64> {
    let words = build.split(|character: char| !character.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

fn named(build: &str) -> String {
    if build.is_empty() { "not told" } else { build }.to_owned()
}

/// Whether any host ran a build: it went from it, or came to run it.
fn is_run(build: &str, all: &[UpdatePath]) -> bool {
    let ran = |path: &UpdatePath| path.from == build || (path.to == build && path.succeeded > 0);
    !build.is_empty() && all.iter().any(ran)
}

impl Cell {
    fn new(path: &UpdatePath) -> Self {
        let stayed = path.succeeded.saturating_sub(path.went_back);
        let well = percent(stayed, path.tried);
        Self {
            went_well: format!("{well:.0} %"),
            hosts: match path.tried {
                1 => "1 host".to_owned(),
                tried => format!("{} hosts", grouped(tried)),
            },
            heat: match well {
                99.0.. => 0,
                95.0.. => 1,
                85.0.. => 2,
                60.0.. => 3,
                _ => 4,
            },
            title: format!(
                "{} hosts tried: {} came to run it, {} failed, {} went back",
                grouped(path.tried),
                grouped(path.succeeded),
                grouped(path.failed),
                grouped(path.went_back)
            ),
        }
    }
}

impl PathRow {
    /// `all`: by which it is known what hosts ran.
    fn new(path: &UpdatePath, all: &[UpdatePath]) -> Self {
        let both = is_run(&path.from, all) && is_run(&path.to, all);
        Self {
            from: named(&path.from),
            to: named(&path.to),
            tried: grouped(path.tried),
            succeeded: grouped(path.succeeded),
            failed: grouped(path.failed),
            went_back: grouped(path.went_back),
            compare: if both {
                compare_href(&path.from, &path.to)
            } else {
                String::new()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(from: &str, to: &str, tried: u64, succeeded: u64, went_back: u64) -> UpdatePath {
        UpdatePath {
            from: from.to_owned(),
            to: to.to_owned(),
            tried,
            succeeded,
            failed: tried - succeeded,
            went_back,
        }
    }

    #[test]
    fn the_matrix_has_a_place_for_every_pair_of_builds() {
        let page = UpdatesPage::new(
            30,
            &[
                path("9", "41270", 200, 200, 0),
                path("41270", "41280", 100, 90, 10),
            ],
            Frame::default(),
        );
        assert_eq!(page.to, ["41270", "41280"]);
        let rows: Vec<&str> = page.rows.iter().map(|row| row.from.as_str()).collect();
        assert_eq!(rows, ["9", "41270"]);
        let heat = |row: usize, column: usize| page.rows[row].cells[column].as_ref().map(|cell| cell.heat);
        assert_eq!(
            [heat(0, 0), heat(0, 1), heat(1, 0), heat(1, 1)],
            [Some(0), None, None, Some(3)]
        );
        assert_eq!(page.paths[0].compare, "/builds?by=build&from=9&to=41270");
    }

    #[test]
    fn builds_that_hosts_did_not_run_are_not_compared() {
        let paths = [
            path("41", "42", 3, 0, 0),
            path("41", "43", 3, 3, 0),
            path("", "43", 1, 1, 0),
        ];
        let page = UpdatesPage::new(30, &paths, Frame::default());
        let compared: Vec<bool> = page.paths.iter().map(|path| !path.compare.is_empty()).collect();
        assert_eq!(compared, [false, true, false]);
    }

    #[test]
    fn a_matrix_has_an_end() {
        let paths: Vec<UpdatePath> = (0..200)
            .map(|build| path(&build.to_string(), &(build + 1).to_string(), 1, 1, 0))
            .collect();
        let page = UpdatesPage::new(30, &paths, Frame::default());
        assert_eq!((page.rows.len(), page.to.len(), page.more), (16, 16, 100));
    }
}
