//! The page of the configuration file, from the chapter of `docs/configuration.md` about it.
//!
//! The chapter has a heading, paragraphs, and one block of TOML with every key at its default, each after the comment
//! that describes it; `telemd` tests that the block is its default configuration. A commented-out key
//! (`# hostname = "web-1"`) has no default.

use roff::{Roff, bold, italic, roman};

use crate::{MANUAL, SOURCE, add_see_also};

/// What the page is called.
pub const NAME: &str = "telemetrics.toml";

/// Which chapter it is.
const HEADING: &str = "## The agent";

/// Why a document gives no page.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The chapter is not there.
    #[error("there is no chapter `{HEADING}`")]
    Chapter,
    /// It shows no file.
    #[error("the chapter `{HEADING}` has no block that begins with ```toml")]
    Block,
}

/// The page, from the text of `docs/configuration.md`.
pub fn page(document: &str) -> Result<String, Malformed> {
    let (_, chapter) = document.split_once(HEADING).ok_or(Malformed::Chapter)?;
    let chapter = chapter.split("\n## ").next().unwrap_or(chapter);
    let (heading, chapter) = chapter.split_once('\n').ok_or(Malformed::Chapter)?;
    let (before, rest) = chapter.split_once("```toml\n").ok_or(Malformed::Block)?;
    let (block, after) = rest.split_once("\n```").ok_or(Malformed::Block)?;

    let mut page = Roff::new();
    page.control("TH", [&NAME.to_uppercase(), "5", "", SOURCE, MANUAL]);
    page.control("SH", ["NAME"])
        .text([roman(format!("{NAME} - configuration of the Telemetrics agent"))]);
    page.control("SH", ["SYNOPSIS"])
        .text([italic(heading.trim_matches([':', ' ', '`']))]);
    page.control("SH", ["DESCRIPTION"]);
    add_prose(&mut page, before);
    page.control("SH", ["KEYS"]);
    add_keys(&mut page, block);
    if !after.trim().is_empty() {
        page.control("SH", ["NOTES"]);
        add_prose(&mut page, after);
    }
    add_see_also(&mut page, NAME);
    Ok(page.to_roff())
}

/// Paragraphs and tables, without the marks of Markdown.
fn add_prose(page: &mut Roff, text: &str) {
    let text = text.replace(['`', '*'], "");
    for paragraph in text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        if paragraph.starts_with('|') {
            add_table(page, paragraph);
        } else {
            page.control("PP", []).text([roman(paragraph.replace('\n', " "))]);
        }
    }
}

/// A table: the first column becomes tags. Its head and the line below it are left out.
fn add_table(page: &mut Roff, table: &str) {
    for row in table.lines().skip(2) {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        page.control("TP", [])
            .text([bold(cells.next().unwrap_or_default())]);
        page.text([roman(cells.collect::<Vec<_>>().join(", "))]);
    }
}

/// A block of TOML: tables become subsections, keys tags, and the comments before them what is said about them.
fn add_keys(page: &mut Roff, block: &str) {
    let mut said: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (text, is_comment) = match line.strip_prefix('#') {
            Some(text) => (text.trim_start(), true),
            None => (line, false),
        };
        if text.is_empty() {
            if !said.is_empty() {
                page.control("PP", []).text([roman(said.join(" "))]);
                said.clear();
            }
        } else if text.starts_with('[') && text.ends_with(']') {
            page.control("SS", [text]);
            if !said.is_empty() {
                page.text([roman(said.join(" "))]);
                said.clear();
            }
        } else if is_key(text) {
            page.control("TP", []).text([bold(text)]);
            page.text([roman(said.join(" "))]);
            said.clear();
        } else if is_comment {
            said.push(text);
        } else {
            // The rest of a value that has several lines.
            page.control("br", []).text([roman(text)]);
        }
    }
}

/// `name = value`, whether it is commented out or not.
fn is_key(text: &str) -> bool {
    text.split_once(" = ").is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Configuration\n\n## The agent: `/etc/x.toml`\n\nEvery `key` may\nbe left out.\n\n\
        | command | does |\n| --- | --- |\n| `check` | looks |\n\n\
        ```toml\n# Where it\n# is.\nstate_dir = \"/s\"\n# Its name.\n# hostname = \"web-1\"\n\n[storm]\n\
        # .first = how many\nfirst = 10\n```\n\nIt stays.\n\n## The collector\n\nnot here\n";

    #[test]
    fn keys_are_tags_with_their_comments() {
        let page = page(DOCUMENT).unwrap();
        for part in [
            "Every key may be left out.",
            ".TP\n\\fBcheck\\fR\nlooks\n",
            ".TP\n\\fBstate_dir = \"/s\"\\fR\nWhere it is.\n",
            ".TP\n\\fBhostname = \"web\\-1\"\\fR\nIts name.\n",
            ".SS [storm]\n",
            "\n\\&.first = how many\n",
            ".SH NOTES\n.PP\nIt stays.\n",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("not here"), "{page}");
    }

    #[test]
    fn a_document_of_another_form_is_an_error() {
        assert_eq!(page("# Configuration\n"), Err(Malformed::Chapter));
        assert_eq!(page("## The agent\nnothing\n"), Err(Malformed::Block));
    }

    #[test]
    fn every_key_of_the_documented_file_is_on_the_page() {
        let document = include_str!("../../../docs/configuration.md");
        let page = page(document).unwrap();
        for key in ["state_dir", "[probes.hindsight]", "window_s", "hostname"] {
            assert!(page.contains(key), "{key}");
        }
        let (before, keys) = page.split_once(".SH KEYS").unwrap();
        assert!(before.contains("NAME") && !before.contains("state_dir ="));
        let documented = document
            .split("```toml")
            .nth(1)
            .and_then(|rest| rest.split("\n```").next())
            .unwrap()
            .lines()
            .filter(|line| is_key(line.trim_start_matches(['#', ' '])))
            .count();
        assert_eq!(keys.matches("\n.TP\n").count(), documented);
    }
}
