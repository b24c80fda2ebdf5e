//! Names for addresses in the kernel, from `/proc/kallsyms`.
//!
//! The file has one line a symbol: address, type, name, and for a module's symbol the module in brackets behind a tab
//! (`kernel/kallsyms.c`: `s_show`, Linux 5.10 to 7.2). It is some 5 to 20 MB of text, so no table is kept: one pass
//! over it finds the few symbols around the addresses asked for. Nobody without `CAP_SYSLOG`, and nobody at all with
//! `kernel.kptr_restrict=2`, is shown addresses: they are 0 then.

use std::io::{self, Read};

/// The most addresses that one pass looks up.
pub const MAX_ADDRESSES: usize = 512;

/// The most bytes read; Linux 6.12 with all of Debian's modules loaded prints 25 MB.
const MAX_BYTES: u64 = 256 << 20;
/// The longest line looked at: `KSYM_NAME_LEN` is 512 (128 before 6.1), `MODULE_NAME_LEN` 64 - 8.
const MAX_LINE: usize = 1024;
/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// No function is larger: an address further behind a symbol is in none.
const MAX_FUNCTION: u64 = 1 << 20;

/// Why addresses have no names.
#[derive(Debug, thiserror::Error)]
pub enum KallsymsError {
    /// The file cannot be read.
    #[error("read the kernel's symbols")]
    Read(#[from] io::Error),
    /// The addresses in it are zero.
    #[error(
        "the kernel hides its addresses: give the reader CAP_SYSLOG and set kernel.kptr_restrict to 0 or 1"
    )]
    Hidden,
    /// There are no lines as they should be.
    #[error("the kernel's symbols are in no known form")]
    Form,
}

/// A function of the kernel, and a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbol {
    /// Its name.
    pub function: String,
    /// Bytes from its start to the address.
    pub offset: u32,
    /// Bytes to the next symbol: its size, with what pads it. 0: not known.
    pub size: u32,
    /// The module it is in; `None` for the kernel itself. Programs of eBPF are in `bpf`.
    pub module: Option<String>,
}

/// Finds the functions that hold `addresses`, in their order; `None` for an address that is in none. Only the first
/// [`MAX_ADDRESSES`] are looked up.
pub fn resolve(symbols: impl Read, addresses: &[u64]) -> Result<Vec<Option<Symbol>>, KallsymsError> {
    let mut search = Search::new(addresses);
    let mut seen = Seen::default();
    each_line(symbols.take(MAX_BYTES), |line| {
        let Some(symbol) = Line::parse(line) else {
            return;
        };
        if symbol.address == 0 {
            seen.hidden |= symbol.is_function();
            return;
        }
        seen.shown = true;
        search.see(&symbol);
    })?;
    match seen {
        Seen { shown: true, .. } => Ok(search.found(addresses)),
        Seen { hidden: true, .. } => Err(KallsymsError::Hidden),
        Seen { .. } => Err(KallsymsError::Form),
    }
}

#[derive(Debug, Default)]
struct Seen {
    /// A symbol with an address: those of per-CPU variables count from 0 on x86, so one zero says nothing.
    shown: bool,
    /// A function at 0.
    hidden: bool,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    address: u64,
    kind: u8,
    name: &'a str,
    module: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
        let module = words.next();
        let &[kind] = kind.as_bytes() else {
            return None;
        };
        Some(Self {
            address: u64::from_str_radix(address, 16).ok()?,
            kind,
            name,
            module: module.and_then(|word| word.strip_prefix('[')?.strip_suffix(']')),
        })
    }

    /// Text, or weak: `T`, `t`, `W`, `w` of `nm`.
    fn is_function(&self) -> bool {
        matches!(self.kind, b'T' | b't' | b'W' | b'w')
    }
}

/// The addresses, sorted, each with the nearest symbols seen so far. A symbol is noted at the first address that is not
/// below it only; what holds for the addresses behind that one is found out in the end.
#[derive(Debug)]
struct Search {
    wanted: Vec<Wanted>,
}

#[derive(Debug, Default)]
struct Wanted {
    address: u64,
    /// The nearest function at or below; its address is 0 when there is none.
    start: u64,
    name: String,
    module: String,
    /// The nearest symbol above; `u64::MAX` when there is none.
    end: u64,
}

impl Search {
    fn new(addresses: &[u64]) -> Self {
        let mut sorted: Vec<u64> = addresses.iter().copied().take(MAX_ADDRESSES).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let wanted = sorted.into_iter().map(|address| Wanted {
            address,
            end: u64::MAX,
            ..Wanted::default()
        });
        Self {
            wanted: wanted.collect(),
        }
    }

    fn see(&mut self, symbol: &Line<'_>) {
        let above = self
            .wanted
            .partition_point(|wanted| wanted.address < symbol.address);
        if let Some(wanted) = above.checked_sub(1).and_then(|below| self.wanted.get_mut(below)) {
            wanted.end = wanted.end.min(symbol.address);
        }
        // Of several names of one function the first counts, as for the kernel itself (`kallsyms_lookup`).
        if let Some(wanted) = self.wanted.get_mut(above)
            && symbol.is_function()
            && symbol.address > wanted.start
        {
            wanted.start = symbol.address;
            symbol.name.clone_into(&mut wanted.name);
            symbol.module.unwrap_or_default().clone_into(&mut wanted.module);
        }
    }

    /// The answer for each of the addresses.
    fn found(mut self, addresses: &[u64]) -> Vec<Option<Symbol>> {
        for index in 1..self.wanted.len() {
            if let [before, here] = &mut self.wanted[index - 1..=index]
                && here.start < before.start
            {
                here.start = before.start;
                here.name.clone_from(&before.name);
                here.module.clone_from(&before.module);
            }
        }
        let mut end = u64::MAX;
        for wanted in self.wanted.iter_mut().rev() {
            end = end.min(wanted.end);
            wanted.end = end;
        }
        let symbol = |address: &u64| {
            let index = self
                .wanted
                .binary_search_by_key(address, |wanted| wanted.address)
                .ok()?;
            self.wanted.get(index)?.symbol()
        };
        addresses.iter().map(symbol).collect()
    }
}

impl Wanted {
    fn symbol(&self) -> Option<Symbol> {
        let offset = self.address - self.start;
        if self.start == 0 || offset > MAX_FUNCTION {
            return None;
        }
        let size = self
            .end
            .checked_sub(self.start)
            .filter(|size| *size <= MAX_FUNCTION);
        Some(Symbol {
            function: self.name.clone(),
            offset: u32::try_from(offset).ok()?,
            size: size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0),
            module: (!self.module.is_empty()).then(|| self.module.clone()),
        })
    }
}

/// Calls `take` with each line, without its end; a line that is longer than [`MAX_LINE`] is left out.
fn each_line(mut from: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    // The start of a line whose end is not read yet.
    let mut line: Vec<u8> = Vec::with_capacity(MAX_LINE + 1);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            return Ok(());
        }
        for part in buffer
            .get(..read)
            .unwrap_or_default()
            .split_inclusive(|byte| *byte == b'\n')
        {
            let (text, ends) = part
                .strip_suffix(b"\n")
                .map_or((part, false), |text| (text, true));
            // One byte more than a line may have marks one that is too long.
            let room = (MAX_LINE + 1).saturating_sub(line.len()).min(text.len());
            line.extend_from_slice(text.get(..room).unwrap_or_default());
            if ends {
                if line.len() <= MAX_LINE {
                    take(&line);
                }
                line.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests;
