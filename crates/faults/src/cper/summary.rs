//! From a section to what failed, how bad, where and what to do.

use super::dma::REASONS;
use super::pci::BUS_ERRORS;
use super::{Body, CxlEvent, DmaRemapping, ErrorSeverity, MemoryError, PcieError, Section, firmware, guids};
use crate::Class;
use crate::aer::AerSeverity;
use crate::hardware::{Field, Fields, HardwareError, PciId, Place, name_of, plain};

/// What a body says, before the section's head is put to it.
struct Said {
    class: Class,
    /// Begins the title: `memory error`.
    subject: &'static str,
    what: String,
    place: Place,
    advice: &'static str,
    fields: Vec<Field>,
    id: Option<PciId>,
}

impl Section {
    /// What failed, how bad, where, what to do.
    pub fn hardware_error(&self) -> HardwareError {
        let said = self.said();
        let id = said.id.map(|id| format!(" on {id}")).unwrap_or_default();
        let mut place = said.place;
        if let Some(text) = &self.fru_text {
            place.part = Some(text.clone());
        }
        let mut fields = self.head_fields();
        fields.extend(said.fields);
        HardwareError {
            class: said.class,
            severity: self.severity.severity(),
            title: format!("{}: {}{id} ({})", said.subject, said.what, self.severity),
            what: said.what,
            place,
            advice: said.advice,
            fields,
        }
    }

    fn head_fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        fields.add("section", plain(self.name));
        fields.text("severity", self.severity);
        if self.flags.0 != 0 {
            fields.text("flags", self.flags.names().join(", "));
        }
        if let Some(id) = &self.fru_id {
            fields.text("fru_id", id);
        }
        if let Some(text) = &self.fru_text {
            fields.text("fru_text", text);
        }
        if let Some(timestamp) = &self.timestamp {
            fields.text("timestamp", timestamp);
        }
        fields.list
    }

    fn said(&self) -> Said {
        match &self.body {
            Body::Memory(memory) => self.memory(memory),
            Body::Processor(processor) => {
                let mut fields = Fields::default();
                processor.show(&mut fields);
                let id = processor.processor_id.map(|id| format!("processor {id:#x}"));
                self.processor(processor.what(), id, None, fields.list)
            }
            Body::X86(error) => {
                let id = error.apic_id.map(|id| format!("APIC {id}"));
                self.processor(error.what(), id, None, error.fields())
            }
            Body::Arm(error) => {
                let id = error.processor.mpidr.map(|id| format!("MPIDR {id:#x}"));
                self.processor(error.what(), id, error.physical_address(), error.fields())
            }
            Body::Pcie(error) => self.pcie(error),
            Body::PciBus(_) | Body::PciDevice(_) => self.pci(),
            Body::Dma(dma) => dma_remapping(dma),
            Body::CxlProtocol(error) => Said {
                place: Place {
                    pci: error.address,
                    ..Place::default()
                },
                id: error.id,
                ..cxl("CXL error", error.what(), error.fields())
            },
            Body::CxlEvent(event) => cxl_event(event),
            Body::Firmware(record) => {
                let kind = record.record_type.unwrap_or_default();
                said_by_firmware(
                    "firmware error record",
                    name_of(firmware::TYPES, kind.into()).to_owned(),
                    record.fields(),
                )
            }
            Body::Raw(raw) => {
                let mut fields = Fields::default();
                fields.text("type", self.kind);
                fields.text("data", raw.hex());
                let known = guids::named_only(self.kind).map(str::to_owned);
                let what = known.unwrap_or_else(|| format!("section {}", self.kind));
                said_by_firmware("firmware error", what, fields.list)
            }
        }
    }

    fn is_corrected(&self) -> bool {
        matches!(
            self.severity,
            ErrorSeverity::Corrected | ErrorSeverity::Informational
        )
    }

    fn memory(&self, memory: &MemoryError) -> Said {
        Said {
            class: Class::HardwareMemoryError,
            subject: "memory error",
            what: memory.type_name().to_owned(),
            place: Place {
                position: memory.position(),
                address: memory.physical_address,
                ..Place::default()
            },
            advice: memory_advice(self.is_corrected()),
            fields: memory.fields(),
            id: None,
        }
    }

    fn processor(&self, what: String, id: Option<String>, address: Option<u64>, fields: Vec<Field>) -> Said {
        Said {
            class: Class::HardwareMachineCheck,
            subject: "processor error",
            what,
            place: Place {
                processor: id,
                address,
                ..Place::default()
            },
            advice: if self.is_corrected() {
                "Nothing now; when it comes again on the same processor, check its cooling and power and plan to replace it."
            } else {
                "Check the processor's cooling, power and microcode; replace it when the error comes again."
            },
            fields,
            id: None,
        }
    }

    fn pcie(&self, error: &PcieError) -> Said {
        let severity = match self.severity {
            ErrorSeverity::Fatal => AerSeverity::Fatal,
            ErrorSeverity::Recoverable => AerSeverity::NonFatal,
            _ => AerSeverity::Corrected,
        };
        let aer = error.aer_error(severity);
        let main = aer.as_ref().and_then(crate::aer::AerError::main_error);
        let advice = aer.as_ref().map(|aer| aer.hardware_error().advice);
        Said {
            class: Class::HardwarePcieError,
            subject: "PCIe error",
            what: main.map_or("error without a status", |main| main.name).to_owned(),
            place: Place {
                pci: error.address,
                part: error.id.map(|id| format!("PCI device {id}")),
                ..Place::default()
            },
            advice: advice.unwrap_or(PCI_ADVICE),
            fields: error.fields(),
            id: error.id,
        }
    }

    fn pci(&self) -> Said {
        let mut fields = Fields::default();
        let mut said = Said {
            class: Class::HardwarePcieError,
            subject: "PCI error",
            what: "device error".to_owned(),
            place: Place::default(),
            advice: PCI_ADVICE,
            fields: Vec::new(),
            id: None,
        };
        match &self.body {
            Body::PciBus(bus) => {
                bus.show(&mut fields);
                name_of(BUS_ERRORS, bus.error_type.unwrap_or(0).into()).clone_into(&mut said.what);
                said.place.position = bus.bus.map(|number| format!("PCI bus {number:#04x}"));
                said.place.address = bus.bus_address;
            }
            Body::PciDevice(device) => {
                device.show(&mut fields);
                said.place.pci = device.address;
                said.id = device.id;
            }
            _ => {}
        }
        said.fields = fields.list;
        said
    }
}

const PCI_ADVICE: &str = "Reseat or replace the card, its cable or riser; when it goes on, update the device's firmware and driver.";

/// What to do about an error of memory.
pub(crate) fn memory_advice(corrected: bool) -> &'static str {
    if corrected {
        "Nothing now; replace the memory module when errors keep coming from the same place."
    } else {
        "Replace the memory module that is named, and check the programs that used the page: their data may be wrong."
    }
}

fn dma_remapping(dma: &DmaRemapping) -> Said {
    let (what, requester) = match dma {
        DmaRemapping::Fault(fault) => {
            let reason = fault.fault_reason.unwrap_or(0);
            (name_of(REASONS, reason.into()), fault.requester)
        }
        DmaRemapping::VtD(_) => ("fault of VT-d", None),
        DmaRemapping::AmdIommu(_) => ("fault of an AMD IOMMU", None),
    };
    Said {
        class: Class::HardwarePcieError,
        subject: "DMA remapping error",
        what: what.to_owned(),
        place: Place {
            pci: requester,
            ..Place::default()
        },
        advice: "Update the driver and firmware of the device that made the request, and the platform's firmware.",
        fields: dma.fields(),
        id: None,
    }
}

fn cxl(subject: &'static str, what: String, fields: Vec<Field>) -> Said {
    Said {
        class: Class::HardwareCxlError,
        subject,
        what,
        place: Place::default(),
        advice: "Check the CXL device's health log; reseat or replace it when the error comes again.",
        fields,
        id: None,
    }
}

fn cxl_event(event: &CxlEvent) -> Said {
    Said {
        place: Place {
            pci: event.header.address,
            position: event.position(),
            ..Place::default()
        },
        id: event.header.id,
        ..cxl("CXL memory error", event.what().to_owned(), event.fields())
    }
}

fn said_by_firmware(subject: &'static str, what: String, fields: Vec<Field>) -> Said {
    Said {
        class: Class::HardwareFirmwareError,
        subject,
        what,
        place: Place::default(),
        advice: "Keep the record and give it to the vendor of the machine: only its tools read it.",
        fields,
        id: None,
    }
}
