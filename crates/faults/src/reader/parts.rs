//! Dumps of pstore: the end of a log in parts, the last part first.

use crate::bytes::Cursor;

/// Bytes of parts that are kept until the dump is complete; a longer dump is read in pieces of this size.
const BYTES_MAX: usize = 1 << 20;
/// Parts that are kept.
const PARTS_MAX: usize = 256;
/// Reasons for a dump (fs/pstore/platform.c before 5.8, kernel/printk/printk.c `kmsg_dump_reason_str` since).
pub(crate) const REASONS: [&str; 8] = [
    "Panic#",
    "Oops#",
    "Emergency#",
    "Shutdown#",
    "Restart#",
    "Halt#",
    "Poweroff#",
    "Unknown#",
];

/// The parts read so far. They begin with a line `Oops#1 Part2`: the reason, the number of the dump and that of the part.
/// Part 1 holds the end of the log.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
    bytes: usize,
}

#[derive(Debug)]
struct Part {
    /// Which dump of the input, counted from 0.
    dump: usize,
    heading: (Vec<u8>, u64),
    number: u64,
    lines: Lines,
}

/// Lines with their offsets in the input.
pub(super) type Lines = Vec<(u64, Vec<u8>)>;

impl Parts {
    /// Whether lines belong to parts.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes a line when it is the heading of a part, or when one was seen.
    pub(super) fn take(&mut self, raw: &[u8], at: u64) -> bool {
        if let Some((heading, number)) = heading(raw.trim_ascii_end()) {
            let dump = self.dump_of(&heading, number);
            self.parts.push(Part {
                dump,
                heading,
                number,
                lines: Lines::new(),
            });
            return true;
        }
        let Some(part) = self.parts.last_mut() else {
            return false;
        };
        part.lines.push((at, raw.to_owned()));
        self.bytes += raw.len() + size_of::<(u64, Vec<u8>)>();
        true
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX || self.parts.len() >= PARTS_MAX
    }

    /// The lines of each dump in the order in which the kernel wrote them.
    pub(super) fn dumps(&mut self) -> Vec<Lines> {
        self.bytes = 0;
        let mut parts = std::mem::take(&mut self.parts);
        parts.sort_by_key(|part| (part.dump, std::cmp::Reverse(part.number)));
        let mut dumps: Vec<Lines> = Vec::new();
        let mut last = None;
        for part in parts {
            match dumps.last_mut().filter(|_| last == Some(part.dump)) {
                Some(lines) => lines.extend(part.lines),
                None => dumps.push(part.lines),
            }
            last = Some(part.dump);
        }
        dumps
    }

    /// The dump of the same heading that lacks this part, or a new one.
    fn dump_of(&self, heading: &(Vec<u8>, u64), number: u64) -> usize {
        let same = self.parts.iter().rev().find(|part| part.heading == *heading);
        let has_it = |dump| {
            self.parts
                .iter()
                .any(|part| part.dump == dump && part.number == number)
        };
        match same.map(|part| part.dump) {
            Some(dump) if !has_it(dump) => dump,
            _ => self.parts.iter().map(|part| part.dump + 1).max().unwrap_or(0),
        }
    }
}

fn heading(line: &[u8]) -> Option<((Vec<u8>, u64), u64)> {
    let reason = REASONS
        .iter()
        .find(|reason| line.starts_with(reason.as_bytes()))?;
    let mut cursor = Cursor::new(line.get(reason.len()..)?);
    let dump = cursor.number()?;
    let number = cursor.eat(b" Part").then(|| cursor.number())??;
    cursor
        .rest()
        .is_empty()
        .then(|| ((reason.as_bytes().to_owned(), dump), number))
}
