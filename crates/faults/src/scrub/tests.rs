mod properties;

use super::*;
use crate::fingerprint::of_report;
use crate::{KernelReport, reports};
use std::path::Path;
use std::sync::LazyLock;

const KEY: &[u8] = b"0123456789abcdef";

fn scrubber(action: Action) -> Scrubber {
    let hosts = ["db-7.example".to_owned(), "Kiste".to_owned()];
    Scrubber::new(&Policy::all(action).key(KEY).hosts(hosts)).unwrap()
}

static ALL: LazyLock<[Scrubber; 3]> =
    LazyLock::new(|| [Action::Replace, Action::Mask, Action::Hash].map(scrubber));

fn replaced(text: &str) -> String {
    ALL[0].text(text).text
}

/// Logs of guests.
static SAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned())
        .collect()
});

fn parsed(text: &str) -> Vec<KernelReport> {
    reports(text.as_bytes())
        .into_iter()
        .map(|found| found.report)
        .collect()
}

fn assert_replaced(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(replaced(text), *expected, "{text}");
    }
}

#[test]
fn addresses_in_memory() {
    assert_replaced(&[
        (
            "at addr ffff888012345678 by task",
            "at addr 0add000000000000 by task",
        ),
        (
            "RSP: 0018:ff62a9f88044ba10 EFLAGS: 00000246",
            "RSP: 0018:0add000000000000 EFLAGS: 00000246",
        ),
        (
            "RSP: 002b:00007ffe6d891038 ORIG_RAX: 0000000000000001",
            "RSP: 002b:0add000000000000 ORIG_RAX: 0000000000000001",
        ),
        (
            "CR2: ffffffffc0539ffb CR3: 000000000214c000 CR4: 0000000000751ee0",
            "CR2: 0add000000000000 CR3: 0add000000000000 CR4: 0000000000751ee0",
        ),
        ("RIP: 0010:0xffffffffc0539ffb", "RIP: 0010:0x0add000000000000"),
        (
            " [<ffffffff81c2a3a2>] ? foo+0x12/0x20 [mod]",
            " [<0add000000000000>] ? foo+0x12/0x20 [mod]",
        ),
        (
            "[c000000002] [c000000001234567] die+0x1/0x2",
            "[c000000002] [0add000000000000] die+0x1/0x2",
        ),
        (
            "x29: ffff800011223344 x28: 0000000000000000",
            "x29: 0add000000000000 x28: 0000000000000000",
        ),
        (
            "page:00000000abcdef12 refcount:1",
            "page:0add000000000000 refcount:1",
        ),
        ("segfault at 0x7f0123456789 ip", "segfault at 0x0add00000000 ip"),
        (
            "EIP: c01234ab r10: c0123456 [<c0a8b0c1>] (f)",
            "EIP: 0add0000 r10: 0add0000 [<0add0000>] (f)",
        ),
    ]);
    for kept in [
        "func+0x1f/0x40",
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "RAX: ffffffffffffffda RBX: 0000000000000001",
        "0xdead000000000122",
        "CR0: 0000000080050033",
        "idle=faac/1/0x4000000000000000",
        "Code: c0123456 (e5801000)",
        "[    1.0] mce: [Hardware Error]: IPID 0000009600950f00",
        "commit deadbeefcafe",
        "Machine Check: 0 Bank 4: be00000000800400",
        "error_code(0x0002)",
        "raw: 00fff00000000200",
        "mode:0xcc0(GFP_KERNEL)",
        "[ffff800000000000-",
    ] {
        assert_eq!(replaced(kept), kept);
    }
}

#[test]
fn addresses_in_networks() {
    assert_replaced(&[
        ("eth0: 52:54:00:12:34:56, up", "eth0: <mac>, up"),
        ("MAC:52-54-00-12-34-56:", "MAC:<mac>:"),
        ("from 192.0.2.7:443 to 10.0.0.1/24.", "from <ip>:443 to <ip>/24."),
        (
            "[2001:db8::1]:80 fe80::5054:ff:fe12:3456%eth0 fd00::1: ok",
            "[<ip>]:80 <ip>%eth0 <ip>: ok",
        ),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "<ip>"),
        ("::ffff:192.0.2.7 and ::1", "<ip> and <ip>"),
        (
            "nfs: server 198.51.100.3 not responding",
            "nfs: server <ip> not responding",
        ),
    ]);
    for kept in [
        "6.1.0.12-generic",
        "Linux version 6.1.0.12 (gcc 12.2.0)",
        "Not tainted 6.1.0.12 #1",
        "firmware 1.2.3.4",
        "v1.2.3.4",
        "0000:00:1f.2",
        "pcieport 0000:00:1c.0: AER",
        "02:54:00",
        "2026-11-24T02:54:00.123456+00:00 up",
        "BUG: KASAN: x in f::g",
        "core::fmt::write",
        "a::b+0x1/0x2",
        "abc::1",
        "std::vec",
        "usb 1-1.2.3.4:1.0",
        "0.0.0.0",
        "1.2.3.4.5",
        "256.1.1.1",
        "12:34:56:78",
        "fb fb fb",
        "dead::beef",
    ] {
        assert_eq!(replaced(kept), kept);
    }
}

#[test]
fn names_of_people_hosts_and_files() {
    assert_replaced(&[
        (
            "Nov 24 02:54:00 anna-pc kernel: [    1.0] x",
            "Nov 24 02:54:00 <host> kernel: [    1.0] x",
        ),
        (
            "<4>Nov  4 02:54:00 anna-pc kernel: x",
            "<4>Nov  4 02:54:00 <host> kernel: x",
        ),
        (
            "2026-11-24T02:54:00.123456+00:00 anna-pc kernel: x",
            "2026-11-24T02:54:00.123456+00:00 <host> kernel: x",
        ),
        ("connected to DB-7.example.", "connected to <host>."),
        (
            "at /home/alice/src/a.c:12 f+0x1/0x2",
            "at /home/<user>/src/a.c:12 f+0x1/0x2",
        ),
        (
            "/Users/bob /root/x /media/eve/USB",
            "/Users/<user> /root/x /media/<user>/USB",
        ),
        (
            "EXT4-fs error (device sda1): ext4_lookup:12: inode #2: comm ls: path /srv/plan.txt: bad",
            "EXT4-fs error (device sda1): ext4_lookup:12: inode #2: comm ls: path <file>: bad",
        ),
        (
            "EXT4-fs warning (device sda1): couldn't read 'a b', name plan.txt",
            "EXT4-fs warning (device sda1): couldn't read '<file>', name <file>",
        ),
        (
            "[    0.0] Kernel command line: root=/dev/sda1 secret=1",
            "[    0.0] Kernel command line: <cmdline>",
        ),
        (
            "audit: proctitle=2F62696E cmdline=x",
            "audit: proctitle=<cmdline>",
        ),
        ("cmdline=ffff888012345678", "cmdline=<cmdline>"),
    ]);
    for kept in [
        "Nov 24 02:54:00 is a time",
        "Nov 24 kernel: x",
        "Kistenware",
        "in drivers/media/common/v4l2.c",
        "BTRFS: device fsid 1 devid 1 transid 8 /dev/loop3 scanned by",
        "kiste+0x1/0x2",
        "at a.c:12 'x' name y",
        "EXT4-fs (sda1): mounted filesystem",
        "cmdline",
    ] {
        assert_eq!(replaced(kept), kept);
    }
}

#[test]
fn marks_of_people_and_machines() {
    assert_replaced(&[
        ("peer 192.0.2.7.52:54:00:12:34:56 down", "peer <ip>.<mac> down"),
        ("hw 0a:0a:02:02:02:0a:fe80::1 up", "hw <mac>:<ip> up"),
        ("(alice.b+x@mail.example.com) (gcc", "(<email>) (gcc"),
        (
            "mail ann.lee@relay.host1@mail.example today",
            "mail <email> today",
        ),
        (
            "usb 1-1: SerialNumber: 4C530001230515113563",
            "usb 1-1: SerialNumber: <serial>",
        ),
        (
            "DIMM A1 Serial Number: 1A2B3C4D, S/N: XY-12/34.",
            "DIMM A1 Serial Number: <serial>, S/N: <serial>.",
        ),
        (
            "PROCESSOR 0:a0671 TIME 1 SOCKET 0 APIC 0 PPIN 1234abcd5678",
            "PROCESSOR 0:a0671 TIME 1 SOCKET 0 APIC 0 PPIN <serial>",
        ),
        (
            "mounted filesystem 1f92b3eb-84cc-4f7e-9c3e-27ce49fe529a r/w",
            "mounted filesystem <serial> r/w",
        ),
        (
            "ID_SERIAL_SHORT=S4EVNX0M, wwn-0x5000c500a1b2c3d4",
            "ID_SERIAL_SHORT=<serial>, wwn-0x<serial>",
        ),
        ("wwn-0xffff888012345678", "wwn-0x<serial>"),
        ("sn=ABCDEF", "sn=<serial>"),
    ]);
    for kept in [
        "getty@tty1.service",
        "memcpy@@GLIBC_2.14",
        "a@b",
        "@",
        "New USB device strings: Mfr=1, Product=2, SerialNumber=3",
        "serial8250: ttyS0 at I/O",
        "asn: 12345",
        "rcu: 1-....: (993 ticks",
        "Serial bus multi instantiate",
    ] {
        assert_eq!(replaced(kept), kept);
    }
}

#[test]
fn equal_values_stay_equal_under_one_key_only() {
    let one = ALL[2]
        .text("192.0.2.7 192.0.2.8 192.0.2.7 ffff888012345678 0xFFFF888012345678")
        .text;
    let words: Vec<&str> = one.split(' ').collect();
    assert_eq!(words[0], words[2]);
    assert_ne!(words[0], words[1]);
    assert_eq!(words[4], format!("0x{}", words[3]));
    assert_eq!((words[0].len(), words[3].len()), ("<ip:>".len() + 12, 16));
    let other = Scrubber::new(&Policy::all(Action::Hash).key(b"another key, as long")).unwrap();
    assert_ne!(other.text("192.0.2.7").text, words[0]);
    // HMAC-SHA256 of "ip", a zero byte and "192.0.2.7".
    assert_eq!(words[0], "<ip:d4ee43d286ce>");
}

#[test]
fn masks_keep_the_shape() {
    let masked = ALL[1].text("a@b.example 192.0.2.7 52:54:00:12:34:56 ffff888012345678 /home/élan/x");
    assert_eq!(
        masked.text,
        "x@x.xxxxxxx xxx.x.x.x xx:xx:xx:xx:xx:xx ffff000000000000 /home/xxxx/x"
    );
}

#[test]
fn a_policy_says_what_is_done() {
    let policy = Policy::default()
        .with(Rule::Ip, Action::Replace)
        .with(Rule::Mac, Action::Mask);
    let scrubbed = Scrubber::new(&policy)
        .unwrap()
        .text("52:54:00:12:34:56 192.0.2.7 a@b.example");
    assert_eq!(scrubbed.text, "xx:xx:xx:xx:xx:xx <ip> a@b.example");
    assert_eq!(
        scrubbed.counts.iter().collect::<Vec<_>>(),
        [(Rule::Mac, 1), (Rule::Ip, 1)]
    );
    assert_eq!(
        scrubbed.spans[1],
        Span {
            rule: Rule::Ip,
            before: 18..27,
            after: 18..22
        }
    );
    assert_eq!(
        [0, 18, 20, 27, 28, 100].map(|at| scrubbed.moved(at)),
        [0, 18, 18, 22, 23, 34]
    );
    let nothing = Scrubber::new(&Policy::all(Action::Replace).without(Rule::Ip)).unwrap();
    assert_eq!(nothing.text("192.0.2.7").counts.total(), 0);
    assert!(matches!(
        Scrubber::new(&Policy::all(Action::Hash)),
        Err(PolicyError::ShortKey { length: 0 })
    ));
    let many = (0..=HOSTS_MAX).map(|number| format!("host{number}"));
    assert!(matches!(
        Scrubber::new(&Policy::default().hosts(many)),
        Err(PolicyError::TooManyHosts { .. })
    ));
    assert!(!format!("{:?}", Policy::all(Action::Hash).key(b"topsecret")).contains("key"));
}

#[test]
fn reports_and_crashes_are_scrubbed_as_values() {
    for text in SAMPLES.iter() {
        for report in parsed(text) {
            let mut scrubbed = report.clone();
            let counts = ALL[0].report(&mut scrubbed);
            assert_eq!(of_report(&scrubbed), of_report(&report));
            assert_eq!(
                (&scrubbed.title, scrubbed.kind, scrubbed.registers.len()),
                (&report.title, report.kind, report.registers.len())
            );
            if report.registers.iter().any(|register| register.name == "RSP") {
                assert!(counts.of(Rule::Pointer) > 0);
                let left = scrubbed
                    .registers
                    .iter()
                    .filter(|register| register.value.contains("ffff8") || register.value.contains("ff300"));
                assert_eq!(left.count(), 0);
            }
        }
    }
    let mut crash = crate::crash::Crash {
        program: "example".to_owned(),
        frames: vec![crate::crash::CrashFrame {
            module: Some("/home/alice/bin/example".to_owned()),
            offset: Some(0x7f00_1234_5678),
            ..Default::default()
        }],
        ..Default::default()
    };
    let before = crash.fingerprints();
    assert_eq!(ALL[2].crash(&mut crash).of(Rule::User), 1);
    assert_eq!(
        (crash.fingerprints(), crash.frames[0].offset),
        (before, Some(0x7f00_1234_5678))
    );
}

#[test]
fn long_texts_take_time_in_proportion() {
    let word = "ffff888012345678 1.1.1.1.1.1. a@b.c@ ::1::1 /home//home/ SN:SN: 'EXT4-fs \" path <ip:<ip:<ip: -0-0:0:0:0:0 wwn-0x cmdline:";
    for text in [
        word.repeat(4_000),
        format!("{word}\n").repeat(4_000),
        "@".repeat(500_000),
        "EXT4-fs '".to_owned() + &"'(\"".repeat(100_000),
        ":".repeat(500_000),
        "a.".repeat(200_000) + "@",
    ] {
        ALL[2].text(&text);
    }
}
