//! Builds blocks and records byte by byte, from the tables of the specifications and not from the decoder.

use crate::cper::Guid;

/// Bytes that are written at offsets.
pub(in crate::cper) struct Bytes(Vec<u8>);

impl Bytes {
    pub(in crate::cper) fn new(size: usize) -> Self {
        Self(vec![0; size])
    }

    pub(in crate::cper) fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(in crate::cper) fn u8(self, at: usize, value: u8) -> Self {
        self.put(at, &[value])
    }

    pub(in crate::cper) fn u16(self, at: usize, value: u16) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    pub(in crate::cper) fn u32(self, at: usize, value: u32) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    pub(in crate::cper) fn u64(self, at: usize, value: u64) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    /// A size or a count, in four bytes.
    pub(in crate::cper) fn size(self, at: usize, value: usize) -> Self {
        self.u32(at, value.try_into().unwrap())
    }

    pub(in crate::cper) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// An entry of a block.
pub(in crate::cper) struct Entry {
    kind: Guid,
    severity: u32,
    body: Vec<u8>,
    fru: Option<(Guid, &'static str)>,
    time: Option<[u8; 8]>,
}

impl Entry {
    pub(in crate::cper) fn new(kind: Guid, severity: u32, body: Vec<u8>) -> Self {
        Self {
            kind,
            severity,
            body,
            fru: None,
            time: None,
        }
    }

    pub(in crate::cper) fn fru(self, id: Guid, text: &'static str) -> Self {
        Self {
            fru: Some((id, text)),
            ..self
        }
    }

    pub(in crate::cper) fn time(self, time: [u8; 8]) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let size = if self.time.is_some() { 72 } else { 64 };
        let valid = if self.fru.is_some() { 3 } else { 0 } | if self.time.is_some() { 4 } else { 0 };
        let mut bytes = Bytes::new(size)
            .put(0, &self.kind.bytes())
            .u32(16, self.severity)
            .u16(20, 0x300)
            .u8(22, valid)
            .size(24, self.body.len());
        if self.time.is_none() {
            bytes = bytes.u16(20, 0x201);
        }
        if let Some((id, text)) = self.fru {
            bytes = bytes.put(28, &id.bytes()).put(44, text.as_bytes());
        }
        if let Some(time) = &self.time {
            bytes = bytes.put(64, time);
        }
        [bytes.done(), self.body.clone()].concat()
    }
}

/// A block with a status as firmware sets it.
pub(in crate::cper) fn block(severity: u32, entries: &[Entry]) -> Vec<u8> {
    let data: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    let head = Bytes::new(20)
        .size(0, 1 | entries.len() << 4)
        .size(12, data.len())
        .u32(16, severity)
        .done();
    [head, data].concat()
}

/// A record: header, descriptors, sections.
pub(in crate::cper) fn record(severity: u32, sections: &[(Guid, u32, Vec<u8>)]) -> Vec<u8> {
    let mut offset = 128 + 72 * sections.len();
    let total = offset + sections.iter().map(|(.., body)| body.len()).sum::<usize>();
    let mut bytes = Bytes::new(128)
        .put(0, b"CPER")
        .u16(4, 0x101)
        .u32(6, u32::MAX)
        .u16(10, sections.len().try_into().unwrap())
        .u32(12, severity)
        .u32(16, 2)
        .size(20, total)
        .put(24, &[0x56, 0x34, 0x12, 0, 0x25, 0x11, 0x26, 0x20])
        .put(
            80,
            &"e8f56ffe-919c-4cc5-ba88-65abe14913bb"
                .parse::<Guid>()
                .unwrap()
                .bytes(),
        )
        .u64(96, 0x1234_5678_9abc_def0)
        .u32(104, 2)
        .done();
    for (index, (kind, severity, body)) in sections.iter().enumerate() {
        let descriptor = Bytes::new(72)
            .size(0, offset)
            .size(4, body.len())
            .u8(10, 2)
            .u32(12, 1)
            .put(16, &kind.bytes())
            .u32(48, *severity)
            .put(52, format!("unit {index}").as_bytes());
        bytes.extend(descriptor.done());
        offset += body.len();
    }
    bytes.extend(sections.iter().flat_map(|(.., body)| body));
    bytes
}
