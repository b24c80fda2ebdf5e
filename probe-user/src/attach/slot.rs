//! What a slot of the generic program is told about a tracepoint.

use probe_common::{DIRECT_MAX, MAX_STRINGS, MAX_TAILS, MAX_TERMS, RECORD_START, SlotConfig, Tail};

use crate::{
    catalogue::{Is, Term},
    format::{Field, Format, Kind, Place},
    watch::Candidate,
};

/// Finds in the `format` file what the slot needs, but for what does not depend on it: flags and limit.
pub(super) fn config(candidate: &Candidate<'_>, format: &Format) -> Result<SlotConfig, String> {
    for name in candidate.required {
        if format.field(name).is_none() {
            return Err(format!("its record has no field `{name}`"));
        }
    }
    let ends = format
        .fields
        .iter()
        .map(|field| field.offset.saturating_add(field.size) as usize);
    let end = ends.fold(RECORD_START, usize::max);
    let mut config = SlotConfig {
        size: u16::try_from(end).map_err(|_error| "its record is too long".to_owned())?,
        ..SlotConfig::default()
    };
    add_parts(&mut config, format);
    if candidate.filter.len() > MAX_TERMS {
        return Err(format!("the kernel makes at most {MAX_TERMS} comparisons"));
    }
    for (place, term) in config.term.iter_mut().zip(&candidate.filter) {
        *place = test(term, format)?;
        config.terms += 1;
    }
    Ok(config)
}

/// Fields of variable length and pointers to strings, as many as the slot has places for; others are not captured.
fn add_parts(config: &mut SlotConfig, format: &Format) {
    let parts = format
        .own_fields()
        .filter_map(|field| Some((u16::try_from(field.offset).ok()?, field)));
    for (offset, field) in parts {
        let tail = |base| Tail { offset, base };
        let tail = match field.place {
            Place::Inline => {
                if field.kind == Kind::StringPointer
                    && field.size == 8
                    && usize::from(config.strings) < MAX_STRINGS
                {
                    config.string[usize::from(config.strings)] = offset;
                    config.strings += 1;
                }
                continue;
            }
            Place::DataLoc => tail(0),
            Place::RelLoc => tail(offset.saturating_add(4)),
        };
        if usize::from(config.tails) < MAX_TAILS {
            config.tail[usize::from(config.tails)] = tail;
            config.tails += 1;
        }
    }
}

/// A comparison as a range of unsigned numbers; see [`probe_common::Term`].
fn test(term: &Term<'_>, format: &Format) -> Result<probe_common::Term, String> {
    let field = format
        .field(term.field)
        .ok_or_else(|| format!("its record has no field `{}` to compare", term.field))?;
    let integer = Integer::of(field).ok_or_else(|| format!("its field `{}` is no integer", term.field))?;
    let (offset, left) = word(field.offset, integer.unused);
    let test = probe_common::Term {
        mask: u64::MAX,
        offset: u16::try_from(offset).map_err(|_error| "its record is too long".to_owned())?,
        left,
        shift: integer.unused,
        ..probe_common::Term::default()
    };
    Ok(match term.is {
        Is::AnyBit => probe_common::Term {
            // A negative number has the bits that it would have in the field.
            mask: u64::try_from(term.value & i128::from(u64::MAX >> integer.unused)).unwrap_or(0),
            low: 1,
            span: u64::MAX - 1,
            ..test
        },
        Is::Equal => integer.within(test, term.value, term.value),
        Is::NotEqual => {
            let equal = integer.within(test, term.value, term.value);
            probe_common::Term {
                inverted: 1 - equal.inverted,
                ..equal
            }
        }
        Is::Less => integer.within(test, i128::MIN, term.value.saturating_sub(1)),
        Is::AtMost => integer.within(test, i128::MIN, term.value),
        Is::Greater => integer.within(test, term.value.saturating_add(1), i128::MAX),
        Is::AtLeast => integer.within(test, term.value, i128::MAX),
    })
}

/// Bytes of a word that the program reads.
const WORD: u32 = 8;

/// The word that holds an integer at `offset` with 64 - `unused` bits, and how many bits are above it there: an aligned word
/// where the integer does not lie across two, because those the program can read without a helper's call. Byte order is that of
/// `bpfel`, which the object is built for.
fn word(offset: u32, unused: u8) -> (u32, u8) {
    let below = offset % WORD * 8;
    match u8::try_from(below)
        .ok()
        .and_then(|below| unused.checked_sub(below))
    {
        Some(above) => (offset - offset % WORD, above),
        None => (offset, unused),
    }
}

/// The words that the tests may read without a helper's call, see [`probe_common::DIRECT_WORDS`].
pub(super) fn direct_words(config: &SlotConfig) -> u64 {
    let words = config.term.iter().map(|term| {
        let is_within = u32::from(term.offset) + WORD <= u32::from(config.size);
        let is_direct = term.offset % 8 == 0 && term.offset <= DIRECT_MAX && is_within;
        if is_direct { u64::from(term.offset) } else { 0 }
    });
    words.rev().fold(0, |all, word| all << 16 | word)
}

/// An integer field.
#[derive(Debug, Clone, Copy)]
struct Integer {
    /// 64 less its bits.
    unused: u8,
    signed: bool,
}

impl Integer {
    fn of(field: &Field) -> Option<Self> {
        let unused = match (field.kind, field.size) {
            (Kind::Integer, 1) => 56,
            (Kind::Integer, 2) => 48,
            (Kind::Integer, 4) => 32,
            (Kind::Integer, 8) => 0,
            _ => return None,
        };
        Some(Self {
            unused,
            signed: field.signed,
        })
    }

    /// A test for `first..=last`.
    fn within(self, test: probe_common::Term, first: i128, last: i128) -> probe_common::Term {
        let top = i128::from(u64::MAX >> self.unused);
        let bias = if self.signed { (top + 1) / 2 } else { 0 };
        let (low, high) = (
            (first.saturating_add(bias)).max(0),
            (last.saturating_add(bias)).min(top),
        );
        match (u64::try_from(low), u64::try_from(high.saturating_sub(low))) {
            (Ok(low), Ok(span)) => probe_common::Term {
                bias: u64::try_from(bias).unwrap_or(0),
                low,
                span,
                ..test
            },
            // Nothing is in there: not anything.
            _ => probe_common::Term {
                span: u64::MAX,
                inverted: 1,
                ..test
            },
        }
    }
}

#[cfg(test)]
mod tests;
