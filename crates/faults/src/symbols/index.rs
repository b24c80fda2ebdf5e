//! The functions that a symbol table names, by name and by address.

use std::ops::Range;

/// Longest name that is read; the kernel's own limit is 512 (`KSYM_NAME_LEN`), mangled names of C++ are longer.
pub(super) const NAME_BYTES_MAX: usize = 4096;

/// Most symbols of executable sections that are kept; the largest kernels have a quarter million.
pub(super) const FUNCTIONS_MAX: usize = 1 << 22;

/// What sections are filled up to in memory, on most machines.
pub(super) const PAGE: u64 = 4096;

/// How many labels in a function are looked past for it.
const LABELS_MAX: usize = 64;

/// A function, or a label in code that the symbol table names.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// Where it starts.
    pub(super) address: u64,
    /// Its size in the symbol table; zero for labels.
    pub(super) size: u64,
    /// Bytes to the next symbol of its section, which is the size that the kernel prints
    /// (`get_symbol_pos`, `kernel/kallsyms.c`; `find_kallsyms_symbol`, `kernel/module/kallsyms.c`). `None` for the
    /// last: what follows depends on how the sections are laid out.
    pub(super) extent: Option<u64>,
    /// The section it is in.
    pub(super) section: usize,
    /// Where its name lies in the file.
    pub(super) name: Range<usize>,
}

impl Function {
    /// Whether this is the size that is printed for it.
    pub(super) fn has_size(&self, printed: u64) -> bool {
        printed == self.size || self.extent == Some(printed)
    }

    /// Whether the size that is printed can be that of the last function of a section, with what fills a page up behind it.
    pub(super) fn may_have_size(&self, printed: u64) -> bool {
        self.extent.is_none() && (self.size..self.size.saturating_add(PAGE)).contains(&printed)
    }

    /// Whether an offset that the kernel prints can be in it. The end itself can: it follows a call that does not return.
    pub(super) fn reaches(&self, offset: u64) -> bool {
        self.extent.is_none_or(|extent| offset <= extent.max(self.size))
    }
}

/// All functions of a file.
#[derive(Debug, Default)]
pub(super) struct Functions {
    /// By address.
    all: Vec<Function>,
    /// Indexes into `all`, by name.
    by_name: Vec<u32>,
}

impl Functions {
    /// Sorts what was read; `bytes` is the file that the names are in.
    pub(super) fn new(mut all: Vec<Function>, bytes: &[u8]) -> Self {
        all.truncate(FUNCTIONS_MAX);
        all.sort_unstable_by(|a, b| {
            (a.section, a.address, a.name.start).cmp(&(b.section, b.address, b.name.start))
        });
        let mut next: Option<(usize, u64, Option<u64>)> = None;
        for function in all.iter_mut().rev() {
            function.extent = match next {
                Some((section, address, extent)) if section == function.section => {
                    if address == function.address {
                        extent
                    } else {
                        Some(address.saturating_sub(function.address))
                    }
                }
                _ => None,
            };
            next = Some((function.section, function.address, function.extent));
        }
        all.sort_by_key(|function| function.address);
        // Invariant: `FUNCTIONS_MAX` fits in 32 bits, so no index is lost.
        let mut by_name: Vec<u32> = (0..all.len())
            .filter_map(|index| u32::try_from(index).ok())
            .collect();
        let name = |index: &u32| name_of(&all, *index, bytes);
        by_name.sort_by(|a, b| name(a).cmp(name(b)));
        Self { all, by_name }
    }

    /// The functions of a name, in order of address.
    pub(super) fn named<'s>(&'s self, name: &str, bytes: &[u8]) -> impl Iterator<Item = &'s Function> {
        let name = name.as_bytes();
        let start = self
            .by_name
            .partition_point(|index| name_of(&self.all, *index, bytes) < name);
        let tail = self.by_name.get(start..).unwrap_or_default();
        let count = tail.partition_point(|index| name_of(&self.all, *index, bytes) == name);
        let found = tail.get(..count).unwrap_or_default();
        found
            .iter()
            .filter_map(|index| self.all.get(usize::try_from(*index).ok()?))
    }

    /// The function that an address is in, rather than a label in it.
    pub(super) fn at(&self, address: u64) -> Option<&Function> {
        let end = self.all.partition_point(|function| function.address <= address);
        let before = self.all.get(end.saturating_sub(LABELS_MAX)..end)?;
        let holds = |function: &&Function, bytes| address - function.address < bytes;
        let function = before
            .iter()
            .rev()
            .find(|function| holds(function, function.size));
        function.or_else(|| {
            before
                .last()
                .filter(|label| holds(label, label.extent.unwrap_or(0)))
        })
    }

    /// Memory that the index takes.
    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<Function>() + self.by_name.capacity() * size_of::<u32>()
    }
}

fn name_of<'b>(all: &[Function], index: u32, bytes: &'b [u8]) -> &'b [u8] {
    usize::try_from(index)
        .ok()
        .and_then(|index| all.get(index))
        .and_then(|function| bytes.get(function.name.clone()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(section: usize, address: u64, size: u64, name: Range<usize>) -> Function {
        Function {
            address,
            size,
            extent: None,
            section,
            name,
        }
    }

    #[test]
    fn the_size_of_a_function_is_also_the_way_to_the_next_symbol() {
        let names = b"one two label other";
        let functions = Functions::new(
            vec![
                function(1, 0x140, 0x10, 4..7),
                function(1, 0x100, 0x3d, 0..3),
                function(1, 0x100, 0, 8..13),
                function(2, 0x160, 0x20, 14..19),
            ],
            names,
        );
        let one = functions.named("one", names).next().unwrap();
        assert_eq!((one.size, one.extent), (0x3d, Some(0x40)));
        assert!(one.has_size(0x3d) && one.has_size(0x40) && !one.has_size(0x50));
        let last = functions.named("two", names).next().unwrap();
        assert!(last.has_size(0x10) && !last.has_size(0x20));
        assert!(last.may_have_size(0x20) && !last.may_have_size(0x8) && !last.may_have_size(0x2000));
        assert_eq!(functions.named("on", names).count(), 0);
        assert_eq!(functions.at(0x13c).unwrap().name, 0..3);
        assert_eq!(functions.at(0x13e).unwrap().name, 8..13);
        assert!(functions.at(0x150).is_none() && functions.at(0xff).is_none());
        assert_eq!(functions.at(0x160).unwrap().name, 14..19);
    }
}
