//! The GUIDs of sections, notifications and creators (UEFI 2.11, appendix N.2; CXL 3.1, 8.2.9.2.1).

use super::Guid;

/// Processor, generic: N.2.4.1.
pub const PROCESSOR: Guid = Guid::new(0x9876ccad_47b4_4bdb_b65e_16f193c4f3db);
/// Processor, IA32 and X64: N.2.4.2.
pub const PROCESSOR_X86: Guid = Guid::new(0xdc3ea0b0_a144_4797_b95b_53fa242b6e1d);
/// Processor, ARM: N.2.4.4.
pub const PROCESSOR_ARM: Guid = Guid::new(0xe19e3d16_bc11_11e4_9caa_c2051d5d46b0);
/// Memory: N.2.5.
pub const MEMORY: Guid = Guid::new(0xa5bc1114_6f64_4ede_b863_3e83ed7c83b1);
/// Memory, second layout: N.2.6.
pub const MEMORY_2: Guid = Guid::new(0x61ec04fc_48e6_d813_25c9_8daa44750b12);
/// PCI Express: N.2.7.
pub const PCIE: Guid = Guid::new(0xd995e954_bbc1_430f_ad91_b44dcb3c6f35);
/// PCI or PCI-X bus: N.2.8.
pub const PCI_BUS: Guid = Guid::new(0xc5753963_3b84_4095_bf78_eddad3f9c9dd);
/// PCI or PCI-X device: N.2.9.
pub const PCI_DEVICE: Guid = Guid::new(0xeb5e4685_ca66_4769_b6a2_26068b001326);
/// Reference to a record of the firmware's own: N.2.10.
pub const FIRMWARE: Guid = Guid::new(0x81212a96_09ed_4996_9471_8d729c8e69ed);
/// DMA remapping, generic: N.2.11.1.
pub const DMA: Guid = Guid::new(0x5b51fef7_c79d_4434_8f1b_aa62de3e2c64);
/// DMA remapping, Intel VT-d: N.2.11.2.
pub const DMA_VTD: Guid = Guid::new(0x71761d37_32b2_45cd_a7d0_b0fedd93e8cf);
/// DMA remapping, AMD IOMMU: N.2.11.3.
pub const DMA_IOMMU: Guid = Guid::new(0x036f84e1_7f37_428c_a79e_575fdfaa84ec);
/// CCIX protocol: N.2.12.
pub const CCIX: Guid = Guid::new(0x91335ef6_ebfb_4478_a6a6_88b728cf75d7);
/// CXL protocol: N.2.13.
pub const CXL_PROTOCOL: Guid = Guid::new(0x80b9efb4_52b5_4de3_a777_68784b771048);
/// CXL general media event.
pub const CXL_MEDIA: Guid = Guid::new(0xfbcd0a77_c260_417f_85a9_088b1621eba6);
/// CXL DRAM event.
pub const CXL_DRAM: Guid = Guid::new(0x601dcbb3_9c06_4eab_b8af_4e9bfb5c9624);
/// CXL memory module event.
pub const CXL_MODULE: Guid = Guid::new(0xfe927475_dd59_4339_a586_79bab113b774);
/// Poisoned memory of a replaceable unit: N.2.15.
pub const MEMORY_POISON: Guid = Guid::new(0x5e4706c1_5356_48c6_930b_52f2120a4458);

/// A kernel log that Linux wrote into the record store (`drivers/acpi/apei/erst.c`).
pub const LINUX_LOG: Guid = Guid::new(0xc197e04e_d545_4a70_9c17_a5549419eb12);
/// A compressed kernel log that Linux wrote into the record store.
pub const LINUX_LOG_COMPRESSED: Guid = Guid::new(0x4f118707_04dd_4055_b5dd_956d34ddfac6);
/// A `struct mce` that Linux wrote into the record store.
pub const LINUX_MCE: Guid = Guid::new(0xfe08ffbe_95e4_4be7_bc73_4096044a38fc);

/// Section types that are named and kept as bytes.
const NAMED_ONLY: &[(Guid, &str)] = &[
    (CCIX, "CCIX protocol error"),
    (MEMORY_POISON, "poisoned memory of a unit"),
    (LINUX_LOG, "kernel log of Linux"),
    (LINUX_LOG_COMPRESSED, "compressed kernel log of Linux"),
    (LINUX_MCE, "machine check kept by Linux"),
];

/// Section types of vendors, as rasdaemon decodes them.
const VENDORS: &[(Guid, &str)] = &[
    (
        Guid::new(0xe8ed898d_df16_43cc_8ecc_54f060ef157f),
        "error of an Ampere processor",
    ),
    (
        Guid::new(0xc8b328a8_9917_4af6_9a13_2e08ab2e7586),
        "error of a HiSilicon chip",
    ),
    (
        Guid::new(0x1f8161e1_55d6_41e6_bd10_7afd1dc5f7c5),
        "error of a HiSilicon chip, type 1",
    ),
    (
        Guid::new(0x45534ea6_ce23_4115_8535_e07ab3aef91d),
        "error of a HiSilicon chip, type 2",
    ),
    (
        Guid::new(0xb2889fc9_e7d7_4f9d_a867_af42e98be772),
        "error of a HiSilicon PCIe controller",
    ),
    (
        Guid::new(0xa6980811_16ea_4e4d_b936_fb00a23ff29c),
        "error of a Yitian processor",
    ),
    (
        Guid::new(0x6d5244f2_2712_11ec_bea7_cb3fdb95c786),
        "error of an NVIDIA chip",
    ),
];

/// Who asked for a record to be made: N.2.1.1.
const NOTIFICATIONS: &[(Guid, &str)] = &[
    (
        Guid::new(0x2dce8bb1_bdd7_450e_b9ad_9cf4ebd4f890),
        "corrected machine check",
    ),
    (
        Guid::new(0x4e292f96_d843_4a55_a8c2_d481f27ebeee),
        "corrected platform error",
    ),
    (Guid::new(0xe8f56ffe_919c_4cc5_ba88_65abe14913bb), "machine check"),
    (
        Guid::new(0xcf93c01f_1a16_4dfc_b8bc_9c4daf67c104),
        "PCI Express error",
    ),
    (Guid::new(0xcc5263e8_9308_454a_89d0_340bd39bc98e), "INIT"),
    (
        Guid::new(0x5bad89ff_b7e6_42c9_814a_cf2485d6e98a),
        "non-maskable interrupt",
    ),
    (Guid::new(0x3d61a466_ab40_409a_a698_f362d464b38f), "boot"),
    (Guid::new(0x667dd791_c6b3_4c27_8a6b_0f8e722deb41), "DMA remapping"),
];

/// The name of a section type that is kept as bytes.
pub(super) fn named_only(kind: Guid) -> Option<&'static str> {
    let mut known = NAMED_ONLY.iter().chain(VENDORS);
    known.find(|(guid, _)| *guid == kind).map(|(_, name)| *name)
}

/// The name of a notification type.
pub(super) fn notification(kind: Guid) -> Option<&'static str> {
    NOTIFICATIONS
        .iter()
        .find(|(guid, _)| *guid == kind)
        .map(|(_, name)| *name)
}
