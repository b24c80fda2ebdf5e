use super::*;
use proptest::prelude::*;

/// More bytes than any sentence or field has.
const WORDS_MAX: usize = 1024;
const FIELDS_MAX: usize = 96;

prop_compose! {
    fn any_check()(
        registers in prop::array::uniform8(any::<u64>()),
        more in prop::array::uniform4(any::<u64>()),
        numbers in prop::array::uniform4(any::<u32>()),
        known in prop::sample::select(vec![0u32, SKYLAKE, GENOA, BULLDOZER, 0x106a5, 0x306e4, 0x406f1, 0x606a6, 0x806f8, 0xa06d0, 0x50670]),
        vendor in prop::sample::select(vec![0u8, 2, 5, 9, 10, 255]),
        bank in any::<u8>(),
        pick in any::<bool>(),
        small in any::<bool>(),
    ) -> MachineCheck {
        // Half of the banks are those that processors have, half of the codes those that are defined.
        let mask = if small { 0xffff_ffff_ff3f_0fff } else { u64::MAX };
        MachineCheck {
            status: registers[0] & mask,
            addr: registers[1],
            misc: registers[2],
            synd: registers[3],
            ipid: registers[4],
            mcg_status: registers[5],
            mcg_cap: if pick { registers[6] } else { 0 },
            config: registers[7],
            synd1: more[0],
            synd2: more[1],
            ip: more[2],
            ppin: more[3],
            cpu: numbers[0],
            socket_id: numbers[1],
            cpuid: if pick { known } else { numbers[2] },
            microcode: numbers[3],
            bank: if small { bank % 32 } else { bank },
            vendor,
            ..MachineCheck::default()
        }
    }
}

proptest! {
    #[test]
    fn any_registers_decode(check in any_check()) {
        let decoded = check.decode();
        prop_assert!(!decoded.what.is_empty() && decoded.what.len() < WORDS_MAX);
        prop_assert!(decoded.title.starts_with("machine check: "));
        prop_assert!(decoded.fields.len() < FIELDS_MAX);
        for field in &decoded.fields {
            prop_assert!(field.value.len() < WORDS_MAX && field.meaning.len() < WORDS_MAX);
        }
        prop_assert!(decoded.place.ranks.len() <= 2);
        prop_assert!(decoded.place.fru.as_ref().is_none_or(|fru| fru.len() <= 16));
    }

    #[test]
    fn the_title_knows_no_address_cpu_or_count(check in any_check(), other in any_check()) {
        let elsewhere = MachineCheck {
            addr: other.addr,
            cpu: other.cpu,
            socket_id: other.socket_id,
            tsc: other.tsc,
            time: other.time,
            ppin: other.ppin,
            ip: other.ip,
            apic_id: other.apic_id,
            microcode: other.microcode,
            // Bits 51:38 are the count of Intel's corrected errors.
            status: if check.vendor().is_amd() { check.status } else { check.status ^ other.status & 0x3fff << 38 },
            ..check
        };
        prop_assert_eq!(check.decode().title, elsewhere.decode().title);
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,400}") {
        prop_assert!(read_text(&text).len() <= TEXT_CHECKS_MAX);
    }

    #[test]
    fn any_words_of_the_kernel_are_read(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "CPU", "0", ":", "Machine Check", "Exception", "Bank", "4:", "9c00400001010091", "\n", "[Hardware Error]:", "MC4_STATUS[",
                "]:", "0x", "TSC", "ADDR", "PROCESSOR", "2:60fb1", "(17:31:0)", "FRU Text: ", "CPUID", "Vendor", "Family", "BANK",
                "STATUS", "RIP", "10:<", ">", "é",
            ]),
            0..60,
        ),
        separator in prop::sample::select(vec![" ", ""]),
    ) {
        for check in read_text(&words.join(separator)) {
            prop_assert!(!check.decode().title.is_empty());
        }
    }

    #[test]
    fn what_is_printed_is_read_back(check in any_check()) {
        let printed = format!(
            "mce: [Hardware Error]: CPU {}: Machine Check: {:x} Bank {}: {:016x}\n\
             mce: [Hardware Error]: TSC {:x} ADDR {:x} MISC {:x} PPIN {:x} SYND {:x} SYND1 {:x} SYND2 {:x} IPID {:x} \n\
             mce: [Hardware Error]: PROCESSOR {}:{:x} TIME {} SOCKET {} APIC {:x} microcode {:x}\n",
            check.cpu, check.mcg_status, check.bank, check.status, check.tsc, check.addr, check.misc, check.ppin, check.synd,
            check.synd1, check.synd2, check.ipid, check.vendor, check.cpuid, check.time, check.socket_id, check.apic_id,
            check.microcode
        );
        let read = read_text(&printed);
        let expected = MachineCheck { mcg_cap: 0, config: 0, ip: 0, ..check };
        prop_assert_eq!(read, vec![expected]);
    }

    #[test]
    fn any_bytes_are_records_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..600), buffer in any::<bool>()) {
        if buffer && bytes.len() > 32 {
            bytes[..12].copy_from_slice(b"MACHINECHECK");
            bytes[25..28].fill(0);
        }
        if let Ok(checks) = read_records(&bytes) {
            prop_assert!(checks.len() <= RECORDS_MAX);
        }
    }
}

#[test]
fn every_code_decodes() {
    for vendor in [0, 2] {
        for cpuid in [0, SKYLAKE, GENOA, BULLDOZER, 0x106a5, 0x606a6, 0xa06d0] {
            for code in (0..=u16::MAX).step_by(7) {
                let check = MachineCheck {
                    status: 1 << 63 | u64::from(code),
                    cpuid,
                    vendor,
                    ..MachineCheck::default()
                };
                assert!(!check.decode().what.is_empty());
            }
        }
    }
}
