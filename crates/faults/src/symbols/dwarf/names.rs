//! The frames of an address: which functions were inlined there, what they are called and where the calls are.

use super::path;
use super::span::{Bases, Span};
use super::table::Row;
use super::{Budget, Bytes};
use crate::symbols::SourceFrame;
use gimli::{AttributeValue, DebugInfoOffset, Dwarf, Error, Unit, UnitOffset};
use std::collections::HashMap;

/// Functions inlined into each other at one address; compilers stop long before.
pub(super) const INLINED_MAX: usize = 128;
/// Entries that are followed to a name: an inlined copy, its abstract form, its declaration.
const ORIGINS_MAX: usize = 16;
/// Other units that the names of one answer may lie in, as they do after optimisation at link time.
const UNITS_MAX: usize = 16;

/// An inlined function that covers the address.
struct Inlined<'a> {
    depth: isize,
    name: Option<Bytes<'a>>,
    call_file: u64,
    call_line: u32,
}

/// The frames, innermost first.
pub(super) fn frames<'a>(
    dwarf: &Dwarf<Bytes<'a>>,
    unit: &Unit<Bytes<'a>>,
    function: Option<UnitOffset>,
    row: Option<Row>,
    address: u64,
    names: &mut Names<'_, 'a>,
) -> Result<Vec<SourceFrame>, Error> {
    let (name, inlined) = match function {
        Some(entry) => chain(dwarf, unit, entry, address, names)?,
        None => (None, Vec::new()),
    };
    let mut place = match row {
        Some(row) => (
            path::of(dwarf, unit, u64::from(row.file), names.kernel),
            Some(row.line),
        ),
        None => (None, None),
    };
    let mut frames = Vec::with_capacity(inlined.len() + 1);
    for function in inlined.iter().rev() {
        let call = (
            path::of(dwarf, unit, function.call_file, names.kernel),
            Some(function.call_line),
        );
        let (file, line) = std::mem::replace(&mut place, call);
        frames.push(frame(function.name, file, line, true));
    }
    let (file, line) = place;
    frames.push(frame(name, file, line, false));
    Ok(frames)
}

fn frame(name: Option<Bytes<'_>>, file: Option<String>, line: Option<u32>, inlined: bool) -> SourceFrame {
    SourceFrame {
        function: name.map(|name| name.to_string_lossy().into_owned()),
        file,
        line: line.filter(|line| *line > 0),
        inlined,
    }
}

/// The name of a function, and the functions inlined at the address, outermost first.
fn chain<'a>(
    dwarf: &Dwarf<Bytes<'a>>,
    unit: &Unit<Bytes<'a>>,
    function: UnitOffset,
    address: u64,
    names: &mut Names<'_, 'a>,
) -> Result<(Option<Bytes<'a>>, Vec<Inlined<'a>>), Error> {
    let bases = Bases::of(unit);
    let mut budget = Budget::new();
    let name = names.of(unit, function)?;
    let mut entries = unit.header.entries_raw(&unit.abbreviations, Some(function))?;
    let top = entries.next_depth();
    if let Some(abbreviation) = entries.read_abbreviation()? {
        entries.skip_attributes(abbreviation.attributes())?;
    }
    let mut chain: Vec<Inlined<'a>> = Vec::new();
    // Entries below this depth belong to another function that is defined inside this one.
    let mut foreign: Option<isize> = None;
    while entries.next_depth() > top && !entries.is_empty() {
        let (entry, depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        foreign = foreign.filter(|foreign| depth > *foreign);
        let inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine;
        if abbreviation.tag() == gimli::DW_TAG_subprogram && foreign.is_none() {
            foreign = Some(depth);
        }
        let deeper = chain.last().is_none_or(|last| depth > last.depth);
        if !inlined || foreign.is_some() || !deeper || chain.len() == INLINED_MAX {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let mut span = Span::default();
        let mut found = Inlined {
            depth,
            name: None,
            call_file: 0,
            call_line: 0,
        };
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification)?;
            span.attribute(&attribute);
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_call_file, AttributeValue::FileIndex(index)) => found.call_file = index,
                (gimli::DW_AT_call_line, value) => {
                    found.call_line = value
                        .udata_value()
                        .and_then(|line| u32::try_from(line).ok())
                        .unwrap_or(0);
                }
                _ => {}
            }
        }
        let mut holds = false;
        span.each(dwarf, &bases, &mut budget, |range| {
            holds |= range.begin <= address && address < range.end;
        });
        if holds {
            found.name = names.of(unit, entry)?;
            chain.push(found);
        }
    }
    Ok((name, chain))
}

/// Finds the names of functions, which may lie in other units.
pub(super) struct Names<'d, 'a> {
    dwarf: &'d Dwarf<Bytes<'a>>,
    /// Whether the file is of the kernel.
    kernel: bool,
    /// Where each unit starts in `.debug_info`, in order; read when first needed.
    starts: Option<Vec<usize>>,
    units: HashMap<usize, Unit<Bytes<'a>>>,
}

/// What an entry says about a name.
enum Name<'a> {
    Here(Option<Bytes<'a>>),
    InUnit(UnitOffset),
    InFile(DebugInfoOffset),
}

impl<'d, 'a> Names<'d, 'a> {
    pub(super) fn new(dwarf: &'d Dwarf<Bytes<'a>>, kernel: bool) -> Self {
        Self {
            dwarf,
            kernel,
            starts: None,
            units: HashMap::new(),
        }
    }

    /// The name that the linker knows, or the plain one.
    fn of(&mut self, unit: &Unit<Bytes<'a>>, mut entry: UnitOffset) -> Result<Option<Bytes<'a>>, Error> {
        let mut other: Option<usize> = None;
        for _ in 0..ORIGINS_MAX {
            let here = match other {
                Some(start) => self.units.get(&start).unwrap_or(unit),
                None => unit,
            };
            match name(self.dwarf, here, entry)? {
                Name::Here(name) => return Ok(name),
                Name::InUnit(next) => entry = next,
                Name::InFile(offset) => {
                    let Some((start, next)) = self.unit_of(offset) else {
                        return Ok(None);
                    };
                    (other, entry) = (Some(start), next);
                }
            }
        }
        Ok(None)
    }

    /// The unit that holds an entry, and the entry's place in it.
    fn unit_of(&mut self, offset: DebugInfoOffset) -> Option<(usize, UnitOffset)> {
        let dwarf = self.dwarf;
        let starts = self.starts.get_or_insert_with(|| {
            let mut starts = Vec::new();
            let mut headers = dwarf.units();
            while let Ok(Some(header)) = headers.next() {
                starts.extend(header.debug_info_offset().map(|start| start.0));
            }
            starts
        });
        let index = starts
            .partition_point(|start| *start <= offset.0)
            .checked_sub(1)?;
        let start = *starts.get(index)?;
        if !self.units.contains_key(&start) {
            if self.units.len() == UNITS_MAX {
                return None;
            }
            let header = dwarf.debug_info.header_from_offset(DebugInfoOffset(start)).ok()?;
            self.units.insert(start, Unit::new(dwarf, header).ok()?);
        }
        let entry = offset.to_unit_offset(&self.units.get(&start)?.header)?;
        Some((start, entry))
    }
}

fn name<'a>(dwarf: &Dwarf<Bytes<'a>>, unit: &Unit<Bytes<'a>>, entry: UnitOffset) -> Result<Name<'a>, Error> {
    let mut entries = unit.header.entries_raw(&unit.abbreviations, Some(entry))?;
    let Some(abbreviation) = entries.read_abbreviation()? else {
        return Ok(Name::Here(None));
    };
    let (mut plain, mut origin) = (None, None);
    for specification in abbreviation.attributes() {
        let attribute = entries.read_attribute(*specification)?;
        match (attribute.name(), attribute.value()) {
            (gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name, value) => {
                if let Ok(name) = dwarf.attr_string(unit, value) {
                    return Ok(Name::Here(Some(name)));
                }
            }
            (gimli::DW_AT_name, value) => plain = dwarf.attr_string(unit, value).ok(),
            (gimli::DW_AT_abstract_origin | gimli::DW_AT_specification, value) => origin = Some(value),
            _ => {}
        }
    }
    Ok(match (plain, origin) {
        (None, Some(AttributeValue::UnitRef(next))) => Name::InUnit(next),
        (None, Some(AttributeValue::DebugInfoRef(next))) => Name::InFile(next),
        (plain, _) => Name::Here(plain),
    })
}
