//! An address to functions, files and lines.

mod names;
mod path;
mod span;
mod table;
mod units;

use super::image::Image;
use super::{FileKind, SourceFrame, SymbolsError};
use gimli::{DebugInfoOffset, Dwarf, EndianSlice, RunTimeEndian, Unit};
use names::Names;
use span::Budget;
use table::Table;
use units::Units;

/// Units whose tables are kept for the next question. One takes some 100 KiB for a file of the kernel.
const TABLES_MAX: usize = 64;

/// Units that are asked about one address; there is more than one only where units claim too much.
const OVERLAPS_MAX: usize = 32;

type Bytes<'a> = EndianSlice<'a, RunTimeEndian>;

/// What is kept of a file's debug information.
#[derive(Debug, Default)]
pub(super) struct Debug {
    units: Option<Units>,
    tables: Vec<Kept>,
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    unit: usize,
    used: u64,
    table: Table,
}

impl Debug {
    /// The frames of an address, innermost first; empty when the debug information does not know it.
    pub(super) fn frames(
        &mut self,
        image: &Image,
        file: &[u8],
        address: u64,
    ) -> Result<Vec<SourceFrame>, SymbolsError> {
        let dwarf = dwarf(image, file);
        let units = self.units.get_or_insert_with(|| Units::read(&dwarf));
        let candidates: Vec<usize> = units.at(address).take(OVERLAPS_MAX).collect();
        for offset in candidates {
            let header = dwarf.debug_info.header_from_offset(DebugInfoOffset(offset));
            let unit = header
                .and_then(|header| Unit::new(&dwarf, header))
                .map_err(SymbolsError::Dwarf)?;
            let table = self.table(&dwarf, &unit, offset)?;
            let (function, row) = (table.function(address), table.row(address));
            if function.is_some() || row.is_some() {
                let mut names = Names::new(&dwarf, image.kind != FileKind::Program);
                return names::frames(&dwarf, &unit, function, row, address, &mut names)
                    .map_err(SymbolsError::Dwarf);
            }
        }
        Ok(Vec::new())
    }

    /// The table of a unit, read now or before.
    fn table<'a>(
        &mut self,
        dwarf: &Dwarf<Bytes<'a>>,
        unit: &Unit<Bytes<'a>>,
        offset: usize,
    ) -> Result<&Table, SymbolsError> {
        self.clock += 1;
        let known = self.tables.iter().position(|kept| kept.unit == offset);
        let index = if let Some(index) = known {
            index
        } else {
            let table = Table::read(dwarf, unit).map_err(SymbolsError::Dwarf)?;
            self.forget_oldest();
            self.tables.push(Kept {
                unit: offset,
                used: 0,
                table,
            });
            self.tables.len() - 1
        };
        let clock = self.clock;
        let kept = self
            .tables
            .get_mut(index)
            .ok_or(SymbolsError::Dwarf(gimli::Error::MissingUnitDie))?;
        kept.used = clock;
        Ok(&kept.table)
    }

    /// Makes room for one table.
    fn forget_oldest(&mut self) {
        if self.tables.len() < TABLES_MAX {
            return;
        }
        let oldest = self.tables.iter().enumerate().min_by_key(|(_, kept)| kept.used);
        if let Some((oldest, _)) = oldest {
            self.tables.swap_remove(oldest);
        }
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let tables = self.tables.iter().map(|kept| kept.table.bytes());
        self.units.as_ref().map_or(0, Units::bytes) + tables.sum::<usize>()
    }
}

/// The sections as the reader of DWARF wants them; nothing is parsed yet.
fn dwarf<'a>(image: &'a Image, file: &'a [u8]) -> Dwarf<Bytes<'a>> {
    let endian = if image.little_endian {
        RunTimeEndian::Little
    } else {
        RunTimeEndian::Big
    };
    let load = |id| Ok::<_, std::convert::Infallible>(EndianSlice::new(image.section(id, file), endian));
    match Dwarf::load(load) {
        Ok(dwarf) => dwarf,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests;
