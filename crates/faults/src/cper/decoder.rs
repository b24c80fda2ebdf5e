//! Which type of section is read how.

use super::cxl::EVENT_BYTES;
use super::dma::{AmdIommu, DmaFault, VtD};
use super::layout::or_zero;
use super::section::Read;
use super::{ArmError, Body, CxlEvent, CxlProtocol, DmaRemapping, FirmwareRecord, Guid, MemoryError};
use super::{PciBusError, PciDeviceError, PcieError, ProcessorError, Raw, X86Error, guids};

/// How sections of one type are read.
pub(super) struct Decoder {
    kind: Guid,
    /// What the type is called.
    pub(super) name: &'static str,
    /// Bytes that a section of the type has at least.
    pub(super) bytes: usize,
    pub(super) read: fn(&[u8]) -> Read<Body>,
}

const fn decoder(kind: Guid, name: &'static str, bytes: usize, read: fn(&[u8]) -> Read<Body>) -> Decoder {
    Decoder {
        kind,
        name,
        bytes,
        read,
    }
}

/// Sizes are those of the specifications; the first layout of memory had 73 bytes before it had 80.
const DECODERS: &[Decoder] = &[
    decoder(guids::MEMORY, "memory error", 73, |b| {
        with(MemoryError::read_1(b), Body::Memory)
    }),
    decoder(guids::MEMORY_2, "memory error", 96, |b| {
        with(MemoryError::read_2(b), Body::Memory)
    }),
    decoder(guids::PROCESSOR, "processor error", 192, |b| {
        whole(Body::Processor(ProcessorError::read(b, or_zero(b, 0))))
    }),
    decoder(guids::PROCESSOR_X86, "IA32/X64 processor error", 64, |b| {
        with(X86Error::read(b), |error| Body::X86(Box::new(error)))
    }),
    decoder(guids::PROCESSOR_ARM, "ARM processor error", 40, |b| {
        with(ArmError::read(b), Body::Arm)
    }),
    decoder(guids::PCIE, "PCIe error", 208, |b| {
        whole(Body::Pcie(Box::new(PcieError::read_all(b))))
    }),
    decoder(guids::PCI_BUS, "PCI bus error", 72, |b| {
        whole(Body::PciBus(PciBusError::read(b, or_zero(b, 0))))
    }),
    decoder(guids::PCI_DEVICE, "PCI device error", 40, |b| {
        whole(Body::PciDevice(PciDeviceError::read(b, or_zero(b, 0))))
    }),
    decoder(guids::FIRMWARE, "firmware error record", 16, |b| {
        whole(Body::Firmware(FirmwareRecord::read_all(b)))
    }),
    decoder(guids::DMA, "DMA remapping error", 32, |b| {
        whole(Body::Dma(DmaRemapping::Fault(DmaFault::read(b, 0))))
    }),
    decoder(guids::DMA_VTD, "DMA remapping error of VT-d", 144, |b| {
        whole(Body::Dma(DmaRemapping::VtD(VtD::read(b, 0))))
    }),
    decoder(
        guids::DMA_IOMMU,
        "DMA remapping error of an AMD IOMMU",
        144,
        |b| whole(Body::Dma(DmaRemapping::AmdIommu(AmdIommu::read(b, 0)))),
    ),
    decoder(guids::CXL_PROTOCOL, "CXL protocol error", 116, |b| {
        with(CxlProtocol::read_all(b), |error| {
            Body::CxlProtocol(Box::new(error))
        })
    }),
    decoder(guids::CXL_MEDIA, "CXL media event", EVENT_BYTES, |b| {
        event(CxlEvent::media(b))
    }),
    decoder(guids::CXL_DRAM, "CXL DRAM event", EVENT_BYTES, |b| {
        event(CxlEvent::dram(b))
    }),
    decoder(guids::CXL_MODULE, "CXL memory module event", EVENT_BYTES, |b| {
        event(CxlEvent::module(b))
    }),
];

/// The decoder of a type; that of a type which is not decoded keeps the bytes.
pub(super) fn of_kind(kind: Guid) -> Decoder {
    let known = DECODERS.iter().find(|decoder| decoder.kind == kind);
    let (name, bytes, read) = match known {
        Some(known) => (known.name, known.bytes, known.read),
        None => (
            guids::named_only(kind).unwrap_or("section of a vendor"),
            0,
            raw as fn(&[u8]) -> Read<Body>,
        ),
    };
    decoder(kind, name, bytes, read)
}

fn raw(bytes: &[u8]) -> Read<Body> {
    whole(Body::Raw(Raw::of(bytes)))
}

fn event(event: CxlEvent) -> Read<Body> {
    whole(Body::CxlEvent(Box::new(event)))
}

fn whole(body: Body) -> Read<Body> {
    (body, None)
}

fn with<T>((error, damage): Read<T>, body: impl Fn(T) -> Body) -> Read<Body> {
    (body(error), damage)
}
