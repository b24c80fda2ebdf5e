//! Intel's processors whose banks are known, and what each bank belongs to.
//!
//! The numbers of banks are from SDM 3B, "Interpreting Machine-Check Error Codes", one section a processor, and SDM 4,
//! "Model-Specific Registers" (`IA32_MCi_CTL`). Those that the SDM does not have are from the decoders that Intel wrote:
//! Linux 7.2 `drivers/edac/{sb,skx,i10nm}_edac` and mcelog (`granite.c`, `i10nm.c`). Banks that neither names have no name here.

use super::super::{MachineCheck, Unit, Vendor};

/// A processor, or several that report alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// Nehalem and Westmere with QPI: `06_1A`, 1E, 1F, 25, 2C.
    Nehalem,
    /// Nehalem-EX and Westmere-EX: `06_2E`, 2F.
    NehalemEx,
    /// Sandy Bridge for clients: `06_2A`.
    SandyBridge,
    /// Sandy Bridge-EP: `06_2D`.
    SandyBridgeEp,
    /// Ivy Bridge-EP: `06_3E`.
    IvyBridgeEp,
    /// Haswell-EP: `06_3F`.
    HaswellEp,
    /// Broadwell-DE: `06_56`.
    BroadwellDe,
    /// Broadwell-EP: `06_4F`.
    BroadwellEp,
    /// Knights Landing and Mill: `06_57`, 85.
    Knights,
    /// Skylake, Cascade Lake and Cooper Lake servers: `06_55`.
    SkylakeServer,
    /// Ice Lake-SP: `06_6A`.
    IceLakeServer,
    /// Ice Lake-D: `06_6C`.
    IceLakeD,
    /// Snow Ridge (Tremont): `06_86`.
    SnowRidge,
    /// Sapphire and Emerald Rapids: `06_8F`, CF.
    SapphireRapids,
    /// Granite Rapids, Sierra Forest, Grand Ridge, Clearwater Forest: `06_AD`, AE, AF, B6, DD.
    GraniteRapids,
}

impl Model {
    pub(super) fn of(check: &MachineCheck) -> Option<Self> {
        if check.vendor() != Vendor::Intel || check.family() != 6 {
            return None;
        }
        Some(match check.model() {
            0x1a | 0x1e | 0x1f | 0x25 | 0x2c => Self::Nehalem,
            0x2e | 0x2f => Self::NehalemEx,
            0x2a => Self::SandyBridge,
            0x2d => Self::SandyBridgeEp,
            0x3e => Self::IvyBridgeEp,
            0x3f => Self::HaswellEp,
            0x56 => Self::BroadwellDe,
            0x4f => Self::BroadwellEp,
            0x57 | 0x85 => Self::Knights,
            0x55 => Self::SkylakeServer,
            0x6a => Self::IceLakeServer,
            0x6c => Self::IceLakeD,
            0x86 => Self::SnowRidge,
            0x8f | 0xcf => Self::SapphireRapids,
            0xad | 0xae | 0xaf | 0xb6 | 0xdd => Self::GraniteRapids,
            _ => return None,
        })
    }

    /// What the bank belongs to.
    pub(super) fn part(self, bank: u8) -> Option<Part> {
        let banks: Banks = match self {
            // Which banks are QPI and memory the codes tell; the SDM names them for 06_1AH alone.
            Self::Nehalem | Self::NehalemEx => &[],
            Self::SandyBridge => SANDY_BRIDGE,
            Self::SandyBridgeEp => SANDY_BRIDGE_EP,
            Self::IvyBridgeEp => IVY_BRIDGE_EP,
            Self::HaswellEp | Self::BroadwellEp => HASWELL_EP,
            Self::BroadwellDe => BROADWELL_DE,
            Self::Knights => KNIGHTS,
            Self::SkylakeServer => SKYLAKE,
            Self::IceLakeServer => ICE_LAKE,
            Self::IceLakeD => ICE_LAKE_D,
            Self::SnowRidge => SNOW_RIDGE,
            Self::SapphireRapids => SAPPHIRE_RAPIDS,
            Self::GraniteRapids => GRANITE_RAPIDS,
        };
        let known = banks
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&bank))
            .map(|(_, _, part)| *part);
        known.or_else(|| self.core_part(bank))
    }

    /// The banks of the cores, the same on every processor since Sandy Bridge but Knights (SDM 4, `IA32_MC0_CTL` to
    /// `IA32_MC3_CTL`, scope core).
    fn core_part(self, bank: u8) -> Option<Part> {
        if matches!(
            self,
            Self::Nehalem | Self::NehalemEx | Self::Knights | Self::SnowRidge
        ) {
            return None;
        }
        (bank < 4).then_some(Part::Core)
    }
}

/// The first and the last bank of each part.
type Banks = &'static [(u8, u8, Part)];

const SANDY_BRIDGE: Banks = &[(4, 4, Part::PowerControl)];

const SANDY_BRIDGE_EP: Banks = &[
    (4, 4, Part::PowerControl),
    (6, 7, Part::Qpi),
    (8, 11, Part::Controller),
];

const IVY_BRIDGE_EP: Banks = &[
    (4, 4, Part::PowerControl),
    (5, 5, Part::Qpi),
    (6, 6, Part::Io),
    (7, 8, Part::HomeAgent),
    (9, 16, Part::Controller),
    (17, 31, Part::CacheSlice),
];

const HASWELL_EP: Banks = &[
    (4, 4, Part::PowerControl),
    (5, 5, Part::Qpi),
    (6, 6, Part::Io),
    (7, 8, Part::HomeAgent),
    (9, 16, Part::Controller),
    (17, 19, Part::CacheSlice),
    (20, 21, Part::Qpi),
];

const BROADWELL_DE: Banks = &[(4, 4, Part::PowerControl), (9, 10, Part::Controller)];

const KNIGHTS: Banks = &[(5, 5, Part::PowerControl), (7, 16, Part::Controller)];

const SKYLAKE: Banks = &[
    (4, 4, Part::PowerControl),
    (5, 5, Part::Upi),
    (6, 6, Part::Io),
    (7, 8, Part::Mesh),
    (9, 11, Part::CachingHomeAgent),
    (12, 12, Part::Upi),
    (13, 18, Part::Controller),
    (19, 19, Part::Upi),
];

const ICE_LAKE: Banks = &[
    (4, 4, Part::PowerControl),
    (5, 5, Part::Upi),
    (7, 8, Part::Upi),
    (12, 12, Part::Mesh),
    (13, 15, Part::Controller),
    (16, 16, Part::Mesh),
    (17, 19, Part::Controller),
    (20, 20, Part::Mesh),
    (21, 23, Part::Controller),
    (24, 24, Part::Mesh),
    (25, 27, Part::Controller),
];

const ICE_LAKE_D: Banks = &[
    (4, 4, Part::PowerControl),
    (12, 12, Part::Mesh),
    (13, 15, Part::Controller),
    (16, 16, Part::Mesh),
    (17, 19, Part::Controller),
];

const SNOW_RIDGE: Banks = &[
    (4, 4, Part::PowerControl),
    (12, 12, Part::Mesh),
    (13, 15, Part::Controller),
];

const SAPPHIRE_RAPIDS: Banks = &[
    (4, 4, Part::PowerControl),
    (5, 5, Part::Upi),
    (12, 12, Part::Mesh),
    (13, 20, Part::Controller),
];

const GRANITE_RAPIDS: Banks = &[
    (5, 5, Part::Upi),
    (6, 6, Part::PowerControl),
    (12, 12, Part::Mesh),
    (13, 24, Part::Controller),
];

/// What a bank belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Core,
    PowerControl,
    Qpi,
    Upi,
    Io,
    HomeAgent,
    CachingHomeAgent,
    CacheSlice,
    Mesh,
    Controller,
}

impl Part {
    /// What failed when this part did.
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Core => Unit::Core,
            Self::PowerControl => Unit::PowerControl,
            Self::Qpi | Self::Upi => Unit::Link,
            Self::Io => Unit::Io,
            Self::HomeAgent | Self::Mesh => Unit::Fabric,
            Self::CachingHomeAgent | Self::CacheSlice => Unit::Cache,
            Self::Controller => Unit::Memory,
        }
    }

    /// The name, with Intel's abbreviation.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::PowerControl => "power control unit (PCU)",
            Self::Qpi => "socket link (QPI)",
            Self::Upi => "socket link (UPI)",
            Self::Io => "integrated I/O (IIO)",
            Self::HomeAgent => "home agent (HA)",
            Self::CachingHomeAgent => "last level cache slice (CHA)",
            Self::CacheSlice => "last level cache slice (CBo)",
            Self::Mesh => "mesh to memory (M2M)",
            Self::Controller => "memory controller (iMC)",
        }
    }
}
