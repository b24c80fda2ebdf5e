//! The few bytes of the mappings that are kept: the ends of stacks and the beginnings of files.

use std::io::Read;
use std::ops::Range;

use crate::layout::{Layout, Segment};
use crate::notes::Notes;
use crate::source::{Source, u64_at};

/// How much of a stack is kept, bytes: 64 frames that have a kibibyte each.
const STACK_BYTES: u64 = 64 << 10;
/// How much of a file's beginning is kept, bytes: what the kernel dumps of it (`fs/coredump.c`: `vma_dump_size`), and where it looks for
/// the build id itself (`lib/buildid.c`).
const HEAD_BYTES: u64 = 4 << 10;
/// Most beginnings of files that are kept: programs map some hundreds.
const HEADS: usize = 1_024;

/// Bytes of the process's memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Pieces by address, which do not overlap.
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Memory {
    /// Reads what the notes ask for.
    pub(crate) fn read<R: Read>(layout: &Layout, notes: &Notes, source: &mut Source<R>) -> Self {
        let stacks = notes.threads.iter().map(|thread| (thread.stack, STACK_BYTES));
        let heads = notes.files.heads().take(HEADS).map(|head| (head, HEAD_BYTES));
        let mut wanted: Vec<_> = stacks
            .chain(heads)
            .map(|(address, bytes)| address..address.saturating_add(bytes))
            .collect();
        wanted.sort_by_key(|range| range.start);
        let wanted = joined(wanted);
        let mut memory = Self::default();
        for segment in layout.segments() {
            if memory.read_segment(*segment, &wanted, source).is_none() {
                break;
            }
        }
        memory.pieces.sort_by_key(|(address, _)| *address);
        memory
    }

    /// `None` at the end of the dump.
    fn read_segment<R: Read>(
        &mut self,
        segment: Segment,
        wanted: &[Range<u64>],
        source: &mut Source<R>,
    ) -> Option<()> {
        let end = segment.address.saturating_add(segment.kept);
        let first = wanted.partition_point(|range| range.end <= segment.address);
        for range in wanted.iter().skip(first).take_while(|range| range.start < end) {
            let piece = range.start.max(segment.address)..range.end.min(end);
            source.go_to(segment.offset.checked_add(piece.start - segment.address)?)?;
            let bytes = source.take_some(usize::try_from(piece.end - piece.start).ok()?);
            self.pieces.push((piece.start, bytes));
            if source.has_ended() {
                return None;
            }
        }
        Some(())
    }

    /// What is kept from an address on; `None` where nothing is.
    pub(crate) fn at(&self, address: u64) -> Option<&[u8]> {
        let behind = self.pieces.partition_point(|(start, _)| *start <= address);
        let (start, bytes) = self.pieces.get(behind.checked_sub(1)?)?;
        bytes
            .get(usize::try_from(address - start).ok()?..)
            .filter(|rest| !rest.is_empty())
    }

    /// The word at an address.
    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        u64_at(self.at(address)?, 0)
    }
}

/// Ranges, sorted by their beginning, of which none overlap.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}
