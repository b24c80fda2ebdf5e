//! Pages of a program and of each of its subcommands.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, roman};

use crate::{MANUAL, SOURCE, add_see_also, section};

/// The only argument, with a folder after it, that a program writes its pages for. It is in no help: those who pack the
/// programs use it (`cargo xtask dist`), those who read pages have `man`.
pub const OPTION: &str = "--manual-pages";

/// What begins the examples in a help text.
const EXAMPLES: &str = "Examples:\n";
/// What begins the exit codes in a help text.
const EXIT_CODES: &str = "Exit codes: ";

/// Why pages are not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}", path = path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// The folder that pages are asked for in, when the arguments after the program's name are [`OPTION`] and a folder.
pub fn wanted(arguments: impl IntoIterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.into_iter();
    let option = arguments.next()?;
    let folder = arguments.next()?;
    (option == OPTION && arguments.next().is_none()).then(|| folder.into())
}

/// Writes the page of a program and those of its subcommands (`telemctl.1`, `telemctl-doctor.1`) into `folder`.
pub fn write(command: Command, folder: &Path) -> Result<(), WriteError> {
    for (name, text) in pages(command) {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|source| WriteError { path, source })?;
    }
    Ok(())
}

/// The pages of a program by their file names, the program's own first.
pub fn pages(command: Command) -> Vec<(String, String)> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let program = command.get_name().to_owned();
    let mut pages = Vec::new();
    add_pages(&command, &program, &mut pages);
    pages
}

fn add_pages(command: &Command, program: &str, pages: &mut Vec<(String, String)>) {
    let section = section(program);
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push((format!("{name}.{section}"), page(command, name, program)));
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        add_pages(subcommand, program, pages);
    }
}

/// One page. What the help text says after the options becomes EXAMPLES and EXIT STATUS.
fn page(command: &Command, name: &str, program: &str) -> String {
    let section = section(program).to_string();
    let after = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(&section)
        .source(SOURCE)
        .manual(MANUAL);
    let mut text = Vec::new();
    // Invariant: writing to memory does not fail.
    let _memory = render(&man, command, &mut text);
    let mut rest = Roff::new();
    if let Some(after) = after {
        add_after_help(&mut rest, &after);
    }
    add_see_also(&mut rest, name);
    text.extend_from_slice(rest.to_roff().as_bytes());
    String::from_utf8_lossy(&text).into_owned()
}

fn render(man: &Man, command: &Command, into: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(into)?;
    man.render_name_section(into)?;
    man.render_synopsis_section(into)?;
    man.render_description_section(into)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(into)?;
    }
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(into)?;
    }
    Ok(())
}

/// Sorts the paragraphs of a help text's end into sections.
fn add_after_help(page: &mut Roff, text: &str) {
    let mut notes = Vec::new();
    let mut exit_codes = None;
    let mut examples = None;
    for paragraph in text.split("\n\n") {
        if let Some(lines) = paragraph.strip_prefix(EXAMPLES) {
            examples = Some(lines);
        } else if let Some(codes) = paragraph.strip_prefix(EXIT_CODES) {
            exit_codes = Some(codes);
        } else {
            notes.push(paragraph);
        }
    }
    if !notes.is_empty() {
        page.control("SH", ["NOTES"]);
        for note in notes {
            page.control("PP", []).text([roman(note)]);
        }
    }
    if let Some(codes) = exit_codes {
        page.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
    }
    if let Some(lines) = examples {
        page.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in lines.lines() {
            page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        page.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn tool() -> Command {
        Command::new("telemctl")
            .about("Asks the agent")
            .after_help("Examples:\n  telemctl status\n  .telemctl 'x'\n\nIt takes root.\n\nExit codes: 0 good, 1 bad.")
            .subcommand(Command::new("status").about("How the agent is"))
            .subcommand(Command::new("secret").hide(true))
            .subcommand(
                Command::new("probes").subcommand(Command::new("show").arg(Arg::new("name").required(true))),
            )
    }

    #[test]
    fn every_subcommand_that_is_shown_has_a_page() {
        let names: Vec<_> = pages(tool()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "telemctl.1",
                "telemctl-status.1",
                "telemctl-probes.1",
                "telemctl-probes-show.1"
            ]
        );
        assert_eq!(pages(Command::new("telemd"))[0].0, "telemd.8");
    }

    #[test]
    fn what_follows_the_options_has_sections() {
        let (_, text) = pages(tool()).remove(0);
        let at = |part: &str| {
            text.find(part)
                .unwrap_or_else(|| panic!("{part} is not in {text}"))
        };
        assert!(at(".SH NOTES") < at("It takes root."), "{text}");
        assert!(at(".SH \"EXIT STATUS\"") < at("0 good, 1 bad."), "{text}");
        assert!(at(".SH EXAMPLES") < at("telemctl status\n"), "{text}");
        // A line that begins with a full stop would be a command of the formatter.
        assert!(text.contains("\\&.telemctl"), "{text}");
        assert!(text.contains("telemd\\fR(8)") || text.contains("(8)"), "{text}");
        assert!(!text.contains("Examples:"), "{text}");
    }

    #[test]
    fn pages_are_asked_for_with_an_option_and_a_folder_only() {
        let asked = |arguments: &[&str]| wanted(arguments.iter().map(OsString::from));
        assert_eq!(asked(&[OPTION, "/tmp/x"]), Some("/tmp/x".into()));
        assert_eq!(asked(&[OPTION]), None);
        assert_eq!(asked(&["status"]), None);
        assert_eq!(asked(&[OPTION, "/tmp/x", "status"]), None);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(tool(), Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/telemctl.1"), "{error}");
    }

    #[test]
    fn pages_are_written() {
        let folder = tempfile::tempdir().unwrap();
        write(tool(), folder.path()).unwrap();
        assert!(folder.path().join("telemctl-probes-show.1").exists());
    }
}
