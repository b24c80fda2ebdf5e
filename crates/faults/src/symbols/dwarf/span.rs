//! The addresses that an entry of the debug information covers.

use super::Bytes;
use gimli::{
    Attribute, AttributeValue, DebugAddrBase, DebugRngListsBase, Dwarf, Encoding, Range, RangeListsOffset,
    Unit,
};

/// How many ranges may be read for one answer or one table. Entries may share a list, so their number alone bounds
/// nothing.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// More than the ranges of the largest kernels' units or of any one unit.
    pub(super) fn new() -> Self {
        Self(1 << 20)
    }

    pub(super) fn take(&mut self) -> bool {
        match self.0.checked_sub(1) {
            Some(left) => self.0 = left,
            None => return false,
        }
        true
    }
}

/// What the attributes of a unit's root say about reading the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bases {
    pub(super) encoding: Encoding,
    pub(super) low_pc: u64,
    pub(super) addr_base: DebugAddrBase<usize>,
    pub(super) rnglists_base: DebugRngListsBase<usize>,
}

impl Bases {
    pub(super) fn of(unit: &Unit<Bytes<'_>>) -> Self {
        Self {
            encoding: unit.encoding(),
            low_pc: unit.low_pc,
            addr_base: unit.addr_base,
            rnglists_base: unit.rnglists_base,
        }
    }
}

/// The attributes of an entry that say which addresses it covers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span<'a> {
    low: Option<AttributeValue<Bytes<'a>>>,
    high: Option<AttributeValue<Bytes<'a>>>,
    ranges: Option<AttributeValue<Bytes<'a>>>,
}

impl<'a> Span<'a> {
    /// Keeps an attribute if it is one of those.
    pub(super) fn attribute(&mut self, attribute: &Attribute<Bytes<'a>>) {
        match attribute.name() {
            gimli::DW_AT_low_pc => self.low = Some(attribute.value()),
            gimli::DW_AT_high_pc => self.high = Some(attribute.value()),
            gimli::DW_AT_ranges => self.ranges = Some(attribute.value()),
            _ => {}
        }
    }

    /// The lowest address as the root of a unit says it, the base of its lists of ranges.
    pub(super) fn low_pc(&self, dwarf: &Dwarf<Bytes<'a>>, bases: &Bases) -> Option<u64> {
        address(self.low?, dwarf, bases)
    }

    /// Calls `found` with each range until the budget is used up; damaged lists end early.
    pub(super) fn each(
        &self,
        dwarf: &Dwarf<Bytes<'a>>,
        bases: &Bases,
        budget: &mut Budget,
        mut found: impl FnMut(Range),
    ) {
        if let Some(offset) = self.ranges.and_then(|value| list(value, dwarf, bases)) {
            let ranges = dwarf.ranges.ranges(
                offset,
                bases.encoding,
                bases.low_pc,
                &dwarf.debug_addr,
                bases.addr_base,
            );
            let Ok(mut ranges) = ranges else { return };
            while budget.take()
                && let Ok(Some(range)) = ranges.next()
            {
                if range.begin < range.end {
                    found(range);
                }
            }
            return;
        }
        let Some(begin) = self.low_pc(dwarf, bases) else {
            return;
        };
        let end = self.high.and_then(|value| match value {
            AttributeValue::Udata(length) => begin.checked_add(length),
            other => address(other, dwarf, bases),
        });
        if let Some(end) = end.filter(|end| begin < *end && budget.take()) {
            found(Range { begin, end });
        }
    }
}

fn address(value: AttributeValue<Bytes<'_>>, dwarf: &Dwarf<Bytes<'_>>, bases: &Bases) -> Option<u64> {
    match value {
        AttributeValue::Addr(address) => Some(address),
        AttributeValue::DebugAddrIndex(index) => {
            let size = bases.encoding.address_size;
            dwarf.debug_addr.get_address(size, bases.addr_base, index).ok()
        }
        _ => None,
    }
}

fn list(
    value: AttributeValue<Bytes<'_>>,
    dwarf: &Dwarf<Bytes<'_>>,
    bases: &Bases,
) -> Option<RangeListsOffset> {
    match value {
        AttributeValue::RangeListsRef(offset) => Some(RangeListsOffset(offset.0)),
        AttributeValue::DebugRngListsIndex(index) => dwarf
            .ranges
            .get_offset(bases.encoding, bases.rnglists_base, index)
            .ok(),
        _ => None,
    }
}
