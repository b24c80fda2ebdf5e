//! What `telemctl decode` says of records and registers, and that it agrees with what kernels and other decoders say.

#![expect(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::process::Output;

use common::bare::{self, file, text};
use serde_json::Value;

fn decode(args: &[&str], stdin: &[u8]) -> Output {
    bare::telemctl(&[&["decode"], args].concat(), stdin)
}

fn shown(args: &[&str], stdin: &[u8]) -> String {
    let output = decode(args, stdin);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    text(&output.stdout)
}

fn records(args: &[&str], stdin: &[u8]) -> Vec<Value> {
    let output = decode(&[&["--json"], args].concat(), stdin);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    object["records"].as_array().unwrap().clone()
}

/// An error region with a memory error and a processor error, both fatal, as a guest's firmware left it for the kernel.
/// Linux 6.12 said of it what the test compares with.
fn bert_region() -> Vec<u8> {
    let mut region = Vec::new();
    let mut put = |bytes: &[u8]| region.extend_from_slice(bytes);
    put(&0x21_u32.to_le_bytes()); // uncorrectable, two entries
    put(&[0; 8]); // no raw data
    put(&0x1a0_u32.to_le_bytes());
    put(&1_u32.to_le_bytes()); // fatal
    let fru_id = [
        0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0,
    ];
    let mut entry = |kind: [u8; 16], fru_text: &[u8], body: &[u8]| {
        put(&kind);
        put(&1_u32.to_le_bytes());
        put(&[0, 3, 3, 0]); // revision 3.0, both names of the unit are valid
        put(&u32::try_from(body.len()).unwrap().to_le_bytes());
        put(&fru_id);
        put(fru_text);
        put(&vec![0; 20 - fru_text.len() + 8]);
        put(body);
    };
    let memory = [
        0x14, 0x11, 0xbc, 0xa5, 0x64, 0x6f, 0xde, 0x4e, 0xb8, 0x63, 0x3e, 0x83, 0xed, 0x7c, 0x83, 0xb1,
    ];
    let mut body = vec![0; 80];
    body[..8].copy_from_slice(&0x437e_u64.to_le_bytes());
    body[9] = 4;
    body[16..24].copy_from_slice(&0x1_2345_6000_u64.to_le_bytes());
    body[24..32].copy_from_slice(&0xffff_ffff_ffff_f000_u64.to_le_bytes());
    for (at, value) in [
        (34, 1),
        (36, 2),
        (38, 3),
        (40, 4),
        (42, 0x55),
        (44, 0x66),
        (72, 3),
    ] {
        body[at] = value;
    }
    entry(memory, b"DIMM_A1", &body);
    let processor = [
        0xad, 0xcc, 0x76, 0x98, 0xb4, 0x47, 0xdb, 0x4b, 0xb6, 0x5e, 0x16, 0xf1, 0x93, 0xc4, 0xf3, 0xdb,
    ];
    let mut body = vec![0; 192];
    body[..2].copy_from_slice(&0x13f_u16.to_le_bytes());
    for (at, value) in [(9, 2), (10, 1), (11, 1), (12, 4), (13, 1), (152, 7)] {
        body[at] = value;
    }
    entry(processor, b"CPU0", &body);
    region.resize(4096, 0);
    region
}

#[test]
fn a_boot_error_region_says_what_the_kernel_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "BERT", &bert_region());
    let said = shown(&["bert", &path], b"");
    insta::assert_snapshot!(said);
    // The same values under the same names as the kernel's text.
    for line in [
        "fru_id 11223344-5566-7788-99aa-bbccddeeff00",
        "fru_text DIMM_A1",
        "physical_address 0x0000000123456000",
        "physical_address_mask 0xfffffffffffff000",
        "error_type 3 multi-bit ECC",
        "processor_type 0 IA32/X64",
        "processor_isa 2 X64",
        "error_type 0x01 cache error",
        "operation 1 data read",
        "flags 0x04 overflow",
        "processor_id 0x0000000000000007",
    ] {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(
            said.lines().any(|said| words(said) == words(line)),
            "{line} is not in {said}"
        );
    }
}

/// What Linux 6.12 printed of that region.
const BERT_TEXT: &str = "\
[    1.814490] BERT: Error records from previous boot:
[    1.814599] [Hardware Error]: event severity: fatal
[    1.814663] [Hardware Error]:  Error 0, type: fatal
[    1.814678] [Hardware Error]:  fru_id: 11223344-5566-7788-99aa-bbccddeeff00
[    1.814813] [Hardware Error]:  fru_text: DIMM_A1
[    1.814887] [Hardware Error]:   section_type: memory error
[    1.814946] [Hardware Error]:   physical_address: 0x0000000123456000
[    1.814963] [Hardware Error]:   physical_address_mask: 0xfffffffffffff000
[    1.815103] [Hardware Error]:   node:0 card:1 module:2 bank:3 row:85 column:102
[    1.815123] [Hardware Error]:   error_type: 3, multi-bit ECC
[    1.815199] [Hardware Error]:  Error 1, type: fatal
[    1.815204] [Hardware Error]:  fru_id: 11223344-5566-7788-99aa-bbccddeeff00
[    1.815209] [Hardware Error]:  fru_text: CPU0
[    1.815230] [Hardware Error]:   section_type: general processor error
[    1.815253] [Hardware Error]:   processor_type: 0, IA32/X64
[    1.815270] [Hardware Error]:   processor_isa: 2, X64
[    1.815282] [Hardware Error]:   error_type: 0x01
[    1.815353] [Hardware Error]:   cache error
[    1.815384] [Hardware Error]:   operation: 1, data read
[    1.815397] [Hardware Error]:   flags: 0x04
[    1.815406] [Hardware Error]:   overflow
[    1.815417] [Hardware Error]:   level: 1
[    1.815436] [Hardware Error]:   processor_id: 0x0000000000000007
[    1.815481] BERT: Total records found: 1
";

#[test]
fn text_of_a_record_says_what_its_bytes_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "BERT", &bert_region());
    assert_eq!(
        shown(&["cper"], BERT_TEXT.as_bytes()),
        shown(&["bert", &path], b"")
    );
    // And so does the report that `explain` finds in the log.
    let output = bare::telemctl(&["explain", "--json"], BERT_TEXT.as_bytes());
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let errors = object["reports"][0]["hardware_errors"].as_array().unwrap();
    let titles: Vec<_> = errors
        .iter()
        .map(|error| error["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        [
            "memory error: multi-bit ECC (fatal)",
            "processor error: cache error, data read, level 1 (fatal)"
        ]
    );
}

#[test]
fn printed_errors_of_pci_express_are_decoded() {
    let log = "[   21.1] pcieport 0000:00:1c.5: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)\n\
               [   21.1] pcieport 0000:00:1c.5:   device [8086:a115] error status/mask=00000001/00002000\n\
               [   21.1] pcieport 0000:00:1c.5:    [ 0] RxErr                  (First)\n";
    let errors = records(&["aer"], log.as_bytes());
    assert_eq!(
        errors[0]["title"],
        "PCIe error: Receiver Error on 8086:a115 (corrected)"
    );
    assert_eq!(errors[0]["place"]["pci"], "0000:00:1c.5");
}

#[test]
fn a_record_comes_as_bytes_dump_or_digits() {
    let region = &bert_region()[..0x14 + 0x1a0];
    let wanted = records(&["cper"], region);
    assert_eq!(wanted.len(), 2);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    let digits = hex(region).concat();
    let rows = |row: &dyn Fn(usize, Vec<String>) -> String| {
        let rows = region.chunks(16).enumerate();
        rows.map(|(at, bytes)| row(at * 16, hex(bytes)))
            .collect::<Vec<_>>()
            .concat()
    };
    let xxd = rows(&|at, bytes| {
        let pairs: Vec<String> = bytes.chunks(2).map(<[String]>::concat).collect();
        format!("{at:08x}: {}  ................\n", pairs.join(" "))
    });
    let hexdump = rows(&|at, bytes| format!("{at:08x}  {}  |................|\n", bytes.join(" ")));
    assert_eq!(records(&["cper", "--hex", &digits], b""), wanted);
    assert_eq!(records(&["cper", "--hex", "-"], digits.as_bytes()), wanted);
    assert_eq!(records(&["cper"], digits.as_bytes()), wanted);
    assert_eq!(records(&["cper", "-"], xxd.as_bytes()), wanted);
    assert_eq!(records(&["bert", "-"], hexdump.as_bytes()), wanted);
}

#[test]
fn of_a_damaged_record_is_shown_what_can_be_read() {
    let region = &bert_region()[..0x14 + 72 + 80 + 72 + 100];
    let output = decode(&["cper"], region);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout);
    assert!(
        said.starts_with("1. memory error: multi-bit ECC (fatal)"),
        "{said}"
    );
    assert!(text(&output.stderr).contains("bytes"), "{output:?}");
    let object: Value = serde_json::from_slice(&decode(&["cper", "--json"], region).stdout).unwrap();
    assert_eq!(object["records"].as_array().unwrap().len(), 2);
    assert!(object["error"].is_string());
}

#[test]
fn nothing_to_decode_is_said_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    for (args, stdin, code) in [
        (&["mce"][..], &b""[..], 1),
        (&["mce"], b"[    1.0] eth0: link up\n", 1),
        (&["cper"], b"", 1),
        (&["aer"], b"", 1),
        (&["bert", "/dev/null"], b"", 1),
        (&["cper", &folder], b"", 2),
        (&["mce", "/nonexistent"], b"", 2),
        (&["mce", "--status", "xyz"], b"", 64),
        (&["mce", "--bank", "1"], b"", 64),
        (&["mce", "--status", "1", "file"], b"", 64),
        (&["aer", "--correctable", "1", "--uncorrectable", "1"], b"", 64),
        (&["aer", "--uncorrectable", "4000", "--tlp", "1 2 3"], b"", 64),
        (&["cper", "--hex", "0x4"], b"", 64),
        (&["nonsense"], b"", 64),
        (&[], b"", 64),
    ] {
        let output = decode(args, stdin);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn registers_of_a_machine_check_are_decoded() {
    let intel = [
        "mce",
        "--bank",
        "7",
        "--status",
        "0x8c00004000010091",
        "--addr",
        "0x123456000",
    ];
    insta::assert_snapshot!(shown(&intel, b""));
    // (8c00004000010091 is what mcelog and rasdaemon call a corrected memory read error on channel 1.)
    let said = &records(&intel, b"")[0];
    assert_eq!(
        (said["outcome"].as_str(), said["place"]["channel"].as_u64()),
        (Some("corrected"), Some(1))
    );
    assert_eq!(said["registers"]["status"], "0x8c00004000010091");
    // Both call this one a fatal internal timer error.
    let timer = &records(&["mce", "--status", "be00000000800400"], b"")[0];
    assert_eq!(
        timer["what"].as_str().unwrap().split(':').next(),
        Some("internal timer error")
    );
    assert_eq!(
        (timer["outcome"].as_str(), timer["severity"].as_str()),
        (Some("fatal"), Some("critical"))
    );
    // The kernel of a guest whose processor is an AMD of family 15h printed this one.
    let text = "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: 9c00400001010091\n\
                mce: [Hardware Error]: TSC 2a1cd553c ADDR 12345000 MISC 8c \n\
                mce: [Hardware Error]: PROCESSOR 2:60fb1 TIME 1795475774 SOCKET 0 APIC 0 microcode 1000065\n";
    let printed = records(&["mce"], text.repeat(2).as_bytes());
    assert_eq!(printed.len(), 2);
    assert_eq!(printed[0]["registers"]["cpuid"], "0x60fb1");
    assert_eq!(printed[0]["outcome"], "corrected");
}

#[test]
fn a_machine_check_of_pstore_is_read() {
    // `struct mce` of Linux 6.18.
    let mut check = vec![0; 128];
    check[..8].copy_from_slice(&0x8c00_0040_0001_0091_u64.to_le_bytes());
    check[16..24].copy_from_slice(&0x1_2345_6000_u64.to_le_bytes());
    check[65] = 7;
    check[68] = 3;
    let said = records(&["mce"], &check);
    assert_eq!(said.len(), 1);
    assert_eq!(
        (
            said[0]["place"]["bank"].as_u64(),
            said[0]["place"]["cpu"].as_u64()
        ),
        (Some(7), Some(3))
    );
}

#[test]
fn registers_of_pci_express_are_decoded() {
    let flags = [
        "aer",
        "--uncorrectable",
        "0x4000",
        "--mask",
        "0x100000",
        "--severity",
        "0x462030",
        "--first",
        "14",
        "--device",
        "0000:01:00.0",
        "--tlp",
        "40009001 0000000f fedc0000 00000000",
    ];
    insta::assert_snapshot!(shown(&flags, b""));
    let fatal = &records(&["aer", "--uncorrectable", "0x40010"], b"")[0];
    assert_eq!(fatal["severity"], "critical");
    assert_eq!(fatal["registers"]["severity"], "fatal");
    let corrected = &records(&["aer", "--correctable", "0x40"], b"")[0];
    assert_eq!(corrected["title"], "PCIe error: Bad TLP (corrected)");
}

#[test]
fn garbage_is_survived() {
    let mix = |n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[1];
    let garbage: Vec<u8> = (0..100_000).map(mix).collect();
    for what in ["mce", "cper", "aer"] {
        for bytes in [&garbage[..], &garbage[..129], b"CPER", &[0; 64], b"\x1f\x8b\x08"] {
            let output = decode(&[what], bytes);
            assert!(matches!(output.status.code(), Some(0..=2)), "{what}: {output:?}");
        }
    }
}
