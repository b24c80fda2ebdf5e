//! The record: a header, descriptors of sections, and the sections (N.2.1 and N.2.2).

use super::layout::{ALWAYS, guid, le, or_zero, slice};
use super::section::Head;
use super::{CperError, ErrorSeverity, Guid, MAX_SECTIONS, Section, Timestamp, guids, layout};
use crate::hardware::{Fields, Shown, bits, hex, meaning, plain};

/// A record, as ERST and EFI stores keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Record {
    /// What the header says.
    pub header: RecordHeader,
    /// How bad the error is.
    pub severity: ErrorSeverity,
    /// When it happened, by the firmware's clock.
    pub timestamp: Option<Timestamp>,
    /// What the parts of the machine say.
    pub sections: Vec<Section>,
    /// What could not be read.
    pub damage: Option<CperError>,
}

layout! {
    /// The header of a record.
    pub struct RecordHeader {
        /// Version of the format: 0x0100 or 0x0101.
        revision: u16 = bit ALWAYS, le(4), hex;
        /// The platform, by its SMBIOS UUID.
        platform_id: Guid = bit 0, guid(32), plain;
        /// The software domain.
        partition_id: Guid = bit 2, guid(48), plain;
        /// Who made the record.
        creator_id: Guid = bit ALWAYS, guid(64), plain;
        /// What caused it to be made.
        notification: Guid = bit ALWAYS, guid(80), notification;
        /// Number of the record for its creator.
        record_id: u64 = bit ALWAYS, le(96), hex;
        /// What else, bits.
        flags: u32 = bit ALWAYS, le(104), bits(FLAGS);
        /// For whoever keeps the record.
        persistence: u64 = bit ALWAYS, le(108), hex;
    }
}

const FLAGS: &[(u32, &str)] = &[(0, "recovered"), (1, "of the boot before"), (2, "simulated")];

fn notification(kind: Guid) -> Shown {
    meaning(plain(kind), guids::notification(kind).unwrap_or("unknown"))
}

/// Size of the header.
const HEADER_BYTES: usize = 128;
/// Size of a descriptor.
const DESCRIPTOR_BYTES: usize = 72;

const DESCRIPTOR: Head = Head {
    kind: 16,
    severity: 48,
    valid: 10,
    flags: (12, 4),
    fru_id: 32,
    fru_text: 52,
    timestamp: None,
};

/// Reads a record.
///
/// # Errors
///
/// [`CperError::Signature`] when it is none, [`CperError::Short`] when the header is not all there. Damage behind the
/// header is in [`Record::damage`] and [`Section::damage`].
pub fn record(bytes: &[u8]) -> Result<Record, CperError> {
    let signature = slice(bytes, 0, 10).unwrap_or_default();
    if !signature.starts_with(b"CPER") || !signature.ends_with(&[0xff; 4]) {
        let mut found = [0; 10];
        found.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        return Err(CperError::Signature { found });
    }
    let Some(head) = slice(bytes, 0, HEADER_BYTES) else {
        return Err(CperError::Short {
            what: "record header",
            offset: 0,
            wanted: HEADER_BYTES,
            left: bytes.len(),
        });
    };
    let valid = u64::from(or_zero::<u32>(head, 16));
    let mut record = Record {
        header: RecordHeader::read(head, valid),
        severity: ErrorSeverity::of_number(or_zero(head, 12)),
        timestamp: Timestamp::read(head, 24).filter(|_| valid & 2 != 0),
        sections: Vec::new(),
        damage: None,
    };
    record.read_sections(bytes, or_zero::<u16>(head, 10).into());
    let said = or_zero::<u32>(head, 20) as usize;
    if bytes.len() < said {
        record.damage.get_or_insert(CperError::Short {
            what: "record",
            offset: 0,
            wanted: said,
            left: bytes.len(),
        });
    }
    Ok(record)
}

impl Record {
    fn read_sections(&mut self, bytes: &[u8], count: usize) {
        for index in 0..count.min(MAX_SECTIONS) {
            let at = HEADER_BYTES + index * DESCRIPTOR_BYTES;
            let Some(descriptor) = slice(bytes, at, DESCRIPTOR_BYTES) else {
                break;
            };
            let offset = or_zero::<u32>(descriptor, 0) as usize;
            let length = or_zero::<u32>(descriptor, 4) as usize;
            let rest = bytes.get(offset..).unwrap_or_default();
            let body = rest.get(..length).unwrap_or(rest);
            let section = DESCRIPTOR.section(descriptor, body, length, offset, index);
            self.sections.push(section);
        }
        if self.sections.len() < count {
            self.damage = Some(CperError::Count {
                what: "sections",
                offset: HEADER_BYTES,
                said: count,
                found: self.sections.len(),
            });
        }
    }

    /// The header as people read it.
    pub fn fields(&self) -> Vec<crate::hardware::Field> {
        let mut fields = Fields::default();
        fields.text("severity", self.severity);
        if let Some(timestamp) = &self.timestamp {
            fields.text("timestamp", timestamp);
        }
        self.header.show(&mut fields);
        fields.list
    }
}
