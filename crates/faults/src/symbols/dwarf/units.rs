//! Which unit of the debug information is about an address.

use super::Bytes;
use super::span::{Bases, Budget, Span};
use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugAbbrevOffset, DebugAddrBase, DebugRngListsBase, Dwarf,
    EndianSlice, Error, Range, Reader as _, Section as _, UnitHeader,
};

/// Most units of a file; a kernel has 4000, the largest programs some 100,000.
const UNITS_MAX: usize = 1 << 20;

/// All ranges of a file's units.
#[derive(Debug)]
pub(super) struct Units {
    /// By first address.
    ranges: Vec<UnitRange>,
}

#[derive(Debug)]
struct UnitRange {
    begin: u64,
    end: u64,
    /// The largest `end` of this and all before it: where a search backwards may stop.
    reach: u64,
    /// Where the unit lies in `.debug_info`.
    unit: usize,
}

impl Units {
    /// Reads the root of each unit. Damaged units are left out.
    pub(super) fn read(dwarf: &Dwarf<Bytes<'_>>) -> Self {
        let mut headers = Vec::new();
        let mut iter = dwarf.units();
        while headers.len() < UNITS_MAX
            && let Ok(Some(header)) = iter.next()
        {
            headers.push(header);
        }
        // Tables of abbreviations lie one after the other. Each is read once and not beyond the start of the next, so
        // the whole takes no longer than the section is long.
        headers.sort_by_key(|header| header.debug_abbrev_offset().0);
        let mut ranges = Vec::new();
        let mut budget = Budget::new();
        let mut rest = headers.as_slice();
        while let Some(first) = rest.first() {
            let start = first.debug_abbrev_offset();
            let count = rest.partition_point(|header| header.debug_abbrev_offset() == start);
            let (same, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let next = after.first().map(UnitHeader::debug_abbrev_offset);
            if let Ok(abbreviations) = abbreviations(dwarf, start, next) {
                for header in same {
                    let Some(unit) = header.debug_info_offset().map(|offset| offset.0) else {
                        continue;
                    };
                    // A unit that cannot be read answers nothing.
                    if let Ok(Some((span, bases))) = root(dwarf, header, &abbreviations) {
                        span.each(dwarf, &bases, &mut budget, |Range { begin, end }| {
                            ranges.push(UnitRange {
                                begin,
                                end,
                                reach: 0,
                                unit,
                            });
                        });
                    }
                }
            }
            rest = after;
        }
        ranges.sort_by_key(|range| (range.begin, range.end));
        let mut reach = 0;
        for range in &mut ranges {
            reach = range.end.max(reach);
            range.reach = reach;
        }
        Self { ranges }
    }

    /// The units that claim an address, the one that starts closest before it first.
    pub(super) fn at(&self, address: u64) -> impl Iterator<Item = usize> {
        let end = self.ranges.partition_point(|range| range.begin <= address);
        let before = self.ranges.get(..end).unwrap_or_default();
        before
            .iter()
            .rev()
            .take_while(move |range| range.reach > address)
            .filter(move |range| range.end > address)
            .map(|range| range.unit)
    }

    pub(super) fn bytes(&self) -> usize {
        self.ranges.capacity() * size_of::<UnitRange>()
    }
}

fn abbreviations(
    dwarf: &Dwarf<Bytes<'_>>,
    start: DebugAbbrevOffset,
    next: Option<DebugAbbrevOffset>,
) -> Result<Abbreviations, Error> {
    let section = dwarf.debug_abbrev.reader();
    let bytes = section
        .slice()
        .get(start.0..next.map_or(section.slice().len(), |next| next.0));
    let bytes = bytes.ok_or(Error::OffsetOutOfBounds(u64::MAX))?;
    let table = DebugAbbrev::from(EndianSlice::new(bytes, section.endian()));
    table.abbreviations(DebugAbbrevOffset(0))
}

/// What the root of a unit says about its ranges, and how to read them.
fn root<'a>(
    dwarf: &Dwarf<Bytes<'a>>,
    header: &UnitHeader<Bytes<'a>>,
    abbreviations: &Abbreviations,
) -> Result<Option<(Span<'a>, Bases)>, Error> {
    let mut entries = header.entries_raw(abbreviations, None)?;
    let Some(abbreviation) = entries.read_abbreviation()? else {
        return Ok(None);
    };
    let mut span = Span::default();
    let mut bases = Bases {
        encoding: header.encoding(),
        low_pc: 0,
        addr_base: DebugAddrBase(0),
        rnglists_base: DebugRngListsBase::default_for_encoding_and_file(header.encoding(), dwarf.file_type),
    };
    for specification in abbreviation.attributes() {
        let attribute = entries.read_attribute(*specification)?;
        span.attribute(&attribute);
        match attribute.value() {
            AttributeValue::DebugAddrBase(base) => bases.addr_base = base,
            AttributeValue::DebugRngListsBase(base) => bases.rnglists_base = base,
            _ => {}
        }
    }
    bases.low_pc = span.low_pc(dwarf, &bases).unwrap_or(0);
    Ok(Some((span, bases)))
}
