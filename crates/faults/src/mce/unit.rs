//! The parts of a machine that machine checks speak of.

use std::fmt;

/// What failed, coarsely: the part that somebody would look at or replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Unit {
    /// The code does not say, or is not known.
    #[default]
    Unknown,
    /// A core: its pipelines, registers and microcode.
    Core,
    /// A cache; [`Place::cache_level`](super::Place::cache_level) says which.
    Cache,
    /// A translation lookaside buffer.
    Tlb,
    /// Memory modules, and the controller that talks to them.
    Memory,
    /// What connects the parts of one socket: mesh, home agent, data fabric.
    Fabric,
    /// A link between sockets or dies: QPI, UPI, `HyperTransport`, xGMI, GMI.
    Link,
    /// A bus or interconnect transaction that no finer part is known of.
    Bus,
    /// I/O: PCI Express and other devices behind the processor.
    Io,
    /// Power control and system management firmware.
    PowerControl,
    /// The security processor.
    Security,
    /// Temperature, as the kernel reports it through a bank of its own making.
    Thermal,
}

impl Unit {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Core => "core",
            Self::Cache => "cache",
            Self::Tlb => "tlb",
            Self::Memory => "memory",
            Self::Fabric => "fabric",
            Self::Link => "link",
            Self::Bus => "bus",
            Self::Io => "io",
            Self::PowerControl => "power_control",
            Self::Security => "security",
            Self::Thermal => "thermal",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
