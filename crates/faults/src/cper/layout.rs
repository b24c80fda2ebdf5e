//! Reading fixed layouts: little-endian numbers at offsets, shown only when a validation bit says so.

use super::Guid;

/// In place of a validation bit: the field is always there.
pub(crate) const ALWAYS: u32 = 64;

/// Whether validation bit `bit` is set; [`ALWAYS`] is.
pub(crate) fn is_valid(valid: u64, bit: u32) -> bool {
    bit == ALWAYS || valid.checked_shr(bit).unwrap_or(0) & 1 != 0
}

/// `length` bytes at `at`.
pub(super) fn slice(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// A little-endian number of `width` bytes, at most 8.
pub(super) fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = slice(bytes, at, width)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)),
    )
}

/// Reads a little-endian number of the type's size.
pub(crate) fn le<T: TryFrom<u64>>(at: usize) -> impl Fn(&[u8]) -> Option<T> {
    le_of(at, size_of::<T>())
}

/// Reads a little-endian number of `width` bytes into a wider type.
pub(super) fn le_of<T: TryFrom<u64>>(at: usize, width: usize) -> impl Fn(&[u8]) -> Option<T> {
    move |bytes| T::try_from(number(bytes, at, width)?).ok()
}

/// A number, or 0 behind the end: for flags and counts whose absence means none.
pub(super) fn or_zero<T: TryFrom<u64> + Default>(bytes: &[u8], at: usize) -> T {
    le(at)(bytes).unwrap_or_default()
}

/// Reads a GUID.
pub(super) fn guid(at: usize) -> impl Fn(&[u8]) -> Option<Guid> {
    move |bytes| Some(Guid::from_bytes(slice(bytes, at, 16)?.try_into().ok()?))
}

/// Reads text of at most `length` bytes that ends at the first NUL; text without a visible character is none.
pub(super) fn text(at: usize, length: usize) -> impl Fn(&[u8]) -> Option<String> {
    move |bytes| {
        let field = slice(bytes, at, length)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        let text = String::from_utf8_lossy(field.get(..end)?);
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// Declares a section: a struct whose fields are `Some` when their validation bit is set, how to read it, and how people
/// read it. Each line is `name: type = bit N, reader, how it is shown;`.
macro_rules! layout {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$doc:meta])* $field:ident: $ty:ty = bit $bit:expr, $read:expr, $show:expr; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name {
            $(
                $(#[$doc])*
                #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
                pub $field: Option<$ty>,
            )*
        }

        impl $name {
            /// Reads the fields that `valid` says are there; the others stay `None`.
            pub(crate) fn read(bytes: &[u8], valid: u64) -> Self {
                Self {
                    $( $field: if crate::cper::is_valid(valid, $bit) { ($read)(bytes) } else { None }, )*
                }
            }

            /// What is there, as people read it.
            pub(crate) fn show(&self, fields: &mut crate::hardware::Fields) {
                $(
                    if let Some(value) = Option::clone(&self.$field) {
                        fields.add(stringify!($field), ($show)(value));
                    }
                )*
            }
        }
    };
}

pub(crate) use layout;
