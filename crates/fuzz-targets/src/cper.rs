//! Records, error status blocks, and bare sections of every type.

use faults::cper::{self, Guid, MAX_BLOCKS, MAX_SECTIONS, Section, guids};

const KINDS: &[Guid] = &[
    guids::PROCESSOR,
    guids::PROCESSOR_X86,
    guids::PROCESSOR_ARM,
    guids::MEMORY,
    guids::MEMORY_2,
    guids::PCIE,
    guids::PCI_BUS,
    guids::PCI_DEVICE,
    guids::FIRMWARE,
    guids::DMA,
    guids::DMA_VTD,
    guids::DMA_IOMMU,
    guids::CXL_PROTOCOL,
    guids::CXL_MEDIA,
    guids::CXL_DRAM,
    guids::CXL_MODULE,
    guids::LINUX_MCE,
];

pub(crate) fn run(bytes: &[u8]) {
    let decoded = cper::decode(bytes);
    assert!(decoded.sections().count() <= MAX_BLOCKS * MAX_SECTIONS);
    decoded.sections().for_each(ask);
    if let Some((kind, body)) = bytes.split_first() {
        ask(&Section::of_body(KINDS[usize::from(*kind) % KINDS.len()], body));
    }
}

fn ask(section: &Section) {
    let error = section.hardware_error();
    assert!(!error.title.is_empty() && !error.title.contains('\n'));
    let _ = error.place.to_string();
}
