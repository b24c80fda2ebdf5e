//! Where members of the kernel's structs are, from its own type information (BTF).
//!
//! The format is that of `Documentation/bpf/btf.rst` (Linux 5.10 to 7.2): a header, then types, numbered from 1 in the
//! order in which they stand, then the strings that they name. It is read in the byte order of this machine, whose kernel
//! wrote it.

/// The most bytes that are read; Linux 6.12 with all its modules built in has 11 MiB.
pub const MAX_BYTES: usize = 64 << 20;
/// The most types that are looked at; Linux 6.12 has 150,000.
const MAX_TYPES: usize = 1 << 21;
/// How deep typedefs and arrays may nest.
const MAX_DEPTH: u32 = 16;
/// How many members are looked at for one name; Linux 6.12's `task_struct` has 300 with all that is nested in it.
const MAX_LOOKS: u32 = 1 << 16;

const MAGIC: u16 = 0xeb9f;
const HEADER: usize = 24;
const TYPE: usize = 12;
const MEMBER: usize = 12;
const POINTER_BYTES: u32 = usize::BITS / 8;

/// `BTF_KIND_*` of `include/uapi/linux/btf.h`.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const PTR: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FWD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const FLOAT: u32 = 16;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// Where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the struct that was asked about.
    pub offset: u32,
    /// Bytes that it takes.
    pub size: u32,
}

/// Why bytes are no type information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// Longer than [`MAX_BYTES`].
    #[error("{0} bytes are more than a kernel's type information has")]
    TooLong(usize),
    /// No header of a version that is known.
    #[error("no BTF header of version 1")]
    Header,
    /// A part lies outside of the bytes.
    #[error("the {0} lie outside of the bytes")]
    Outside(&'static str),
    /// A type of a kind that is not known: where the next one begins is not known either.
    #[error("type {id} at byte {at} is of the unknown kind {kind}")]
    Kind {
        /// The type's number.
        id: usize,
        /// Where it stands among the types.
        at: usize,
        /// Its kind.
        kind: u32,
    },
    /// The types end in the middle of one, or are too many.
    #[error("type {id} at byte {at} is cut off")]
    Cut {
        /// The type's number.
        id: usize,
        /// Where it stands among the types.
        at: usize,
    },
}

/// Type information, with the place of each type.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where type `id` is, at `id - 1`.
    starts: Vec<u32>,
}

/// The fixed part of a type.
#[derive(Debug, Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    /// Number of members, parameters, values, ...
    count: usize,
    /// The offsets of the members hold the sizes of bit fields too.
    has_bit_fields: bool,
    /// `size` or `type` of `struct btf_type`: bytes, or the type that this one refers to.
    extent: u32,
}

impl<'a> Btf<'a> {
    /// Finds the types in `bytes`, the content of `/sys/kernel/btf/vmlinux`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        if bytes.len() > MAX_BYTES {
            return Err(BtfError::TooLong(bytes.len()));
        }
        let header = bytes.get(..HEADER).ok_or(BtfError::Header)?;
        let is_known = header.get(..2) == Some(&MAGIC.to_ne_bytes()) && header.get(2) == Some(&1);
        let length = word(header, 4).filter(|_| is_known).ok_or(BtfError::Header)?;
        let body = bytes.get(length as usize..).ok_or(BtfError::Header)?;
        let types = part(body, header, 8).ok_or(BtfError::Outside("types"))?;
        let strings = part(body, header, 16).ok_or(BtfError::Outside("strings"))?;
        Ok(Self {
            types,
            strings,
            starts: starts(types)?,
        })
    }

    /// Where the member `path` of the struct `structure` is: names with dots between; those of members without a name
    /// are left out. `None` when there is none, or when it is a bit field.
    pub fn member(&self, structure: &str, path: &str) -> Option<Member> {
        let id = (1..=self.starts.len()).find(|id| {
            self.get(*id)
                .is_some_and(|(ty, _)| ty.kind == kind::STRUCT && self.is_named(ty.name, structure))
        })?;
        let (mut id, mut bits, mut looks) = (id, 0_u32, MAX_LOOKS);
        for name in path.split('.') {
            let (offset, next) = self.find(id, name, MAX_DEPTH, &mut looks)?;
            bits = bits.checked_add(offset)?;
            id = next;
        }
        let offset = bits.is_multiple_of(8).then_some(bits / 8)?;
        Some(Member {
            offset,
            size: self.size(id, MAX_DEPTH)?,
        })
    }

    /// Offset in bits and type of a member, also when it is in a member without a name.
    fn find(&self, id: usize, name: &str, depth: u32, looks: &mut u32) -> Option<(u32, usize)> {
        let (id, ty) = self.resolved(id)?;
        if name.is_empty() || !matches!(ty.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        let (_, members) = self.get(id)?;
        for member in members.chunks_exact(MEMBER).take(ty.count) {
            *looks = looks.checked_sub(1)?;
            let (member_name, member_type, offset) =
                (word(member, 0)?, word(member, 4)? as usize, word(member, 8)?);
            let (bits, bit_field) = if ty.has_bit_fields {
                (offset & 0x00ff_ffff, offset >> 24)
            } else {
                (offset, 0)
            };
            if self.is_named(member_name, name) {
                return (bit_field == 0).then_some((bits, member_type));
            }
            if member_name == 0
                && depth > 0
                && let Some((inside, found)) = self.find(member_type, name, depth - 1, looks)
            {
                return Some((bits.checked_add(inside)?, found));
            }
        }
        None
    }

    /// Bytes that a value of a type takes.
    fn size(&self, id: usize, depth: u32) -> Option<u32> {
        let (id, ty) = self.resolved(id)?;
        match ty.kind {
            kind::PTR => Some(POINTER_BYTES),
            kind::ARRAY if depth > 0 => {
                let (_, array) = self.get(id)?;
                let (element, count) = (word(array, 0)? as usize, word(array, 8)?);
                self.size(element, depth - 1)?.checked_mul(count)
            }
            kind::INT | kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64 | kind::FLOAT => {
                Some(ty.extent)
            }
            _ => None,
        }
    }

    /// The type behind typedefs and qualifiers, with its number.
    fn resolved(&self, mut id: usize) -> Option<(usize, Type)> {
        for _ in 0..MAX_DEPTH {
            let (ty, _) = self.get(id)?;
            match ty.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = ty.extent as usize;
                }
                _ => return Some((id, ty)),
            }
        }
        None
    }

    /// A type and the bytes behind its fixed part.
    fn get(&self, id: usize) -> Option<(Type, &'a [u8])> {
        let start = *self.starts.get(id.checked_sub(1)?)? as usize;
        let bytes = self.types.get(start..)?;
        Some((Type::read(bytes)?, bytes.get(TYPE..)?))
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let stored = self.strings.get(offset as usize..).unwrap_or_default();
        stored
            .strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

impl Type {
    fn read(bytes: &[u8]) -> Option<Self> {
        let info = word(bytes, 4)?;
        Some(Self {
            name: word(bytes, 0)?,
            kind: info >> 24 & 0x1f,
            count: (info & 0xffff) as usize,
            has_bit_fields: info >> 31 == 1,
            extent: word(bytes, 8)?,
        })
    }

    /// Bytes behind the fixed part; `None` for an unknown kind.
    fn tail(self) -> Option<usize> {
        Some(match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION => self.count * MEMBER,
            kind::DATASEC | kind::ENUM64 => self.count * 12,
            kind::ENUM | kind::FUNC_PROTO => self.count * 8,
            kind::PTR
            | kind::FWD
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::FUNC
            | kind::FLOAT
            | kind::TYPE_TAG => 0,
            _ => return None,
        })
    }
}

/// Where each type begins.
fn starts(types: &[u8]) -> Result<Vec<u32>, BtfError> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at < types.len() {
        let id = starts.len() + 1;
        let ty = types.get(at..).and_then(Type::read);
        let ty = ty.filter(|_| id <= MAX_TYPES).ok_or(BtfError::Cut { id, at })?;
        let tail = ty.tail().ok_or(BtfError::Kind {
            id,
            at,
            kind: ty.kind,
        })?;
        starts.push(u32::try_from(at).map_err(|_too_large| BtfError::Cut { id, at })?);
        at += TYPE + tail;
        if at > types.len() {
            return Err(BtfError::Cut { id, at });
        }
    }
    Ok(starts)
}

/// The part of the body whose offset and length stand in the header.
fn part<'a>(body: &'a [u8], header: &[u8], at: usize) -> Option<&'a [u8]> {
    let (offset, length) = (word(header, at)? as usize, word(header, at + 4)? as usize);
    body.get(offset..offset.checked_add(length)?)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests;
