//! What drivers and the firmware say about memory, PCI Express, processors and heat.

use super::NONE;

heads! {
    // drivers/edac/edac_mc.c `edac_ce_error`, `edac_ue_error`; before 3.5 `edac_mc_handle_ce` without a count.
    "EDAC MC" {
        MemoryError(Low): "EDAC MC{n}: {n} CE " => "EDAC: corrected memory error", NONE;
        MemoryError(Low): "EDAC MC{n}: CE " => "EDAC: corrected memory error", NONE;
        MemoryError: "EDAC MC{n}: {n} UE " => "EDAC: uncorrected memory error", NONE;
        MemoryError: "EDAC MC{n}: UE " => "EDAC: uncorrected memory error", NONE;
    }
    // drivers/acpi/apei/ghes.c `__ghes_print_estatus`, drivers/firmware/efi/cper.c.
    "Hardware error from APEI Generic Hardware Error Source" {
        MemoryError: "from APEI" + "section_type: memory error" => "firmware reported: memory error", NONE;
        PcieError: "from APEI" + "section_type: PCIe error" => "firmware reported: PCIe error", NONE;
        FirmwareError: "from APEI" + "section_type: {m}" => "firmware reported: {0}", NONE;
        FirmwareError: "from APEI" => "firmware reported: hardware error", NONE;
    }
    // drivers/acpi/apei/bert.c `bert_print_all`.
    "BERT: Error records from previous boot" {
        MemoryError: "BERT:" + "section_type: memory error" => "previous boot: memory error", NONE;
        PcieError: "BERT:" + "section_type: PCIe error" => "previous boot: PCIe error", NONE;
        FirmwareError: "BERT:" + "section_type: {m}" => "previous boot: {0}", NONE;
        FirmwareError: "BERT:" => "previous boot: hardware error", NONE;
    }
    // drivers/pci/pcie/aer.c `aer_print_error`; the names of severities changed from `Corrected` to `Correctable`.
    "PCIe Bus Error: severity=" {
        PcieError(Low): "severity=Correct{*}, type={*}, " + ":    [{*}] {m}" => "PCIe bus error: corrected, {1}, {3}", NONE;
        PcieError(Low): "severity=Correct{*}, type={*}, " => "PCIe bus error: corrected, {1}", NONE;
        PcieError: "severity=Uncorrect{w} (Non-Fatal), type={*}, " + ":    [{*}] {m}" => "PCIe bus error: uncorrected, {1}, {3}", NONE;
        PcieError: "severity=Uncorrect{w} (Non-Fatal), type={*}, " => "PCIe bus error: uncorrected, {1}", NONE;
        PcieError(Critical): "severity=Uncorrect{w} (Fatal), type={*}, " + ":    [{*}] {m}" => "PCIe bus error: fatal, {1}, {3}", NONE;
        PcieError(Critical): "severity=Uncorrect{w} (Fatal), type={*}, " => "PCIe bus error: fatal, {1}", NONE;
    }
    // drivers/pci/pcie/err.c `pcie_do_recovery`, drivers/pci/pcie/dpc.c `dpc_process_error`.
    "device recovery failed" {
        PcieError: "AER: device recovery failed" => "PCIe: device recovery failed", NONE;
    }
    "containment event, status:" {
        PcieError: "DPC: containment event" => "PCIe: downstream port contained", NONE;
    }
    // mm/memory-failure.c; before 4.x with `MCE 0x...`.
    "Memory failure: 0x" {
        MemoryFailure: "Memory failure: 0x{x}: recovery action for {*}: {m}" => "memory failure: {1}: {2}", NONE;
        MemoryFailure: "Memory failure: 0x{x}:" + "recovery action for {*}: {m}" => "memory failure: {1}: {2}", NONE;
        MemoryFailure: "Memory failure: 0x{x}: {m}" => "memory failure: {1}", NONE;
    }
    "MCE 0x" {
        MemoryFailure: "MCE 0x{x}: {*} recovery: {m}" => "memory failure: {1}: {2}", NONE;
        MemoryFailure: "MCE 0x{x}: {m}" => "memory failure: {1}", NONE;
    }
    "soft_offline: 0x" {
        MemoryFailure(Medium): "soft_offline: 0x{x}: {m}" => "soft offline: {1}", NONE;
    }
    "soft offline: 0x" {
        MemoryFailure(Medium): "soft offline: 0x{x}: {m}" => "soft offline: {1}", NONE;
    }
    // arch/x86/kernel/cpu/mce/core.c `kill_me_maybe`.
    "Uncorrected hardware memory error in user-access" {
        MemoryFailure: "Uncorrected hardware memory error in user-access" => "memory failure: user access", NONE;
    }
    // arch/x86/kernel/cpu/mce/therm_throt.c (drivers/thermal/intel/therm_throt.c).
    " temperature above threshold" {
        Thermal(Low): "CPU{n}: Core temperature above threshold" => "processor core too hot, throttled", NONE;
        Thermal(Low): "CPU{n}: Package temperature above threshold" => "processor package too hot, throttled", NONE;
    }
    "Temperature above threshold" {
        Thermal(Low): "CPU{n}: Temperature above threshold" => "processor too hot, throttled", NONE;
    }
    // drivers/thermal/thermal_core.c `handle_critical_trips`.
    "critical temperature reached" {
        Thermal(Critical): "critical temperature reached" => "critical temperature reached", NONE;
    }
    // drivers/edac/mce_amd.c `amd_decode_mce`, `decode_error_status`.
    "[Hardware Error]: Corrected error, no action required" {
        MachineCheck(Low): "Corrected error" + "{*} Ext. Error Code: {n}, {m}" => "machine check: corrected {2}", NONE;
        MachineCheck(Low): "Corrected error" => "machine check: corrected error", NONE;
    }
    "[Hardware Error]: Deferred error, no action required" {
        MachineCheck(Medium): "Deferred error" + "{*} Ext. Error Code: {n}, {m}" => "machine check: deferred {2}", NONE;
        MachineCheck(Medium): "Deferred error" => "machine check: deferred error", NONE;
    }
    "[Hardware Error]: Uncorrected, software " {
        MachineCheck: "Uncorrected, software" + "{*} Ext. Error Code: {n}, {m}" => "machine check: uncorrected {2}", NONE;
        MachineCheck: "Uncorrected, software" => "machine check: uncorrected error", NONE;
    }
    "[Hardware Error]: System Fatal error" {
        MachineCheck(Critical): "System Fatal error" + "{*} Ext. Error Code: {n}, {m}" => "machine check: fatal {2}", NONE;
        MachineCheck(Critical): "System Fatal error" => "machine check: fatal error", NONE;
    }
}
