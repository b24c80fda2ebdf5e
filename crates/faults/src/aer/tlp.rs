//! Headers of transaction layer packets (PCI Express base specification 6.0, 2.2, without flit mode).

use crate::hardware::{PciAddress, part};
use std::fmt;

/// The header of a packet: who asked for what.
///
/// ```
/// use faults::aer::Tlp;
///
/// let read = Tlp::decode([0x0000_0001, 0x0100_0a0f, 0xfe00_1000, 0]).unwrap();
/// assert_eq!(read.to_string(), "MRd of 1 word at 0xfe001000 from 01:00.0, tag 10");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tlp {
    /// The kind, as the specification abbreviates it: `MRd`, `MWr`, `CfgRd0`, `CplD`, ...
    pub kind: &'static str,
    /// Traffic class.
    pub traffic_class: u8,
    /// Attributes: bit 0 no snoop, bit 1 relaxed ordering, bit 2 id-based ordering.
    pub attributes: u8,
    /// The data of the packet is known to be bad.
    pub poisoned: bool,
    /// The packet ends with a checksum (ECRC).
    pub digest: bool,
    /// Words of 4 bytes that are asked for or carried; `None` for a message without data.
    pub length_words: Option<u16>,
    /// The function that asked, in segment 0: packets carry no segment.
    pub requester: PciAddress,
    /// Its name for the request, 10 bits.
    pub tag: u16,
    /// Which bytes of the first word count.
    pub first_byte_enable: Option<u8>,
    /// Which bytes of the last word count.
    pub last_byte_enable: Option<u8>,
    /// Address of memory, I/O and atomic requests.
    pub address: Option<u64>,
    /// The function that answered, or whose configuration is asked for.
    pub completer: Option<PciAddress>,
    /// Byte offset of the configuration register.
    pub register: Option<u16>,
    /// How a request was answered.
    pub completion: Option<Completion>,
    /// Code of a message.
    pub message_code: Option<u8>,
}

/// The answer that a completion carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Completion {
    /// 0 success, 1 unsupported request, 2 configuration retry, 4 completer abort.
    pub status: u8,
    /// Bytes that are still to come, with this packet's: 1 to 4096 (PCI Express 6.0, 2.2.9.1: 0 means 4096).
    pub byte_count: u16,
    /// Lowest bits of the address of the first byte.
    pub lower_address: u8,
}

impl Completion {
    /// What the status means.
    pub const fn meaning(self) -> &'static str {
        match self.status {
            0 => "successful",
            1 => "unsupported request",
            2 => "configuration request retry",
            4 => "completer abort",
            _ => "reserved status",
        }
    }
}

/// What the second to fourth word of a header hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Requester, byte enables, address of memory or I/O.
    Address,
    /// Requester, byte enables, target function and register.
    Configuration,
    /// Completer, status, requester.
    Completion,
    /// Requester, message code.
    Message,
}

/// (does it carry data, type bits, name, shape): table 2-3 of the specification.
const KINDS: &[(bool, u32, &str, Shape)] = &[
    (false, 0x00, "MRd", Shape::Address),
    (false, 0x01, "MRdLk", Shape::Address),
    (true, 0x00, "MWr", Shape::Address),
    (false, 0x02, "IORd", Shape::Address),
    (true, 0x02, "IOWr", Shape::Address),
    (false, 0x04, "CfgRd0", Shape::Configuration),
    (true, 0x04, "CfgWr0", Shape::Configuration),
    (false, 0x05, "CfgRd1", Shape::Configuration),
    (true, 0x05, "CfgWr1", Shape::Configuration),
    (false, 0x0a, "Cpl", Shape::Completion),
    (true, 0x0a, "CplD", Shape::Completion),
    (false, 0x0b, "CplLk", Shape::Completion),
    (true, 0x0b, "CplDLk", Shape::Completion),
    (true, 0x0c, "FetchAdd", Shape::Address),
    (true, 0x0d, "Swap", Shape::Address),
    (true, 0x0e, "CAS", Shape::Address),
    (true, 0x1b, "DMWr", Shape::Address),
];

impl Tlp {
    /// Decodes the four words of a header log, byte 0 of the packet in the highest bits of the first word. `None` for
    /// prefixes, reserved kinds, and words that are all ones: what a device that is gone reads as.
    pub fn decode(words: [u32; 4]) -> Option<Self> {
        let [first, second, third, fourth] = words;
        let (format, type_bits) = (first >> 29, first >> 24 & 0x1f);
        if format > 3 || words == [u32::MAX; 4] {
            return None;
        }
        let (four_words, data) = (format & 1 != 0, format & 2 != 0);
        let (kind, shape) = kind(data, type_bits)?;
        let length = match part(first, 0, 10) {
            0 => 1024,
            words => words,
        };
        let ids = match shape {
            Shape::Completion => third,
            _ => second,
        };
        let enables = matches!(shape, Shape::Address | Shape::Configuration);
        let configuration = shape == Shape::Configuration;
        Some(Self {
            kind,
            traffic_class: part(first, 20, 3),
            attributes: part::<u8>(first, 12, 2) | part::<u8>(first, 18, 1) << 2,
            poisoned: first & 1 << 14 != 0,
            digest: first & 1 << 15 != 0,
            length_words: (shape != Shape::Message || data).then_some(length),
            requester: PciAddress::of_requester(0, part(ids, 16, 16)),
            tag: part::<u16>(ids, 8, 8) | part::<u16>(first, 23, 1) << 9 | part::<u16>(first, 19, 1) << 8,
            first_byte_enable: enables.then_some(part(second, 0, 4)),
            last_byte_enable: enables.then_some(part(second, 4, 4)),
            address: (shape == Shape::Address).then(|| address(four_words, third, fourth)),
            completer: match shape {
                Shape::Configuration => Some(PciAddress::of_requester(0, part(third, 16, 16))),
                Shape::Completion => Some(PciAddress::of_requester(0, part(second, 16, 16))),
                Shape::Address | Shape::Message => None,
            },
            register: configuration.then_some(part(third & !3, 0, 12)),
            completion: (shape == Shape::Completion).then_some(Completion {
                status: part(second, 13, 3),
                byte_count: match part(second, 0, 12) {
                    0 => 4096,
                    count => count,
                },
                lower_address: part(third, 0, 7),
            }),
            message_code: (shape == Shape::Message).then_some(part(second, 0, 8)),
        })
    }
}

fn kind(data: bool, type_bits: u32) -> Option<(&'static str, Shape)> {
    if type_bits & 0x18 == 0x10 {
        return Some((if data { "MsgD" } else { "Msg" }, Shape::Message));
    }
    KINDS
        .iter()
        .find(|(with_data, bits, ..)| (*with_data, *bits) == (data, type_bits))
        .map(|(_, _, name, shape)| (*name, *shape))
}

fn address(four_words: bool, third: u32, fourth: u32) -> u64 {
    if four_words {
        u64::from(third) << 32 | u64::from(fourth & !3)
    } else {
        u64::from(third & !3)
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if let Some(words) = self.length_words {
            write!(f, " of {words} word{}", if words == 1 { "" } else { "s" })?;
        }
        if let Some(address) = self.address {
            write!(f, " at {address:#x}")?;
        }
        if let Some(register) = self.register {
            write!(f, " at register {register:#x}")?;
        }
        if let Some(code) = self.message_code {
            write!(f, " with code {code:#04x}")?;
        }
        match (self.completer, self.completion) {
            (Some(completer), Some(answer)) => write!(
                f,
                " by {}: {}, {} bytes left, for",
                short(completer),
                answer.meaning(),
                answer.byte_count
            )?,
            (Some(target), None) => write!(f, " of {} from", short(target))?,
            _ => f.write_str(" from")?,
        }
        write!(f, " {}, tag {}", short(self.requester), self.tag)?;
        f.write_str(if self.poisoned { ", poisoned" } else { "" })
    }
}

/// Bus, device and function: packets know no segment.
fn short(address: PciAddress) -> String {
    let PciAddress {
        bus,
        device,
        function,
        ..
    } = address;
    format!("{bus:02x}:{device:02x}.{function:x}")
}
