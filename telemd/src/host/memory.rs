//! The memory modules: by the firmware's table, else by the drivers that watch their controllers.

use std::path::Path;

use proto::limits::DIMMS;
use proto::v1::{Dimm, Host};

use super::{line, names, said, smbios};
use crate::text::cut;

/// Longest text about a memory module, bytes.
const TEXT_BYTES: usize = 64;

/// Adds the memory modules: by `table`, what `/sys/firmware/dmi/tables/DMI` holds, else by EDAC (`Documentation/driver-api/edac.rst`).
pub fn add_modules(root: &Path, table: Option<&[u8]>, host: &mut Host) {
    let memory = smbios::memory(table.unwrap_or_default(), DIMMS);
    memory.correction.clone_into(&mut host.memory_correction);
    host.dimms = memory.modules.iter().map(dimm).collect();
    if host.dimms.is_empty() {
        add_watched(root, host);
    }
}

fn dimm(module: &smbios::MemoryModule) -> Dimm {
    let text = |text: &str| cut(said(text), TEXT_BYTES).to_owned();
    Dimm {
        locator: text(&module.locator),
        bank: text(&module.bank),
        manufacturer: text(&module.manufacturer),
        part_number: text(&module.part_number),
        technology: module.technology.to_owned(),
        size_bytes: module.size_bytes,
        speed_mts: module.speed_mts,
        configured_mts: module.configured_mts,
        ranks: module.ranks,
    }
}

/// The memory modules that EDAC's drivers know, which have places and sizes, and no makers.
fn add_watched(root: &Path, host: &mut Host) {
    let controllers = root.join("sys/devices/system/edac/mc");
    for controller in names(&controllers).iter().filter(|name| name.starts_with("mc")) {
        let folder = controllers.join(controller);
        for module in names(&folder)
            .iter()
            .filter(|name| name.starts_with("dimm") || name.starts_with("rank"))
        {
            let told = |what: &str| cut(&line(&folder.join(module).join(what)), TEXT_BYTES).to_owned();
            // MiB.
            let size = told("size").parse::<u64>().unwrap_or(0);
            if size == 0 || host.dimms.len() >= DIMMS {
                continue;
            }
            if host.memory_correction.is_empty() {
                host.memory_correction = told("dimm_edac_mode");
            }
            host.dimms.push(Dimm {
                locator: told("dimm_label"),
                bank: told("dimm_location"),
                technology: told("dimm_mem_type"),
                size_bytes: size.saturating_mul(1 << 20),
                ..Dimm::default()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_host_whose_table_is_closed_tells_what_edac_knows() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sys/devices/system/edac/mc/mc0/dimm3");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [
            ("size", "16384\n"),
            ("dimm_label", "CPU_SrcID#0_MC#0_Chan#1_DIMM#0\n"),
            ("dimm_location", "channel 1 slot 0\n"),
            ("dimm_mem_type", "Registered-DDR4\n"),
            ("dimm_edac_mode", "S4ECD4ED\n"),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        let empty = folder.with_file_name("dimm4");
        fs::create_dir(&empty).unwrap();
        fs::write(empty.join("size"), "0\n").unwrap();
        let mut host = Host::default();
        add_modules(dir.path(), None, &mut host);
        assert_eq!(host.memory_correction, "S4ECD4ED");
        let dimms: Vec<_> = host
            .dimms
            .iter()
            .map(|dimm| (dimm.bank.as_str(), dimm.size_bytes))
            .collect();
        assert_eq!(dimms, [("channel 1 slot 0", 16 << 30)]);
    }
}
