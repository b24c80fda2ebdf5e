//! The object in memory that an access hit or missed, and the lines that show memory.

use super::pattern::find;
use crate::report::{MemoryObject, Place};

/// Beginnings of lines that show memory: KASAN (mm/kasan/report.c), pages (`mm/debug.c`), the memory manager (`mm/show_mem.c`).
const MEMORY: [&str; 22] = [
    "The buggy address",
    "Memory state around",
    "which belongs to",
    "freed ",
    "allocated ",
    "page:",
    "page: ",
    "page dumped",
    "page_type",
    "flags: ",
    "raw: ",
    "head: ",
    "Mem-Info:",
    "Node ",
    "active_anon:",
    "active_file:",
    "unevictable:",
    "slab_reclaimable:",
    "lowmem_reserve[]",
    "mapped:",
    "free:",
    "kfence-#",
];

/// Collects what is said of the first object.
#[derive(Debug, Default)]
pub(crate) struct ObjectReader {
    object: MemoryObject,
}

impl ObjectReader {
    /// Reads a line without leading spaces; true when it shows memory.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if line.ends_with("):") {
            self.kfence_place(line);
            return false;
        }
        // Most lines end the search here.
        let starts = [
            'T', 'M', 'w', 'f', 'a', 'p', 'r', 'h', 'N', 'u', 's', 'l', 'm', 'k',
        ];
        if !(line.starts_with(starts) && MEMORY.iter().any(|start| line.starts_with(start))) {
            return is_shadow(line);
        }
        self.owner(line);
        self.place(line);
        self.kfence(line);
        true
    }

    /// What is known.
    pub(crate) fn done(self) -> Option<MemoryObject> {
        Some(self.object).filter(|object| *object != MemoryObject::default())
    }

    /// `The buggy address belongs to the object at ffff888000000040` and `which belongs to the cache kmalloc-64 of size 64`,
    /// in one line or two.
    fn owner(&mut self, line: &str) {
        let object = &mut self.object;
        if let Some([address, ..]) = find("belongs to the object at {x}", line) {
            object.address = object.address.or_else(|| number(address));
        }
        if let Some([cache, size, ..]) =
            find("belongs to the cache {w} of size {n}", line).or_else(|| in_cache(line))
        {
            object.cache.get_or_insert_with(|| cache.to_owned());
            object.size = object.size.or_else(|| size.parse().ok());
        }
    }

    /// `The buggy address is located 8 bytes inside of` and `freed 64-byte region [ffff888000000040, ffff888000000080)`, in
    /// one line or two; before 6.4 `to the right of` and `to the left of` the region.
    fn place(&mut self, line: &str) {
        let object = &mut self.object;
        if let Some([distance, where_it_is, ..]) = find("is located {n} bytes {*}", line) {
            let place = if where_it_is.starts_with("inside") {
                Place::Inside
            } else if where_it_is.starts_with("to the left") {
                Place::Left
            } else {
                Place::Right
            };
            object.place.get_or_insert(place);
            object.distance = object.distance.or_else(|| distance.parse().ok());
        }
        if let Some([size, address, ..]) = find("-byte region [{x}", line).and_then(|[address, ..]| {
            let size = line.split("-byte region").next()?.rsplit(' ').next()?;
            Some([size, address])
        }) {
            object.size = object.size.or_else(|| size.parse().ok());
            object.address = object.address.or_else(|| number(address));
            object.freed = object.freed.or_else(|| freed(line));
        }
    }

    /// `kfence-#72: 0xffff888000000040-0xffff88800000005f, size=32, cache=kmalloc-32` (mm/kfence/report.c).
    fn kfence(&mut self, line: &str) {
        let Some([_, address, ..]) = find("kfence-#{n}: 0x{x}", line) else {
            return;
        };
        let object = &mut self.object;
        object.address = object.address.or_else(|| number(address));
        let size = find("size={n}", line).and_then(|[size, ..]| size.parse().ok());
        object.size = object.size.or(size);
        if let Some([cache, ..]) = find("cache={w}", line) {
            object.cache.get_or_insert_with(|| cache.to_owned());
        }
    }

    /// `(1B left of kfence-#72):`, `(in kfence-#24):`.
    fn kfence_place(&mut self, line: &str) {
        let object = &mut self.object;
        let side = |pattern: &str, place| Some((find(pattern, line)?[0], place));
        let found = side("({n}B left of kfence-#", Place::Left)
            .or_else(|| side("({n}B right of kfence-#", Place::Right));
        if let Some((distance, place)) = found {
            object.place.get_or_insert(place);
            object.distance = object.distance.or_else(|| distance.parse().ok());
        } else if line.contains("(in kfence-#") {
            object.place.get_or_insert(Place::Inside);
        }
    }
}

/// `which belongs to the cache kmalloc-64(17:session.slice) of size 64`: a cache's name may hold spaces.
fn in_cache(line: &str) -> Option<[&str; 4]> {
    let [cache, ..] = find("belongs to the cache {*} of size ", line)?;
    let [size, ..] = find(" of size {n}", line)?;
    Some([cache, size, "", ""])
}

fn freed(line: &str) -> Option<bool> {
    if line.contains("freed ") {
        Some(true)
    } else {
        line.contains("allocated ").then_some(false)
    }
}

/// A line of KASAN's shadow memory: `ffff888000000000: fa fb fb fb`, `>ffff888000000000: fa ...`, and the `^` below it.
fn is_shadow(line: &str) -> bool {
    let line = line.trim_start_matches('>');
    let is_colon = |at: usize| line.as_bytes().get(at) == Some(&b':');
    if !is_colon(8) && !is_colon(16) {
        return line == "^";
    }
    let Some((address, bytes)) = line.split_once(": ") else {
        return false;
    };
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(address.len(), 8 | 16)
        && hexadecimal(address)
        && bytes
            .split(' ')
            .take(4)
            .all(|byte| byte.len() == 2 && hexadecimal(byte))
}

fn number(digits: &str) -> Option<u64> {
    crate::bytes::hexadecimal(digits.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MemoryObject {
        let mut reader = ObjectReader::default();
        for line in text.lines() {
            reader.line(line.trim_start());
        }
        reader.done().unwrap_or_default()
    }

    #[test]
    fn objects_are_described() {
        let expected = MemoryObject {
            address: Some(0xffff_8880_0000_0040),
            cache: Some("kmalloc-64".to_owned()),
            size: Some(64),
            place: Some(Place::Inside),
            distance: Some(8),
            freed: Some(true),
        };
        // mm/kasan/report.c, 6.12.
        let new = "The buggy address belongs to the object at ffff888000000040\n which belongs to the cache kmalloc-64 of size 64\n\
                   The buggy address is located 8 bytes inside of\n freed 64-byte region [ffff888000000040, ffff888000000080)\n";
        assert_eq!(read(new), expected);
        // 5.10.
        let old = "The buggy address belongs to the object at ffff888000000040\n which belongs to the cache kmalloc-64 of size 64\n\
                   The buggy address is located 8 bytes to the right of\n 64-byte region [ffff888000000040, ffff888000000080)\n";
        let expected = MemoryObject {
            place: Some(Place::Right),
            freed: None,
            ..expected
        };
        assert_eq!(read(old), expected);
        // mm/kfence/report.c, 6.12.
        let kfence = "Out-of-bounds read at 0xffff88800000003f (1B left of kfence-#72):\n f+0x1/0x2\n\n\
                      kfence-#72: 0xffff888000000040-0xffff88800000007f, size=64, cache=kmalloc-64\n";
        let expected = MemoryObject {
            place: Some(Place::Left),
            distance: Some(1),
            ..expected
        };
        assert_eq!(read(kfence), expected);
    }

    #[test]
    fn lines_that_show_memory_are_told_from_others() {
        let mut reader = ObjectReader::default();
        for (line, expected) in [
            ("ffff888000000000: fa fb fb fb fb fb", true),
            (">ffff888000000000: fc fc", true),
            ("^", true),
            ("Mem-Info:", true),
            ("Modules linked in: a", false),
            ("RAX: 0000000000000000", false),
        ] {
            assert_eq!(reader.line(line), expected, "{line}");
        }
    }
}
