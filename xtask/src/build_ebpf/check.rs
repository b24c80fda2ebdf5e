//! Checking an object before it is put into place.

use anyhow::{Context as _, Result, bail, ensure};
use object::{Architecture, BinaryFormat, Object as _, ObjectSection as _};

/// The sections of the program types that `probe-user` attaches.
const PROGRAMS: [&str; 5] = ["tracepoint", "raw_tp", "tp_btf", "fentry", "kprobe"];

/// GPL-only helpers need a licence that the kernel takes for compatible.
const LICENSE: &[u8] = b"Dual MIT/GPL\0";

/// The first bytes of BTF, little-endian.
const BTF_MAGIC: &[u8] = &[0x9f, 0xeb];

/// Says what is wrong with an object, if anything.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let file = object::File::parse(bytes).context("it does not parse")?;
    ensure!(
        file.format() == BinaryFormat::Elf
            && file.architecture() == Architecture::Bpf
            && file.is_little_endian(),
        "it is not little-endian eBPF"
    );
    for name in PROGRAMS {
        let code = section(&file, name)?;
        ensure!(
            !code.is_empty() && code.len() % 8 == 0,
            "section {name} holds no whole instructions"
        );
    }
    ensure!(!section(&file, ".maps")?.is_empty(), "it has no maps");
    let license = section(&file, "license")?;
    ensure!(
        license == LICENSE,
        "its licence is {:?}",
        String::from_utf8_lossy(license)
    );
    for name in [".BTF", ".BTF.ext"] {
        ensure!(
            section(&file, name)?.starts_with(BTF_MAGIC),
            "section {name} is not BTF"
        );
    }
    Ok(())
}

fn section<'data>(file: &object::File<'data>, name: &str) -> Result<&'data [u8]> {
    let Some(section) = file.section_by_name(name) else {
        bail!("it has no section {name}");
    };
    section
        .data()
        .with_context(|| format!("section {name} is cut off"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_no_ebpf_object_is_refused() {
        let text = |bytes: &[u8]| format!("{:#}", check(bytes).unwrap_err());
        assert!(text(b"").contains("does not parse"));
        let this_program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(text(&this_program).contains("not little-endian eBPF"));
    }
}
