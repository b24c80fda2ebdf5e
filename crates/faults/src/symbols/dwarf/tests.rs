//! Debug information made to be expensive: a few bytes that many entries share, or that nest.
//!
//! Each of these takes hours when work is not bounded; none of them is timed, because here it is milliseconds.

use super::span::Budget;
use super::*;
use gimli::{SectionId, UnitOffset};

/// The sections of a made file.
#[derive(Default)]
struct Made {
    info: Vec<u8>,
    abbrev: Vec<u8>,
    rnglists: Vec<u8>,
}

impl Made {
    /// With one table of abbreviations.
    fn with(abbreviations: &[Vec<u8>]) -> Self {
        let mut abbrev = abbreviations.concat();
        abbrev.push(0);
        Self {
            abbrev,
            ..Self::default()
        }
    }

    fn dwarf(&self) -> Dwarf<Bytes<'_>> {
        let load = |id| {
            let bytes = match id {
                SectionId::DebugInfo => self.info.as_slice(),
                SectionId::DebugAbbrev => &self.abbrev,
                SectionId::DebugRngLists => &self.rnglists,
                _ => &[],
            };
            Ok::<_, std::convert::Infallible>(EndianSlice::new(bytes, RunTimeEndian::Little))
        };
        Dwarf::load(load).unwrap()
    }

    /// A unit of version 5 with 8-byte addresses and this content.
    fn unit(&mut self, abbreviations: u32, entries: &[u8]) {
        let length = u32::try_from(entries.len() + 8).unwrap();
        self.info.extend(length.to_le_bytes());
        self.info.extend([5, 0, 1, 8]);
        self.info.extend(abbreviations.to_le_bytes());
        self.info.extend(entries);
    }

    fn first_unit<'a>(dwarf: &Dwarf<Bytes<'a>>) -> Unit<Bytes<'a>> {
        Unit::new(dwarf, dwarf.units().next().unwrap().unwrap()).unwrap()
    }

    /// One list of many ranges, each a byte long.
    fn long_list(&mut self) {
        // `DW_RLE_start_length` 0x1000, then `DW_RLE_offset_pair` from 0 to 1.
        for _ in 0..100_000 {
            self.rnglists.extend([0x07]);
            self.rnglists.extend(0x1000_u64.to_le_bytes());
            self.rnglists.push(1);
        }
        self.rnglists.push(0);
    }
}

/// Tags, attributes and forms (DWARF 5, section 7.5).
const UNIT: u8 = 0x11;
const SUBPROGRAM: u8 = 0x2e;
const INLINED: u8 = 0x1d;
const LOW: [u8; 2] = [0x11, 0x01];
const HIGH: [u8; 2] = [0x12, 0x0b];
const RANGES: [u8; 2] = [0x55, 0x17];

fn abbreviation(code: u8, tag: u8, children: bool, attributes: &[[u8; 2]]) -> Vec<u8> {
    let mut bytes = vec![code, tag, u8::from(children)];
    bytes.extend(attributes.iter().flatten());
    bytes.extend([0, 0]);
    bytes
}

/// An entry with the address 0x1000 and the length 0xff.
fn at_0x1000(code: u8) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend(0x1000_u64.to_le_bytes());
    bytes.push(0xff);
    bytes
}

#[test]
fn units_that_share_a_long_list_of_ranges_cost_no_more_than_the_budget() {
    let mut made = Made::with(&[abbreviation(1, UNIT, false, &[RANGES])]);
    made.long_list();
    for _ in 0..50_000 {
        made.unit(0, &[1, 0, 0, 0, 0]);
    }
    let units = Units::read(&made.dwarf());
    assert!(units.bytes() < 200 << 20);
    assert!(units.at(0x1000).next().is_some());
}

#[test]
fn functions_that_share_a_long_list_of_ranges_cost_no_more_than_the_budget() {
    let mut made = Made::with(&[
        abbreviation(1, UNIT, true, &[LOW, HIGH]),
        abbreviation(2, SUBPROGRAM, false, &[RANGES]),
    ]);
    made.long_list();
    let mut entries = at_0x1000(1);
    for _ in 0..50_000 {
        entries.extend([2, 0, 0, 0, 0]);
    }
    made.unit(0, &entries);
    let dwarf = made.dwarf();
    let table = Table::read(&dwarf, &Made::first_unit(&dwarf)).unwrap();
    assert!(table.function(0x1000).is_some());
    assert!(table.bytes() < 200 << 20);
}

#[test]
fn tables_of_abbreviations_that_overlap_are_read_once() {
    let mut made = Made::default();
    // A long table, and units that each begin one entry later in it.
    let entry = abbreviation(1, UNIT, false, &[LOW, HIGH]);
    for _ in 0..50_000 {
        made.abbrev.extend(&entry);
    }
    made.abbrev.push(0);
    for index in 0..50_000_u32 {
        made.unit(index * u32::try_from(entry.len()).unwrap(), &at_0x1000(1));
    }
    Units::read(&made.dwarf());
}

#[test]
fn functions_inlined_into_each_other_without_end_are_cut() {
    let mut made = Made::with(&[
        abbreviation(1, UNIT, true, &[LOW, HIGH]),
        abbreviation(2, SUBPROGRAM, true, &[LOW, HIGH]),
        abbreviation(3, INLINED, true, &[LOW, HIGH]),
    ]);
    let mut entries = at_0x1000(1);
    let function = UnitOffset(12 + entries.len());
    entries.extend(at_0x1000(2));
    for _ in 0..200_000 {
        entries.extend(at_0x1000(3));
    }
    made.unit(0, &entries);
    let dwarf = made.dwarf();
    let unit = Made::first_unit(&dwarf);
    let mut names = Names::new(&dwarf, false);
    let frames = names::frames(&dwarf, &unit, Some(function), None, 0x1001, &mut names).unwrap();
    assert_eq!(frames.len(), names::INLINED_MAX + 1);
}

#[test]
fn a_name_that_refers_to_itself_has_an_end() {
    let mut made = Made::with(&[
        abbreviation(1, UNIT, true, &[LOW, HIGH]),
        abbreviation(2, SUBPROGRAM, false, &[LOW, HIGH, [0x31, 0x11]]),
    ]);
    // `DW_AT_abstract_origin`, `DW_FORM_ref1`.
    let mut entries = at_0x1000(1);
    let function = 12 + entries.len();
    entries.extend(at_0x1000(2));
    entries.push(u8::try_from(function).unwrap());
    made.unit(0, &entries);
    let dwarf = made.dwarf();
    let unit = Made::first_unit(&dwarf);
    let mut names = Names::new(&dwarf, false);
    let frames = names::frames(
        &dwarf,
        &unit,
        Some(UnitOffset(function)),
        None,
        0x1001,
        &mut names,
    )
    .unwrap();
    assert_eq!(frames, [SourceFrame::default()]);
}

#[test]
fn a_budget_ends() {
    let mut budget = Budget::new();
    let taken = std::iter::from_fn(|| budget.take().then_some(())).count();
    assert_eq!(taken, 1 << 20);
}
