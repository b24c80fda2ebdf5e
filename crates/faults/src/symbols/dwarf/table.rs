//! The functions and lines of one unit, by address.

use super::Bytes;
use super::span::{Bases, Budget, Span};
use gimli::{Dwarf, Error, Range, Unit, UnitOffset};

/// Most rows of a unit's line table; the largest of Rust programs have a million.
const ROWS_MAX: usize = 1 << 22;

/// How far back a function is looked for among ranges that overlap.
const OVERLAPS_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct Table {
    /// By first address.
    functions: Vec<Function>,
    /// By first address.
    sequences: Vec<Sequence>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Function {
    range: Range,
    entry: UnitOffset,
}

/// Rows of rising addresses that belong together.
#[derive(Debug)]
struct Sequence {
    range: Range,
    rows: std::ops::Range<usize>,
}

/// From its address to that of the next row the code is of this line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    address: u64,
    /// Index into the file table of the unit's line program.
    pub(super) file: u32,
    pub(super) line: u32,
}

impl Table {
    pub(super) fn read(dwarf: &Dwarf<Bytes<'_>>, unit: &Unit<Bytes<'_>>) -> Result<Self, Error> {
        let functions = functions(dwarf, unit)?;
        let mut table = Self {
            functions,
            sequences: Vec::new(),
            rows: Vec::new(),
        };
        table.read_lines(unit)?;
        Ok(table)
    }

    /// Where the entry of the function that holds an address lies in the unit; the smallest if there are several.
    pub(super) fn function(&self, address: u64) -> Option<UnitOffset> {
        let end = self
            .functions
            .partition_point(|function| function.range.begin <= address);
        let before = self.functions.get(end.saturating_sub(OVERLAPS_MAX)..end)?;
        let holding = before.iter().filter(|function| function.range.end > address);
        holding
            .min_by_key(|function| function.range.end - function.range.begin)
            .map(|function| function.entry)
    }

    /// The row that an address belongs to.
    pub(super) fn row(&self, address: u64) -> Option<Row> {
        let end = self
            .sequences
            .partition_point(|sequence| sequence.range.begin <= address);
        let before = self.sequences.get(end.saturating_sub(OVERLAPS_MAX)..end)?;
        let sequence = before
            .iter()
            .rev()
            .find(|sequence| sequence.range.end > address)?;
        let rows = self.rows.get(sequence.rows.clone())?;
        let after = rows.partition_point(|row| row.address <= address);
        rows.get(after.checked_sub(1)?).copied()
    }

    pub(super) fn bytes(&self) -> usize {
        self.functions.capacity() * size_of::<Function>()
            + self.sequences.capacity() * size_of::<Sequence>()
            + self.rows.capacity() * size_of::<Row>()
    }

    fn read_lines(&mut self, unit: &Unit<Bytes<'_>>) -> Result<(), Error> {
        let Some(program) = unit.line_program.clone() else {
            return Ok(());
        };
        let mut rows = program.rows();
        let mut start = 0;
        while let Some((_, row)) = rows.next_row()? {
            if row.end_sequence() {
                let first = self.rows.get(start).map_or(0, |row| row.address);
                if start < self.rows.len() && first < row.address() {
                    let range = Range {
                        begin: first,
                        end: row.address(),
                    };
                    self.sequences.push(Sequence {
                        range,
                        rows: start..self.rows.len(),
                    });
                }
                start = self.rows.len();
                continue;
            }
            let new = Row {
                address: row.address(),
                file: u32::try_from(row.file_index()).unwrap_or(u32::MAX),
                line: row
                    .line()
                    .map_or(0, |line| u32::try_from(line.get()).unwrap_or(0)),
            };
            // Of several rows of one address the last one counts: the others are for no instruction.
            let known = self.rows.get_mut(start..).and_then(<[Row]>::last_mut);
            if let Some(last) = known.filter(|last| last.address == new.address) {
                *last = new;
            } else if self.rows.len() < ROWS_MAX {
                self.rows.push(new);
            } else {
                break;
            }
        }
        self.sequences.sort_by_key(|sequence| sequence.range.begin);
        self.rows.shrink_to_fit();
        Ok(())
    }
}

/// The ranges of all functions of a unit.
fn functions(dwarf: &Dwarf<Bytes<'_>>, unit: &Unit<Bytes<'_>>) -> Result<Vec<Function>, Error> {
    let bases = Bases::of(unit);
    let mut budget = Budget::new();
    let mut functions = Vec::new();
    let mut entries = unit.header.entries_raw(&unit.abbreviations, None)?;
    while !entries.is_empty() {
        let entry = entries.next_offset();
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        if abbreviation.tag() != gimli::DW_TAG_subprogram {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let mut span = Span::default();
        for specification in abbreviation.attributes() {
            span.attribute(&entries.read_attribute(*specification)?);
        }
        span.each(dwarf, &bases, &mut budget, |range| {
            functions.push(Function { range, entry });
        });
    }
    functions.sort_by_key(|function| function.range.begin);
    functions.shrink_to_fit();
    Ok(functions)
}
