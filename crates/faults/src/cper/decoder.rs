//! Which type of section is read how.

use super::layout::or_zero;
use super::section::Read;
use super::{
    ArmError, Body, CxlEvent, CxlProtocol, DmaRemapping, FirmwareRecord, Guid, MemoryError, PciBusError,
};
use super::{PciDeviceError, PcieError, ProcessorError, Raw, X86Error, cxl, dma, guids};

/// The name of a type, the bytes it needs at least, and how it is read.
pub(super) type Decoder = (&'static str, usize, fn(&[u8]) -> Read<Body>);

pub(super) fn decoder(kind: Guid) -> Decoder {
    const MEMORY: Decoder = ("memory error", 73, |b| memory(MemoryError::read_1(b)));
    const MEMORY_2: Decoder = ("memory error", 96, |b| memory(MemoryError::read_2(b)));
    const PROCESSOR: Decoder = ("processor error", 192, |b| {
        (Body::Processor(ProcessorError::read(b, or_zero(b, 0))), None)
    });
    const X86: Decoder = ("IA32/X64 processor error", 64, |b| {
        let (error, damage) = X86Error::read(b);
        (Body::X86(Box::new(error)), damage)
    });
    const ARM: Decoder = ("ARM processor error", 40, |b| {
        let (error, damage) = ArmError::read(b);
        (Body::Arm(error), damage)
    });
    const PCIE: Decoder = ("PCIe error", 208, |b| {
        (Body::Pcie(Box::new(PcieError::read_all(b))), None)
    });
    const PCI_BUS: Decoder = ("PCI bus error", 72, |b| {
        (Body::PciBus(PciBusError::read(b, or_zero(b, 0))), None)
    });
    const PCI_DEVICE: Decoder = ("PCI device error", 40, |b| {
        (Body::PciDevice(PciDeviceError::read(b, or_zero(b, 0))), None)
    });
    const FIRMWARE: Decoder = ("firmware error record", 16, |b| {
        (Body::Firmware(FirmwareRecord::read_all(b)), None)
    });
    const DMA: Decoder = ("DMA remapping error", 32, |b| {
        (Body::Dma(DmaRemapping::Generic(dma::Generic::read(b, 0))), None)
    });
    const DMA_VTD: Decoder = ("DMA remapping error of VT-d", 144, |b| {
        (Body::Dma(DmaRemapping::VtD(dma::VtD::read(b, 0))), None)
    });
    const DMA_IOMMU: Decoder = ("DMA remapping error of an AMD IOMMU", 144, |b| {
        (Body::Dma(DmaRemapping::Amd(dma::Amd::read(b, 0))), None)
    });
    const CXL_PROTOCOL: Decoder = ("CXL protocol error", 116, |b| {
        let (error, damage) = CxlProtocol::read_all(b);
        (Body::CxlProtocol(Box::new(error)), damage)
    });
    const CXL_MEDIA: Decoder = ("CXL media event", cxl::EVENT_BYTES, |b| event(CxlEvent::media(b)));
    const CXL_DRAM: Decoder = ("CXL DRAM event", cxl::EVENT_BYTES, |b| event(CxlEvent::dram(b)));
    const CXL_MODULE: Decoder = ("CXL memory module event", cxl::EVENT_BYTES, |b| {
        event(CxlEvent::module(b))
    });
    match kind {
        guids::MEMORY => MEMORY,
        guids::MEMORY_2 => MEMORY_2,
        guids::PROCESSOR => PROCESSOR,
        guids::PROCESSOR_X86 => X86,
        guids::PROCESSOR_ARM => ARM,
        guids::PCIE => PCIE,
        guids::PCI_BUS => PCI_BUS,
        guids::PCI_DEVICE => PCI_DEVICE,
        guids::FIRMWARE => FIRMWARE,
        guids::DMA => DMA,
        guids::DMA_VTD => DMA_VTD,
        guids::DMA_IOMMU => DMA_IOMMU,
        guids::CXL_PROTOCOL => CXL_PROTOCOL,
        guids::CXL_MEDIA => CXL_MEDIA,
        guids::CXL_DRAM => CXL_DRAM,
        guids::CXL_MODULE => CXL_MODULE,
        other => (
            guids::named_only(other).unwrap_or("section of a vendor"),
            0,
            |b| (Body::Raw(Raw::of(b)), None),
        ),
    }
}

fn memory((error, damage): Read<MemoryError>) -> Read<Body> {
    (Body::Memory(error), damage)
}

fn event(event: CxlEvent) -> Read<Body> {
    (Body::CxlEvent(Box::new(event)), None)
}
