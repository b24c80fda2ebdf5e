//! `MSCOD`, bits 31:16 of the status: what it says depends on the processor and the bank.

use super::super::MachineCheck;
use super::super::bits::half;
use super::model::{Model, Part};
use super::tables::{link, memory, nehalem, power};

/// Words of the tables by one bit of `MSCOD`.
pub(super) type Bits = &'static [(u8, &'static str)];
/// Words of the tables by the value of a field of `MSCOD`.
pub(super) type Values = &'static [(u16, &'static str)];

/// The most words that one `MSCOD` can stand for: one a bit.
const WORDS_MAX: usize = 16;

/// What `MSCOD` says; empty when the tables do not know.
pub(super) fn words(check: &MachineCheck, model: Model, part: Option<Part>) -> Vec<&'static str> {
    let mscod = mscod(check);
    let mut words = Words(Vec::new());
    match part {
        Some(Part::PowerControl) => power(mscod, model, &mut words),
        Some(Part::Qpi | Part::Upi) => links(mscod, model, &mut words),
        Some(Part::Mesh) => mesh(mscod, model, &mut words),
        Some(Part::Controller) => controller(mscod, model, &mut words),
        None if matches!(model, Model::Nehalem | Model::NehalemEx) => old(check, model, &mut words),
        _ => {}
    }
    words.0
}

pub(super) fn mscod(check: &MachineCheck) -> u16 {
    half(check.status, 16, 31)
}

/// Collects the words.
struct Words(Vec<&'static str>);

impl Words {
    fn bits(&mut self, value: u16, table: Bits) {
        let set = table.iter().filter(|(bit, _)| value >> bit & 1 != 0);
        self.extend(set.map(|(_, words)| *words));
    }

    fn value(&mut self, value: u16, table: Values) {
        let found = table.iter().find(|(code, _)| *code == value);
        self.extend(found.map(|(_, words)| *words));
    }

    fn extend(&mut self, words: impl IntoIterator<Item = &'static str>) {
        self.0.extend(words);
        self.0.truncate(WORDS_MAX);
    }
}

fn power(mscod: u16, model: Model, words: &mut Words) {
    let (low, middle, high) = (mscod & 0xf, mscod >> 4 & 0xf, mscod >> 8);
    match model {
        Model::SandyBridge | Model::SandyBridgeEp | Model::IvyBridgeEp => {
            words.value(low, power::SANDY_BRIDGE_CONTROLLER);
            words.value(high, power::SANDY_BRIDGE);
            if model == Model::IvyBridgeEp {
                words.value(high, power::IVY_BRIDGE_MORE);
            }
        }
        Model::HaswellEp | Model::BroadwellEp => words.value(high, power::HASWELL),
        Model::BroadwellDe => {
            words.value(high, power::HASWELL);
            words.value(high, power::BROADWELL_DE_MORE);
        }
        Model::SkylakeServer => words.value(high, power::SKYLAKE),
        Model::IceLakeServer | Model::IceLakeD | Model::SnowRidge | Model::SapphireRapids => {
            words.value(high, power::ICE_LAKE);
            if (0x65..=0x7a).contains(&high) {
                words.extend(["MCA_PKGS_RESET_PREP_TIMEOUT"]);
            }
            words.value(middle, power::ICE_LAKE_DEVICE);
            words.value(low, power::ICE_LAKE_CONTROLLER);
        }
        Model::GraniteRapids => {
            words.value(mscod & 0xff, power::GRANITE_CONTROLLER);
            words.value(high, power::GRANITE);
        }
        Model::Nehalem | Model::NehalemEx | Model::Knights => {}
    }
}

fn links(mscod: u16, model: Model, words: &mut Words) {
    match model {
        Model::HaswellEp | Model::BroadwellEp => words.value(mscod, link::QPI),
        Model::SkylakeServer | Model::IceLakeServer | Model::SapphireRapids => {
            words.value(mscod & 0x3f, link::UPI);
            // The upper bits belong to this one code.
            if mscod & 0x3f == link::CONTROL_ERROR {
                words.bits(mscod, link::UPI_CONTROL);
            }
        }
        Model::GraniteRapids => {
            words.value(mscod, link::UPI);
            words.value(mscod, link::GRANITE_MORE);
        }
        _ => {}
    }
}

fn mesh(mscod: u16, model: Model, words: &mut Words) {
    match model {
        Model::SkylakeServer
        | Model::IceLakeServer
        | Model::IceLakeD
        | Model::SnowRidge
        | Model::SapphireRapids => words.bits(mscod, memory::MESH),
        Model::GraniteRapids => words.value(mscod, memory::GRANITE_MESH),
        _ => {}
    }
}

fn controller(mscod: u16, model: Model, words: &mut Words) {
    let (low, high) = (mscod & 0xff, mscod >> 8);
    match model {
        Model::SandyBridgeEp => words.bits(mscod, memory::SANDY_BRIDGE),
        Model::IvyBridgeEp | Model::BroadwellDe => {
            words.bits(mscod, memory::SANDY_BRIDGE);
            words.bits(mscod, memory::IVY_BRIDGE_MORE);
        }
        Model::HaswellEp => {
            words.bits(mscod, memory::SANDY_BRIDGE);
            words.bits(mscod, memory::IVY_BRIDGE_MORE);
            words.bits(mscod, memory::HASWELL_MORE);
        }
        Model::BroadwellEp => {
            words.bits(mscod & !memory::CORRECTED_READ, memory::SANDY_BRIDGE);
            words.bits(mscod & !memory::CORRECTED_READ, memory::IVY_BRIDGE_MORE);
            words.bits(mscod, memory::HASWELL_MORE);
        }
        Model::SkylakeServer if mscod & memory::SKYLAKE_EXTENDED != 0 => {
            words.value(mscod & !memory::SKYLAKE_EXTENDED, memory::SKYLAKE_TRANSACTIONAL);
        }
        Model::SkylakeServer => words.bits(mscod, memory::SKYLAKE),
        Model::IceLakeServer | Model::IceLakeD | Model::SnowRidge | Model::SapphireRapids => {
            if let Some((_, table)) = memory::ICE_LAKE.iter().find(|(page, _)| *page == high) {
                words.value(low, table);
            }
        }
        Model::GraniteRapids => {
            if let Some((_, table)) = memory::GRANITE.iter().find(|(page, _)| *page == high) {
                words.value(low, table);
            }
        }
        Model::Knights => words.bits(mscod, memory::KNIGHTS),
        Model::Nehalem | Model::NehalemEx | Model::SandyBridge => {}
    }
}

/// Nehalem: the code says which unit reports.
fn old(check: &MachineCheck, model: Model, words: &mut Words) {
    let (code, mscod) = (half(check.status, 0, 15) & !super::FILTERED, mscod(check));
    match code {
        0x0001 => words.value(mscod >> 8, nehalem::INTERNAL),
        0x0080..=0x00ff if model == Model::Nehalem => words.bits(mscod, nehalem::MEMORY),
        0x0800..=0x0fff if model == Model::Nehalem => words.bits(mscod, nehalem::QPI),
        _ => {}
    }
}
