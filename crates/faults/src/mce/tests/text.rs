use super::*;

/// From a guest with Linux 6.12 into which `mce-inject` put a corrected error.
const CORRECTED: &str = "\
[   11.437066] mce: [Hardware Error]: Machine check events logged
[   11.437066] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: 9c00400001010091
[   11.437068] mce: [Hardware Error]: TSC 2a1cd553c ADDR 12345000 MISC 8c \n\
[   11.437070] mce: [Hardware Error]: PROCESSOR 2:60fb1 TIME 1795475774 SOCKET 0 APIC 0 microcode 1000065
";

const FATAL: &str = "\
mce: [Hardware Error]: CPU 2: Machine Check Exception: 5 Bank 4: be00000000800400
mce: [Hardware Error]: RIP !INEXACT! 10:<ffffffff81c2f6e4> {default_idle+0x14/0x20}
mce: [Hardware Error]: TSC 1f2e3d4c5b PPIN 31c5f52b1f7a5ab2 
mce: [Hardware Error]: PROCESSOR 0:50657 TIME 1716888888 SOCKET 1 APIC 40 microcode 5003102
mce: [Hardware Error]: Run the above through 'mcelog --ascii'
mce: [Hardware Error]: Machine check: Processor context corrupt
Kernel panic - not syncing: Fatal machine check
";

#[test]
fn printed_machine_checks_are_reports() {
    let report = crate::parse(CORRECTED).unwrap();
    assert_eq!(report.kind, crate::ReportKind::MachineCheck);
    assert_eq!(
        report.title,
        "machine check: northbridge: link CRC error (corrected)"
    );
    assert_eq!(report.severity, Severity::Low);
}

#[test]
fn every_line_of_the_kernel_is_read() {
    let [check] = read_text(CORRECTED)[..] else {
        panic!()
    };
    let expected = MachineCheck {
        status: 0x9c00_4000_0101_0091,
        addr: 0x1234_5000,
        misc: 0x8c,
        tsc: 0x2_a1cd_553c,
        bank: 4,
        vendor: 2,
        cpuid: 0x60fb1,
        time: 1_795_475_774,
        microcode: 0x0100_0065,
        ..MachineCheck::default()
    };
    assert_eq!(check, expected);
    let [check] = read_text(FATAL)[..] else { panic!() };
    assert_eq!((check.cpu, check.bank, check.mcg_status), (2, 4, 5));
    assert_eq!(
        (check.ip, check.ppin),
        (0xffff_ffff_81c2_f6e4, 0x31c5_f52b_1f7a_5ab2)
    );
    assert_eq!((check.socket_id, check.apic_id), (1, 0x40));
    assert_eq!(
        check.decode().title,
        "machine check: power control unit (PCU): internal timer error (fatal)"
    );
}

#[test]
fn several_machine_checks_are_read_one_by_one() {
    let text = format!("{CORRECTED}{FATAL}unrelated: ADDR 77\n{CORRECTED}");
    let banks: Vec<(u8, u64)> = read_text(&text)
        .iter()
        .map(|check| (check.bank, check.addr))
        .collect();
    assert_eq!(banks, [(4, 0x1234_5000), (4, 0), (4, 0x1234_5000)]);
}

#[test]
fn zens_registers_are_read() {
    let text = "[Hardware Error]: CPU 9: Machine Check: 0 Bank 21: 9c2041000000011b\n\
                [Hardware Error]: TSC 0 ADDR 1ff SYND 2a000002 SYND1 43305f30 SYND2 5a IPID 9600250f00 \n\
                [Hardware Error]: PROCESSOR 2:a10f11 TIME 1 SOCKET 0 APIC 12 microcode a10113e\n";
    let [check] = read_text(text)[..] else { panic!() };
    assert_eq!(
        (check.synd, check.synd1, check.synd2),
        (0x2a00_0002, 0x4330_5f30, 0x5a)
    );
    assert_eq!(
        check.decode().what,
        "memory controller, channel 2: DRAM ECC error"
    );
}

#[test]
fn amds_own_words_are_read() {
    let text = "\
[Hardware Error]: Deferred error, no action required.
[Hardware Error]: CPU:2 (19:11:1) MC21_STATUS[-|-|MiscV|AddrV|-|TCC|SyndV|UECC|Deferred|-|-]: 0x9ca030000000011b
[Hardware Error]: Error Addr: 0x0000000012345fc0
[Hardware Error]: PPIN: 0x02b6c1a2d3e4f506
[Hardware Error]: IPID: 0x0000009600250f00, Syndrome: 0x0000000a2a000002
[Hardware Error]: FRU Text: P0_CHANNEL_C
[Hardware Error]: Unified Memory Controller Ext. Error Code: 0
[Hardware Error]: cache level: L3/GEN, tx: GEN, mem-tx: RD
";
    let [check] = read_text(text)[..] else { panic!() };
    assert_eq!(
        (check.cpu, check.bank, check.vendor, check.cpuid),
        (2, 21, 2, GENOA)
    );
    assert_eq!((check.addr, check.ppin), (0x1234_5fc0, 0x02b6_c1a2_d3e4_f506));
    let decoded = check.decode();
    assert_eq!(
        decoded.title,
        "machine check: memory controller, channel 2: DRAM ECC error (deferred)"
    );
    assert_eq!(decoded.place.fru.as_deref(), Some("P0_CHANNEL_C"));
    // Kernels before 4.12 named the register.
    let old = "[Hardware Error]: CPU:3\tMC4_STATUS[-|CE|MiscV|-|AddrV|CECC]: 0x9c2040000008 0813\n\
               [Hardware Error]: CPU:3\tMC4_STATUS[-|CE|MiscV|-|AddrV|CECC]: 0x9c20400000080813\n\
               [Hardware Error]: \tMC4_ADDR: 0x0000000012345678\n";
    let checks = read_text(old);
    assert_eq!(
        checks.last().map(|check| (check.cpu, check.bank, check.addr)),
        Some((3, 4, 0x1234_5678))
    );
}

#[test]
fn one_error_in_both_forms_is_one() {
    let text = "\
mce: [Hardware Error]: CPU 2: Machine Check Exception: 4 Bank 5: bea0000000000108
mce: [Hardware Error]: PROCESSOR 2:a10f11 TIME 1 SOCKET 0 APIC 4 microcode a10113e
[Hardware Error]: System Fatal error.
[Hardware Error]: CPU:2 (19:11:1) MC5_STATUS[-|UE|MiscV|AddrV|PCC|TCC|SyndV|-|-|-]: 0xbea0000000000108
[Hardware Error]: IPID: 0x000500b000000000, Syndrome: 0x000000004d000000
";
    let [check] = read_text(text)[..] else { panic!() };
    assert_eq!(
        check.decode().what,
        "execution unit: watchdog timeout: no instruction retired"
    );
}

#[test]
fn what_edac_and_mcelog_print_is_read() {
    let edac = "\
EDAC skx MC1: HANDLING MCE MEMORY ERROR
EDAC skx MC1: CPU 20: Machine Check Event: 0x0 Bank 13: 0x8c00004000800091
EDAC skx MC1: TSC 0x5d1f6b1b
EDAC skx MC1: ADDR 0x2345678040
EDAC skx MC1: MISC 0x200401c089801086
EDAC skx MC1: PROCESSOR 0:0x50657 TIME 1716888888 SOCKET 1 APIC 0x40
";
    let [check] = read_text(edac)[..] else { panic!() };
    assert_eq!((check.cpu, check.bank, check.addr), (20, 13, 0x23_4567_8040));
    assert_eq!((check.cpuid, check.apic_id, check.socket_id), (SKYLAKE, 0x40, 1));
    let mcelog = "\
Hardware event. This is not a software error.
MCE 0
CPU 1 BANK 8 TSC 1c2d3e4f
MISC 90000042 ADDR 1234000
TIME 1716888888 Tue May 28 09:34:48 2024
STATUS 8c0000400001009f MCGSTATUS 0
MCGCAP 1c09 APICID 2 SOCKETID 0
CPUID Vendor Intel Family 6 Model 26 Step 5
";
    let [check] = read_text(mcelog)[..] else { panic!() };
    assert_eq!(
        (check.cpuid, check.mcg_cap, check.time),
        (0x106a5, 0x1c09, 1_716_888_888)
    );
    assert_eq!(
        check.decode().what,
        "memory controller read error, channel not specified: ECC error at a read"
    );
}

#[test]
fn a_storm_is_cut_off() {
    let text = "CPU 0: Machine Check: 0 Bank 4: 9c00400001010091\n".repeat(TEXT_CHECKS_MAX + 9);
    assert_eq!(read_text(&text).len(), TEXT_CHECKS_MAX);
}

#[test]
fn a_panic_is_named_after_the_worst_of_its_machine_checks() {
    let text = format!("mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 7: 8c00004000010091\n{FATAL}");
    let report = crate::parse(&text).unwrap();
    assert_eq!(
        report.title,
        "machine check: power control unit (PCU): internal timer error (fatal)"
    );
    assert_eq!(report.severity, Severity::Critical);
}
