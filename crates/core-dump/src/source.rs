//! Bytes that come once, in order.

use std::io::Read;

/// What is read at once to pass over it, bytes.
const PASSED: usize = 16 << 10;

/// A core dump, and how far it was read.
pub(crate) struct Source<R> {
    input: R,
    at: u64,
    ended: bool,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            at: 0,
            ended: false,
        }
    }

    /// The offset of the next byte.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether the bytes ended, or could not be read, before something that was asked for.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Passes over what is before `offset`. `None` when that is behind, or the bytes end before.
    pub(crate) fn go_to(&mut self, offset: u64) -> Option<()> {
        let mut left = offset.checked_sub(self.at)?;
        let mut buffer = [0; PASSED];
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(PASSED).min(PASSED);
            let got = self.fill(buffer.get_mut(..want)?);
            if got == 0 {
                return None;
            }
            left -= got as u64;
        }
        Some(())
    }

    /// The next bytes; `None` when there are fewer. The caller has a limit for `bytes`.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let taken = self.take_some(bytes);
        (taken.len() == bytes).then_some(taken)
    }

    /// The next bytes, fewer when they end before. The caller has a limit for `bytes`.
    pub(crate) fn take_some(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        let got = self.fill(&mut taken);
        taken.truncate(got);
        taken
    }

    /// Fills `buffer` as far as there are bytes.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(more) => got += more.min(rest.len()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_broken) => break,
            }
        }
        self.ended |= got < buffer.len();
        self.at += got as u64;
        got
    }
}

/// A number of the dump: little-endian, as all processors are that are known here.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*field))
}
