//! How much of a record its page shows: a record has up to 256 KiB, a page of a few hundred rows has less.

use super::Sections;
use crate::http::view::shown::size;

/// Bytes of a page that the rows of all sections take; the text has its own.
const ROWS_BYTES: usize = 40 << 10;
/// Those of a row without what it says.
const MARKUP_BYTES: usize = 130;
/// Frames of a stack that are shown.
const FRAMES: usize = 64;

/// What is left of a page.
struct Room {
    bytes: usize,
    /// Something had none.
    full: bool,
}

impl Room {
    /// Keeps the first rows, as many as there is room for and at most `most`.
    fn keep<T>(&mut self, rows: &mut Vec<T>, most: usize, texts: impl Fn(&T) -> Vec<&str>) {
        let fits = |row: &&T| {
            let taken = MARKUP_BYTES + texts(row).into_iter().map(size).sum::<usize>();
            let left = self.bytes.checked_sub(taken);
            self.bytes = left.unwrap_or(0);
            left.is_some()
        };
        let kept = rows.iter().take(most).take_while(fits).count();
        self.full |= kept < rows.len();
        rows.truncate(kept);
    }
}

impl Sections {
    /// Without the rows that a page has no room for.
    pub(in crate::http::view) fn in_room(mut self) -> Self {
        let mut room = Room {
            bytes: ROWS_BYTES,
            full: false,
        };
        for trace in &mut self.traces {
            let all = trace.frames.len();
            room.keep(&mut trace.frames, FRAMES, |frame| {
                vec![
                    &frame.function,
                    &frame.module,
                    &frame.location,
                    &frame.whole_location,
                ]
            });
            if trace.frames.len() < all {
                trace.size = format!("{}, the first {} shown", trace.size, trace.frames.len());
            }
        }
        for table in &mut self.tables {
            room.keep(&mut table.rows, usize::MAX, |row| {
                row.iter().map(String::as_str).collect()
            });
        }
        room.keep(&mut self.registers, usize::MAX, |(name, value)| vec![name, value]);
        room.keep(&mut self.hooks, usize::MAX, |hook| vec![&hook.name, &hook.reason]);
        self.linked_in = self.modules.len();
        room.keep(&mut self.modules, usize::MAX, |module| vec![module]);
        self.traces.retain(|trace| !trace.frames.is_empty());
        self.tables.retain(|table| !table.rows.is_empty());
        self.cut = room.full;
        self
    }
}
