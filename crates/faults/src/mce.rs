//! Machine checks: the registers of a bank to what failed, how bad, where and what to do.
//!
//! [`MachineCheck`] holds the registers. It comes from the tracepoint's fields, from text ([`read_text`]), from the kernel's
//! records in bytes ([`read_records`]) or from registers that firmware saved ([`MachineCheck::from_registers`]);
//! [`MachineCheck::decode`] says what they mean.
//!
//! Rules and tables follow the manuals: SDM 3B, "Machine-Check Architecture" and "Interpreting Machine-Check Error Codes", for
//! Intel; APM 2, BKDGs, PPRs and their errata for AMD. Each table names what it is from. Where a status bit exists only
//! on some processors, `MCG_CAP` decides; when it is not known, the decoded fields say what was assumed. A code that no
//! table has is shown as its number.
//!
//! The decodings of 650 states of registers of 18 processor signatures were compared with those of rasdaemon 0.8.4. The two differ
//! here, on purpose:
//!
//! - Overflow makes an uncorrected error fatal only with AR set, or where software cannot recover: the overwrite rules of the
//!   SDM. rasdaemon does not judge.
//! - Sapphire Rapids' `MISC` is taken apart as Linux 7.2's `i10nm_edac` does it; rasdaemon takes it for Ice Lake's. Channels from
//!   Ice Lake on are those of the bank, two a controller, as in that driver.
//! - The code `0x028x`, memory as the cache of other memory, is known.
//! - The chip select of AMD's controllers has two bits, as in Linux 7.2; rasdaemon takes three.
//!
//! mcelog counts cache levels from 1 where the SDM counts from 0; this follows the SDM.

mod advice;
mod amd;
mod bits;
mod code;
mod field;
mod intel;
mod outcome;
mod place;
mod record;
mod registers;
mod software;
mod status;
mod text;
mod unit;
mod vendor;

use crate::Severity;
use field::Fields;
use outcome::Verdict;

pub use field::Field;
pub use outcome::Outcome;
pub use place::{Address, AddressMode, Cell, Place};
pub use record::{RECORDS_MAX, RecordError, read_records};
pub use text::{TEXT_CHECKS_MAX, read_text};
pub use unit::Unit;
pub use vendor::Vendor;

/// The registers and facts of one machine-check bank, as `mce:mce_record` and `struct mce` carry them.
///
/// What a kernel does not report is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MachineCheck {
    /// `MCi_STATUS`.
    pub status: u64,
    /// `MCi_ADDR`; valid when bit 58 of the status is set.
    pub addr: u64,
    /// `MCi_MISC`; valid when bit 59 of the status is set.
    pub misc: u64,
    /// `MCA_SYND` (AMD).
    pub synd: u64,
    /// `MCA_IPID` (AMD): which block of the processor the bank belongs to.
    pub ipid: u64,
    /// `MCG_STATUS`.
    pub mcg_status: u64,
    /// `MCG_CAP`.
    pub mcg_cap: u64,
    /// Instruction pointer when the machine check came; meaningful when EIPV is set in `mcg_status`.
    pub ip: u64,
    /// Time stamp counter.
    pub tsc: u64,
    /// Wall time, seconds since 1970.
    pub time: u64,
    /// The CPU whose bank it is.
    pub cpu: u32,
    /// `CPUID(1).EAX`: family, model, stepping.
    pub cpuid: u32,
    /// Local APIC id.
    pub apic_id: u32,
    /// Socket.
    pub socket_id: u32,
    /// Bank number.
    pub bank: u8,
    /// `X86_VENDOR_*` of the kernel: 0 Intel, 2 AMD, 5 Centaur, 9 Hygon, 10 Zhaoxin; see [`Vendor`].
    pub vendor: u8,
    /// Protected processor inventory number; 0 when not available.
    pub ppin: u64,
    /// Microcode revision.
    pub microcode: u32,
    /// `MCA_SYND1` (AMD): a part of the syndrome, or of the text for the replaceable unit.
    pub synd1: u64,
    /// `MCA_SYND2` (AMD).
    pub synd2: u64,
    /// `MCA_CONFIG` (AMD): what the bank supports.
    pub config: u64,
}

/// What a machine check means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Decoded {
    /// What failed, for people: `memory controller read error, channel 1`.
    pub what: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Which rule says that it ended so.
    pub why: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Stable title without CPU numbers, addresses and counts.
    pub title: String,
    /// What failed, for programs.
    pub unit: Unit,
    /// Where it happened.
    pub place: Place,
    /// How many errors the bank has corrected since it was last cleared; `None` when the processor does not count or
    /// it is not known whether it does.
    pub corrected_count: Option<u16>,
    /// More errors came than the bank could hold.
    pub overflow: bool,
    /// What to do, in one sentence.
    pub advice: &'static str,
    /// Every field of the registers that was decoded, in the order to print them.
    pub fields: Vec<Field>,
}

impl MachineCheck {
    /// Decodes the registers by the vendor's rules.
    ///
    /// ```
    /// use faults::mce::{MachineCheck, Outcome, Unit};
    ///
    /// let check = MachineCheck { status: 0x8c00_0040_0001_0091, bank: 7, ..Default::default() };
    /// let decoded = check.decode();
    /// assert_eq!(decoded.what, "memory controller read error, channel 1");
    /// assert_eq!((decoded.unit, decoded.place.channel), (Unit::Memory, Some(1)));
    /// assert_eq!(decoded.outcome, Outcome::Corrected);
    /// assert_eq!(decoded.title, "machine check: memory controller read error, channel 1 (corrected)");
    /// ```
    pub fn decode(&self) -> Decoded {
        let verdict = outcome::of(self);
        let Verdict { outcome, why } = verdict;
        let mut fields = Fields::default();
        let mut place = Place {
            socket: self.socket_id,
            cpu: self.cpu,
            bank: self.bank,
            ..Place::default()
        };
        registers::status_flags(self, &verdict, &mut fields);
        let corrected_count = registers::corrected_count(self, &mut fields);
        let (what, unit) = if software::is_bank(self.bank) {
            software::decode(self, &mut place, &mut fields)
        } else if self.vendor().is_amd() {
            amd::decode(self, &mut place, &mut fields)
        } else {
            intel::decode(self, &mut place, &mut fields)
        };
        registers::global(self, &mut fields);
        let above_threshold = intel::above_threshold(self, outcome);
        Decoded {
            title: format!("machine check: {what} ({outcome})"),
            what,
            outcome,
            why,
            severity: outcome.severity().max(if above_threshold {
                Severity::Medium
            } else {
                Severity::Low
            }),
            unit,
            place,
            corrected_count,
            overflow: self.has(status::bit::OVERFLOW),
            advice: advice::of(outcome, unit, above_threshold),
            fields: fields.into_vec(),
        }
    }
}

#[cfg(test)]
mod tests;
