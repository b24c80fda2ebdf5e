//! The body of a section, put back together from its lines.

use super::keys;
use super::wire::{Wire, dump, hex_number, number, pairs};
use crate::cper::x86::structure_of;
use crate::cper::{Guid, guids};
use crate::hardware::PciAddress;

/// Most structures of a kind: what the count in an x86 section can say.
const MAX_PARTS: usize = 63;

/// Longest name of a memory module's slot that is kept.
const MAX_PART_CHARS: usize = 80;

/// Where the lines of a dump belong.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Dump {
    /// The data of the section: what follows the fixed part, or the identification of an x86 processor.
    #[default]
    Data,
    /// The last register context.
    Context,
    /// Nowhere: it holds what is printed apart, or what is not decoded.
    Nowhere,
}

/// A body that is being read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    kind: Guid,
    fixed: Wire,
    infos: Vec<Wire>,
    contexts: Vec<Wire>,
    data: Wire,
    dump: Dump,
    part: Option<String>,
}

impl Draft {
    pub(super) fn new(kind: Option<Guid>) -> Self {
        Self {
            kind: kind.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Reads a line of the body.
    pub(super) fn line(&mut self, text: &str) {
        if let Some(bytes) = dump(text) {
            match self.dump {
                Dump::Data => self.data.extend(&bytes),
                Dump::Context => {
                    if let Some(context) = self.contexts.last_mut() {
                        context.extend(&bytes);
                    }
                }
                Dump::Nowhere => {}
            }
            return;
        }
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let (name, value) = (name.trim(), value.trim());
        match self.kind {
            guids::MEMORY => self.memory(text, name, value),
            guids::PROCESSOR => {
                self.fixed.key(keys::PROCESSOR, 0, name, value);
            }
            guids::PCIE => self.pcie(text),
            guids::CXL_PROTOCOL => self.cxl(text),
            guids::PROCESSOR_X86 => self.x86(name, value),
            guids::PROCESSOR_ARM => self.arm(text, name, value),
            guids::FIRMWARE => self.firmware(name, value),
            _ => {}
        }
    }

    fn memory(&mut self, text: &str, name: &str, value: &str) {
        // `error_status: Storage error in DRAM memory (0x0000000000000400)`; older kernels print the number only.
        if name == "error_status" {
            if let Some(status) = text.rfind("0x").and_then(|at| number(text.get(at..)?)) {
                self.fixed.mark(0, 0);
                self.fixed.number(8, 8, status);
            }
            return;
        }
        if name == "DIMM location" {
            if let Some((_, handle)) = value.split_once("DMI handle: ") {
                self.fixed.key(&[("handle", 17, 78, 2)], 0, "handle", handle);
            } else {
                let part: String = value.chars().take(MAX_PART_CHARS).collect();
                self.part = Some(part).filter(|part| !part.is_empty());
            }
            return;
        }
        if self.fixed.key(keys::MEMORY, 0, name, value) && value.starts_with("0x") {
            return;
        }
        // `node:0 card:1 module:2 row:85 `
        for (name, value) in text
            .split_ascii_whitespace()
            .filter_map(|word| word.split_once(':'))
        {
            self.fixed.key(keys::MEMORY, 0, name, value);
            match (name, number(value)) {
                ("row", Some(row)) if row > 0xffff => {
                    self.fixed.mark(0, 18);
                    self.extended(row >> 16 & 3);
                }
                ("chip_id", Some(chip)) => {
                    self.fixed.mark(0, 21);
                    self.extended(chip << 5 & 0xe0);
                }
                _ => {}
            }
        }
    }

    /// Sets bits of the byte that holds the high part of the row and the chip.
    fn extended(&mut self, bits: u64) {
        let byte = self.fixed.0.get(73).copied().unwrap_or(0);
        self.fixed.number(73, 1, u64::from(byte) | bits);
    }

    fn pcie(&mut self, text: &str) {
        if let Some(words) = text.strip_prefix("TLP Header: ") {
            for (index, word) in words.split_ascii_whitespace().take(4).enumerate() {
                self.fixed.mark(0, 7);
                self.fixed
                    .number(140 + 4 * index, 4, hex_number(word).unwrap_or(0));
            }
            return;
        }
        if let Some(serial) = text.strip_prefix("serial number: ") {
            for (index, word) in serial.split(", ").take(2).enumerate() {
                self.fixed.mark(0, 4);
                self.fixed.number(40 + 4 * index, 4, number(word).unwrap_or(0));
            }
            return;
        }
        for (name, value) in pairs(text.strip_prefix("bridge: ").unwrap_or(text)) {
            if self.fixed.key(keys::PCIE, 0, name, value) && name != "device_id" {
                continue;
            }
            match name {
                "device_id" => self.pci_address(value, 3, (31, 32, 35, 33)),
                "slot" => self.slot(value, 3, 37),
                "class_code" => self.class(value, 3, 28, 3),
                "version" => {
                    if let Some((major, minor)) = value.split_once('.') {
                        self.fixed.mark(0, 1);
                        self.fixed.number(12, 1, number(minor).unwrap_or(0));
                        self.fixed.number(13, 1, number(major).unwrap_or(0));
                    }
                }
                _ => {}
            }
        }
    }

    fn cxl(&mut self, text: &str) {
        self.dump = Dump::Nowhere;
        for (name, value) in pairs(text) {
            if self.fixed.key(keys::CXL_PROTOCOL, 0, name, value) {
                continue;
            }
            match name {
                "agent_address" => self.pci_address(value, 1, (16, 17, 18, 19)),
                "slot" => self.slot(value, 2, 34),
                "class_code" => self.class(value, 2, 32, 2),
                _ => {}
            }
        }
    }

    /// Function, device, bus and segment at their offsets.
    fn pci_address(
        &mut self,
        value: &str,
        bit: u32,
        (function, device, bus, segment): (usize, usize, usize, usize),
    ) {
        if let Ok(address) = value.parse::<PciAddress>() {
            self.fixed.mark(0, bit);
            self.fixed.number(segment, 2, address.segment.into());
            self.fixed.put(function, &[address.function]);
            self.fixed.put(device, &[address.device]);
            self.fixed.put(bus, &[address.bus]);
        }
    }

    fn slot(&mut self, value: &str, bit: u32, at: usize) {
        if let Some(slot) = number(value) {
            self.fixed.mark(0, bit);
            self.fixed.number(at, 2, slot << 3);
        }
    }

    /// Class codes are printed without `0x`.
    fn class(&mut self, value: &str, bit: u32, at: usize, width: usize) {
        if let Some(class) = hex_number(value) {
            self.fixed.mark(0, bit);
            self.fixed.number(at, width, class);
        }
    }

    fn x86(&mut self, name: &str, value: &str) {
        match name {
            "CPUID Info" => {
                self.fixed.mark(0, 1);
                self.dump = Dump::Data;
            }
            "Error Structure Type" => {
                if let (Some(info), Some(kind)) = (self.infos.last_mut(), structure_of(value)) {
                    info.put(0, &kind.bytes());
                }
            }
            "Register Context Type" => self.context_kind(keys::X86_CONTEXTS, value, 0),
            _ if name.starts_with("Error Information Structure ") => self.info(64),
            _ if name.starts_with("Context Information Structure ") => self.context(16),
            _ => {
                let in_info = self
                    .infos
                    .last_mut()
                    .is_some_and(|info| info.key(keys::X86_INFO, 16, name, value));
                let mut context = self.contexts.last_mut();
                let in_context = context
                    .as_mut()
                    .is_some_and(|context| context.key(keys::X86_CONTEXT, 0, name, value));
                if !in_info && !in_context {
                    self.fixed.key(keys::X86, 0, name, value);
                }
            }
        }
    }

    fn arm(&mut self, text: &str, name: &str, value: &str) {
        if let Some(info) = self.infos.last_mut() {
            if let Some(flag) = keys::ARM_FLAGS.iter().position(|flag| *flag == text) {
                let flags = info.0.get(7).copied().unwrap_or(0);
                info.mark(2, 1);
                info.put(7, &[flags | 1 << flag]);
                return;
            }
            if name == "num errors" {
                info.mark(2, 0);
                info.number(5, 2, number(value).unwrap_or(1).saturating_sub(1));
                return;
            }
        }
        match name {
            "register context type" => self.context_kind(keys::ARM_CONTEXTS, value, 2),
            _ if name.starts_with("Error info structure ") => self.info(32),
            _ if name.starts_with("Context info structure ") => self.context(8),
            _ if name.starts_with("Vendor specific error info") => self.dump = Dump::Data,
            _ => {
                let in_info = self
                    .infos
                    .last_mut()
                    .is_some_and(|info| info.key(keys::ARM_INFO, 2, name, value));
                if !in_info {
                    self.fixed.key(keys::ARM, 0, name, value);
                }
            }
        }
    }

    fn info(&mut self, size: usize) {
        if self.infos.len() < MAX_PARTS {
            self.infos.push(Wire(vec![0; size]));
        }
    }

    fn context(&mut self, head: usize) {
        if self.contexts.len() < MAX_PARTS {
            self.contexts.push(Wire(vec![0; head]));
        }
        self.dump = Dump::Context;
    }

    fn context_kind(&mut self, names: &[&str], value: &str, at: usize) {
        let kind = names.iter().position(|name| *name == value);
        if let (Some(context), Some(kind)) = (self.contexts.last_mut(), kind) {
            context.number(at, 2, kind as u64);
        }
    }

    fn firmware(&mut self, name: &str, value: &str) {
        match name {
            "Firmware Error Record Type" => {
                let kind = keys::FIRMWARE_TYPES.iter().position(|known| *known == value);
                self.fixed.number(0, 1, kind.map_or(0xff, |kind| kind as u64));
            }
            "Revision" => self.fixed.number(1, 1, number(value).unwrap_or(0)),
            "Record Identifier" => match value.parse::<Guid>() {
                Ok(id) => self.fixed.put(16, &id.bytes()),
                Err(_) => self.fixed.number(8, 8, hex_number(value).unwrap_or(0)),
            },
            _ => {}
        }
    }

    /// The type of the section, the name of the part, and the bytes.
    pub(super) fn finish(mut self) -> (Guid, Option<String>, Vec<u8>) {
        let size = match self.kind {
            guids::MEMORY => 80,
            guids::PROCESSOR => 192,
            guids::PCIE => 208,
            guids::PROCESSOR_X86 => 64,
            guids::PROCESSOR_ARM => 40,
            guids::CXL_PROTOCOL => self.cxl_size(),
            // The data follows what the revision has (see `FirmwareRecord`).
            guids::FIRMWARE => match self.fixed.0.get(1) {
                Some(0) | None => 16,
                Some(1) => 8,
                Some(_) => 32,
            },
            _ => 0,
        };
        self.fixed.0.resize(size, 0);
        match self.kind {
            guids::PROCESSOR_X86 => self.finish_x86(),
            guids::PROCESSOR_ARM => self.finish_arm(),
            _ => self.fixed.0.append(&mut self.data.0),
        }
        (self.kind, self.part, self.fixed.0)
    }

    fn cxl_size(&mut self) -> usize {
        if self.fixed.0.len() <= 116 {
            return 116;
        }
        self.fixed.number(110, 2, 88);
        116 + 88
    }

    fn finish_x86(&mut self) {
        let cpuid = std::mem::take(&mut self.data.0);
        self.fixed.put(16, cpuid.get(..48).unwrap_or(&cpuid));
        let valid = u64::from(self.fixed.0.first().copied().unwrap_or(0) & 3);
        let counts = (self.infos.len() as u64) << 2 | (self.contexts.len() as u64) << 8;
        self.fixed.number(0, 8, valid | counts);
        for context in &mut self.contexts {
            let registers = context.0.len().saturating_sub(16);
            context.number(2, 2, registers as u64);
        }
        self.append_parts();
    }

    fn finish_arm(&mut self) {
        for info in &mut self.infos {
            info.number(1, 1, 32);
        }
        for context in &mut self.contexts {
            let registers = context.0.len().saturating_sub(8);
            context.number(4, 4, registers as u64);
        }
        self.fixed.number(4, 2, self.infos.len() as u64);
        self.fixed.number(6, 2, self.contexts.len() as u64);
        self.append_parts();
        self.fixed.0.append(&mut self.data.0);
        let length = self.fixed.0.len() as u64;
        self.fixed.number(8, 4, length);
    }

    fn append_parts(&mut self) {
        for part in self.infos.iter_mut().chain(&mut self.contexts) {
            self.fixed.0.append(&mut part.0);
        }
    }
}
