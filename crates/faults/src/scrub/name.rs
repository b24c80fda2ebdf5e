//! Names that people gave: to hosts, users and files, and what they typed.

use super::token::{self, apart, is_word};
use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use std::ops::Range;

/// Folders of which each entry is named after a user.
const USER_FOLDERS: [&str; 8] = [
    "/home/",
    "/Users/",
    "/run/media/",
    MEDIA,
    "/var/mail/",
    "/var/spool/mail/",
    "/var/spool/cron/crontabs/",
    "/export/home/",
];

/// Where discs are mounted for their users; inside of a longer path it is a folder of the kernel's sources.
const MEDIA: &str = "/media/";

/// Bytes of the longest name of a user (`LOGIN_NAME_MAX`).
const USER_MAX: usize = 256;

/// What begins the messages of file systems and of what they are on.
const FILE_SYSTEMS: [&str; 27] = [
    "EXT2-fs",
    "EXT3-fs",
    "EXT4-fs",
    "JBD2",
    "XFS (",
    "BTRFS",
    "F2FS-fs",
    "FAT-fs",
    "exFAT-fs",
    "NTFS",
    "ntfs",
    "UBIFS",
    "JFS",
    "REISERFS",
    "NILFS",
    "OCFS2",
    "ocfs2",
    "GFS2",
    "gfs2",
    "SQUASHFS",
    "EROFS",
    "erofs",
    "overlayfs",
    "NFS",
    "CIFS",
    "UDF-fs",
    "hfsplus",
];

/// Words before the name of a file in such messages.
const FILE_WORDS: [&str; 9] = [
    "path",
    "name",
    "filename",
    "file",
    "dentry",
    "directory",
    "dir",
    "upperdir",
    "lowerdir",
];

/// What is before a command line, up to the line's end.
const COMMAND_LINES: [&str; 12] = [
    "ernel command line: ",
    "Command line: ",
    "command line parameters ",
    "cmdline=",
    "cmdline: ",
    "CMDLINE=",
    "COMMAND=",
    "argv=",
    "argv: ",
    "argv[",
    "proctitle=",
    "EXECVE ",
];

/// The hosts that a policy names.
#[derive(Debug)]
pub(super) struct Hosts {
    /// `None` when it names none.
    names: Option<AhoCorasick>,
}

impl Hosts {
    pub(super) fn new(names: &[String]) -> Result<Self, BuildError> {
        let names: Vec<&str> = names
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() {
            return Ok(Self { names: None });
        }
        let built = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(names)?;
        Ok(Self { names: Some(built) })
    }

    /// Reports the given names, and the names that lines of syslog have.
    pub(super) fn find(&self, text: &str, note: &mut impl FnMut(Range<usize>)) {
        for (start, line) in token::lines(text) {
            if let Some(host) = syslog_host(line) {
                note(start + host.start..start + host.end);
            }
        }
        let found = self.names.iter().flat_map(|names| names.find_iter(text));
        for found in found {
            let range = found.range();
            // A function may be called like a host.
            let frame = text
                .get(range.end..)
                .is_some_and(|after| after.starts_with("+0x"));
            if !frame && apart(text.as_bytes(), &range, is_word) {
                note(range);
            }
        }
    }
}

/// The host in `Nov 24 02:54:00 HOST kernel: text` and `2026-11-24T02:54:00.123456+00:00 HOST kernel: text`, with or without `<4>`
/// before it.
fn syslog_host(line: &str) -> Option<Range<usize>> {
    let mut rest = line;
    if let Some((level, after)) = line.strip_prefix('<').and_then(|after| after.split_once('>'))
        && level.bytes().all(|byte| byte.is_ascii_digit())
    {
        rest = after;
    }
    let time = if rest.starts_with(|c: char| c.is_ascii_digit()) {
        iso_time(rest)?
    } else {
        bsd_time(rest)?
    };
    let after = rest.get(time..)?;
    let host = after.find(' ')?;
    let name = after.get(..host)?;
    // The program follows: `kernel:`, `name[1]:`.
    let program = after.get(host + 1..)?.split(' ').next()?;
    let is_host = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.ends_with(':');
    let start = line.len() - after.len();
    (is_host && program.ends_with(':')).then_some(start..start + host)
}

/// Bytes of `Nov 24 02:54:00 `.
fn bsd_time(text: &str) -> Option<usize> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut shape = text.get(..16)?.bytes().zip("Mmm dd tt:tt:tt ".bytes());
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'M' => byte.is_ascii_uppercase(),
        b'm' => byte.is_ascii_lowercase(),
        b'd' => byte.is_ascii_digit() || byte == b' ',
        b't' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    (shape.all(fits) && MONTHS.contains(text.get(..3)?)).then_some(16)
}

/// Bytes of `2026-11-24T02:54:00.123456+00:00 `.
fn iso_time(text: &str) -> Option<usize> {
    let (time, _) = text.split_once(' ')?;
    let inside =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'+' | b'T' | b'Z' | b',');
    let date =
        time.len() >= 19 && time.as_bytes().get(4) == Some(&b'-') && time.as_bytes().get(10) == Some(&b'T');
    (date && time.bytes().all(inside)).then_some(time.len() + 1)
}

/// Reports the users' parts of paths.
pub(super) fn users(text: &str, note: &mut impl FnMut(Range<usize>)) {
    for folder in USER_FOLDERS {
        for at in memchr::memmem::find_iter(text.as_bytes(), folder) {
            let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
            if folder == MEDIA && before.is_some_and(|byte| is_word(*byte)) {
                continue;
            }
            let start = at + folder.len();
            let rest = text.get(start..).unwrap_or_default();
            let length = rest
                .bytes()
                .take(USER_MAX)
                .take_while(|byte| is_in_name(*byte))
                .count();
            note(start..start + rest.floor_char_boundary(length));
        }
    }
}

/// What a path goes on with up to the next `/`.
fn is_in_name(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !byte.is_ascii_control()
        && !matches!(
            byte,
            b'/' | b'"' | b'\'' | b':' | b',' | b';' | b')' | b']' | b'>' | b'<'
        )
}

/// Reports the names of files in messages of file systems.
pub(super) fn files(text: &str, note: &mut impl FnMut(Range<usize>)) {
    for (start, line) in token::lines(text) {
        if !FILE_SYSTEMS.iter().any(|name| line.contains(name)) {
            continue;
        }
        let mut at = 0;
        while let Some(found) = next_file(line, at) {
            at = found.end.max(at + 1);
            note(start + found.start..start + found.end);
        }
    }
}

/// The next name of a file from `from`: between quotes, a path, or behind a word that announces it.
fn next_file(line: &str, from: usize) -> Option<Range<usize>> {
    (from..line.len()).find_map(|at| {
        let rest = line.get(at..)?;
        let before = at.checked_sub(1).and_then(|before| line.as_bytes().get(before));
        let first_of_word = before.is_none_or(|byte| matches!(byte, b' ' | b'=' | b'(' | b'[' | b',' | b':'));
        match rest.as_bytes().first()? {
            b'"' => quoted(rest, '"', at),
            // Elsewhere it is an apostrophe: `couldn't`.
            b'\'' if first_of_word => quoted(rest, '\'', at),
            b'/' if first_of_word => path(rest, at),
            byte if first_of_word && byte.is_ascii_lowercase() => announced(rest, at),
            _ => None,
        }
    })
}

/// What is between a quote at the front and the next one.
fn quoted(rest: &str, quote: char, at: usize) -> Option<Range<usize>> {
    let length = rest.get(1..)?.find(quote)?;
    (length > 0).then_some(at + 1..at + 1 + length)
}

fn path(rest: &str, at: usize) -> Option<Range<usize>> {
    let length = rest
        .find([' ', ',', ';', '"', '\'', ')', ']', '<'])
        .unwrap_or(rest.len());
    let length = rest.get(..length)?.trim_end_matches([':', '.']).len();
    // The file system's own device is no secret.
    (length > 1 && !rest.starts_with("/dev/")).then_some(at..at + length)
}

/// What follows a word such as `path` or `name=`.
fn announced(rest: &str, at: usize) -> Option<Range<usize>> {
    let word = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    if !FILE_WORDS.contains(&rest.get(..word)?) {
        return None;
    }
    let value = rest.get(word..)?;
    let gap = value.len() - value.trim_start_matches([' ', ':', '=']).len();
    let value = value.get(gap..)?;
    if gap == 0 || value.starts_with(['"', '\'', '/', '<', '(', '[']) {
        return None;
    }
    let length = value.find([' ', ',', ';', ')', ']']).unwrap_or(value.len());
    let length = value.get(..length)?.trim_end_matches([':', '.']).len();
    let start = at + word + gap;
    (length > 0).then_some(start..start + length)
}

/// Reports what follows the words before command lines.
pub(super) fn command_lines(text: &str, note: &mut impl FnMut(Range<usize>)) {
    for (start, line) in token::lines(text) {
        let first = COMMAND_LINES.iter().filter_map(|before| {
            let at = line.find(before)?;
            // Inside of a token it is the token's name.
            (!line.get(..at)?.ends_with('<')).then_some(at + before.len())
        });
        if let Some(from) = first.min() {
            let rest = line.get(from..).unwrap_or_default();
            let kept = rest.trim_end().len();
            note(start + from..start + from + kept);
        }
    }
}
