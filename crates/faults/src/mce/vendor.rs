//! Who made a processor and which one it is.

use super::MachineCheck;
use std::fmt;

/// Who made a processor; they differ in what the status bits mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// Intel.
    Intel,
    /// AMD.
    Amd,
    /// Hygon: AMD's first Zen.
    Hygon,
    /// Centaur (VIA): Intel's architecture.
    Centaur,
    /// Zhaoxin: Intel's architecture.
    Zhaoxin,
    /// Another, or not known; its codes are read as Intel's, which are the architectural ones.
    Unknown,
}

impl Vendor {
    /// From `X86_VENDOR_*` of the kernel (`arch/x86/include/asm/processor.h`).
    pub const fn from_kernel(number: u8) -> Self {
        match number {
            0 => Self::Intel,
            2 => Self::Amd,
            5 => Self::Centaur,
            9 => Self::Hygon,
            10 => Self::Zhaoxin,
            _ => Self::Unknown,
        }
    }

    /// The kernel's number of a vendor given by [name](Self::as_str); 255 for none that is known.
    ///
    /// ```
    /// assert_eq!(faults::mce::Vendor::kernel_number("amd"), Some(2));
    /// ```
    pub fn kernel_number(name: &str) -> Option<u8> {
        match name {
            "intel" => Some(0),
            "amd" => Some(2),
            "centaur" => Some(5),
            "hygon" => Some(9),
            "zhaoxin" => Some(10),
            "unknown" => Some(255),
            _ => None,
        }
    }

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intel => "intel",
            Self::Amd => "amd",
            Self::Hygon => "hygon",
            Self::Centaur => "centaur",
            Self::Zhaoxin => "zhaoxin",
            Self::Unknown => "unknown",
        }
    }

    pub(super) const fn is_amd(self) -> bool {
        matches!(self, Self::Amd | Self::Hygon)
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Vendor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl MachineCheck {
    /// Who made the processor.
    pub const fn vendor(&self) -> Vendor {
        Vendor::from_kernel(self.vendor)
    }

    /// The family, extended as CPUID says (SDM 2A, CPUID leaf 1); 0 when `cpuid` is not known.
    pub const fn family(&self) -> u32 {
        let family = self.cpuid >> 8 & 0xf;
        if family == 0xf {
            family + (self.cpuid >> 20 & 0xff)
        } else {
            family
        }
    }

    /// The model, extended as CPUID says.
    pub const fn model(&self) -> u32 {
        let model = self.cpuid >> 4 & 0xf;
        if self.family() >= 6 {
            model | self.cpuid >> 12 & 0xf0
        } else {
            model
        }
    }

    /// The stepping.
    pub const fn stepping(&self) -> u32 {
        self.cpuid & 0xf
    }
}
