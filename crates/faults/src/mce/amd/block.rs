//! The blocks of scalable machine-check architecture: which part of the processor a bank belongs to.
//!
//! `MCA_IPID` holds the hardware id (bits 43:32) and the type (bits 63:48). The pairs are from the PPRs, "Machine Check
//! Architecture Banks", families 17h to 1Ah, compared with Linux 7.2 `arch/x86/kernel/cpu/mce/amd.c` and rasdaemon 0.8.4.

use super::super::bits::half;
use super::super::{MachineCheck, Unit};
use super::errors;

/// What a block is and how its errors are called.
#[derive(Debug)]
pub(super) struct Block {
    id: (u16, u16),
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// Indexed by the extended error code; empty words are reserved codes.
    pub(super) errors: &'static [&'static str],
}

/// The blocks that need more than their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing special.
    Plain,
    /// A cache of this level.
    Cache(u8),
    /// A memory controller of a CPU.
    Controller,
    /// A memory controller of an accelerator's HBM.
    StackedController,
}

const fn block(
    id: (u16, u16),
    kind: Kind,
    unit: Unit,
    name: &'static str,
    errors: &'static [&'static str],
) -> Block {
    Block {
        id,
        kind,
        name,
        unit,
        errors,
    }
}

use Kind::{Cache, Controller, Plain, StackedController};

const BLOCKS: &[Block] = &[
    block(
        (0x0b0, 0x00),
        Plain,
        Unit::Core,
        "load store unit",
        errors::core::LOAD_STORE,
    ),
    block(
        (0x0b0, 0x01),
        Plain,
        Unit::Core,
        "instruction fetch unit",
        errors::core::INSTRUCTION_FETCH,
    ),
    block(
        (0x0b0, 0x02),
        Cache(2),
        Unit::Cache,
        "L2 cache",
        errors::core::L2_CACHE,
    ),
    block(
        (0x0b0, 0x03),
        Plain,
        Unit::Core,
        "decode unit",
        errors::core::DECODE,
    ),
    block(
        (0x0b0, 0x05),
        Plain,
        Unit::Core,
        "execution unit",
        errors::core::EXECUTION,
    ),
    block(
        (0x0b0, 0x06),
        Plain,
        Unit::Core,
        "floating point unit",
        errors::core::FLOATING_POINT,
    ),
    block(
        (0x0b0, 0x07),
        Cache(3),
        Unit::Cache,
        "L3 cache",
        errors::core::L3_CACHE,
    ),
    block(
        (0x0b0, 0x10),
        Plain,
        Unit::Core,
        "load store unit",
        errors::core::LOAD_STORE_2,
    ),
    block(
        (0x02e, 0x00),
        Plain,
        Unit::Fabric,
        "coherent station",
        errors::fabric::COHERENT_STATION,
    ),
    block(
        (0x02e, 0x01),
        Plain,
        Unit::Fabric,
        "power, interrupts, etc.",
        errors::fabric::POWER_INTERRUPTS,
    ),
    block(
        (0x02e, 0x02),
        Plain,
        Unit::Fabric,
        "coherent station",
        errors::fabric::COHERENT_STATION_2,
    ),
    block(
        (0x02e, 0x04),
        Plain,
        Unit::Cache,
        "memory-attached last level cache",
        errors::fabric::MEMORY_CACHE,
    ),
    block(
        (0x096, 0x00),
        Controller,
        Unit::Memory,
        "memory controller",
        errors::memory::CONTROLLER,
    ),
    block(
        (0x096, 0x01),
        StackedController,
        Unit::Memory,
        "memory controller of HBM",
        errors::memory::CONTROLLER_2,
    ),
    block(
        (0x005, 0x00),
        Plain,
        Unit::PowerControl,
        "parameter block",
        errors::io::PARAMETER_BLOCK,
    ),
    block(
        (0x0ff, 0x00),
        Plain,
        Unit::Security,
        "platform security processor",
        errors::io::SECURITY,
    ),
    block(
        (0x0ff, 0x01),
        Plain,
        Unit::Security,
        "platform security processor",
        errors::io::SECURITY_2,
    ),
    block(
        (0x0ff, 0x02),
        Plain,
        Unit::Security,
        "platform security processor (MPART)",
        &[],
    ),
    block(
        (0x0fd, 0x00),
        Plain,
        Unit::Security,
        "platform security processor (MPASP)",
        &[],
    ),
    block(
        (0x0fd, 0x01),
        Plain,
        Unit::Security,
        "platform security processor (MPASP)",
        &[],
    ),
    block(
        (0x001, 0x00),
        Plain,
        Unit::PowerControl,
        "system management unit",
        errors::io::MANAGEMENT,
    ),
    block(
        (0x001, 0x01),
        Plain,
        Unit::PowerControl,
        "system management unit",
        errors::io::MANAGEMENT_2,
    ),
    block(
        (0x001, 0x02),
        Plain,
        Unit::PowerControl,
        "microprocessor 5",
        errors::io::MICROPROCESSOR_5,
    ),
    block(
        (0x001, 0x03),
        Plain,
        Unit::Io,
        "data mover",
        errors::io::DATA_MOVER,
    ),
    block(
        (0x012, 0x00),
        Plain,
        Unit::PowerControl,
        "RAS microprocessor (MPRAS)",
        &[],
    ),
    block(
        (0x0f9, 0x00),
        Plain,
        Unit::PowerControl,
        "microprocessor (MPM)",
        &[],
    ),
    block(
        (0x0be, 0x00),
        Plain,
        Unit::PowerControl,
        "microprocessor (MPDACC)",
        &[],
    ),
    block((0x164, 0x00), Plain, Unit::Io, "DACC back end", &[]),
    block((0x157, 0x00), Plain, Unit::Io, "DACC front end", &[]),
    block((0x1e0, 0x00), Plain, Unit::Memory, "eDDR5 common block", &[]),
    block(
        (0x018, 0x00),
        Plain,
        Unit::Io,
        "northbridge I/O",
        errors::io::NORTHBRIDGE_IO,
    ),
    block(
        (0x046, 0x00),
        Plain,
        Unit::Io,
        "PCI Express root port",
        errors::io::PCIE,
    ),
    block(
        (0x046, 0x01),
        Plain,
        Unit::Io,
        "PCI Express root port",
        errors::io::PCIE_2,
    ),
    block((0x1e1, 0x00), Plain, Unit::Io, "PCI Express link", &[]),
    block(
        (0x06c, 0x00),
        Plain,
        Unit::Io,
        "northbridge interface",
        errors::io::INTERFACE,
    ),
    block(
        (0x080, 0x00),
        Plain,
        Unit::Io,
        "system hub",
        errors::io::INTERFACE,
    ),
    block((0x0a8, 0x00), Plain, Unit::Io, "SATA", errors::io::SATA),
    block((0x0aa, 0x00), Plain, Unit::Io, "USB", errors::io::USB),
    block((0x05c, 0x00), Plain, Unit::Link, "die to die interconnect", &[]),
    block(
        (0x170, 0x00),
        Plain,
        Unit::Link,
        "die to die data plane",
        errors::link::DATA_PLANE,
    ),
    block(
        (0x180, 0x00),
        Plain,
        Unit::Link,
        "die to die control plane",
        errors::link::CONTROL_PLANE,
    ),
    block(
        (0x050, 0x00),
        Plain,
        Unit::Link,
        "socket link (xGMI)",
        errors::link::XGMI,
    ),
    block(
        (0x241, 0x00),
        Plain,
        Unit::Link,
        "die link (GMI)",
        errors::link::GMI,
    ),
    block(
        (0x259, 0x00),
        Plain,
        Unit::Link,
        "socket link (xGMI), physical layer",
        errors::link::PHYSICAL,
    ),
    block(
        (0x267, 0x00),
        Plain,
        Unit::Link,
        "WAFL link, physical layer",
        errors::link::PHYSICAL,
    ),
    block(
        (0x269, 0x00),
        Plain,
        Unit::Link,
        "die link (GMI), physical layer",
        errors::link::PHYSICAL,
    ),
];

/// Genoa's erratum 1384: the coherent stations of these models number their errors otherwise.
static COHERENT_STATION_1384: Block = block(
    (0x02e, 0x02),
    Plain,
    Unit::Fabric,
    "coherent station",
    errors::fabric::COHERENT_STATION_1384,
);
/// MI300A: the memory controllers drive HBM and number their errors otherwise (PPR family 19h model 90h).
static CONTROLLER_MI300: Block = block(
    (0x096, 0x00),
    StackedController,
    Unit::Memory,
    "memory controller of HBM",
    errors::memory::CONTROLLER_MI300,
);

/// The block whose bank reported, as far as it is known.
pub(super) fn of(check: &MachineCheck) -> Option<&'static Block> {
    if check.ipid == 0 {
        return None;
    }
    let id = (half(check.ipid, 32, 43), half(check.ipid, 48, 63));
    match (id, check.family(), check.model()) {
        ((0x02e, 0x02), 0x19, 0x10..=0x1f | 0x60..=0x7b | 0xa0..=0xaf)
        | ((0x02e, 0x02), 0x1a, 0x40..=0x4f) => Some(&COHERENT_STATION_1384),
        ((0x096, 0x00), 0x19, 0x90..=0x9f) => Some(&CONTROLLER_MI300),
        _ => BLOCKS.iter().find(|block| block.id == id),
    }
}
