use super::*;
use crate::pstore::DumpReason;

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn everything_a_host_keeps_is_read_and_only_pstore_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let places = Places {
        root: root.to_owned(),
        pstore: root.join("sys/fs/pstore"),
    };
    assert_eq!(read(&places, ""), Past::default());
    put(root, "sys/fs/pstore/dmesg-erst-1", b"Panic#1 Part1\nx\n");
    put(root, "sys/fs/pstore/dmesg-efi_pstore-2.enc.z", b"lzo");
    put(root, "sys/fs/pstore/mce-erst-3", &[0; 128]);
    put(
        root,
        "var/lib/systemd/pstore/dmesg-ramoops-0",
        b"Oops#1 Part1\ny\n",
    );
    put(root, "var/crash/1/vmcore-dmesg.txt", b"[    1.0] z\n");
    put(root, "sys/firmware/acpi/tables/data/BERT", &[7; 20]);
    put(root, "sys/class/watchdog/watchdog0/bootstatus", b"32\n");
    put(root, "sys/module/pstore/parameters/backend", b"erst\n");
    put(root, "var/log/kern.log", b"k\n");
    let past = read(&places, "");
    let reason = |origin| {
        let found = past.dumps.iter().find(|dump| dump.origin == origin);
        found.map(|dump| &dump.reason)
    };
    assert_eq!(past.dumps.len(), 3);
    assert_eq!(reason(Origin::Pstore), Some(&DumpReason::Panic));
    assert_eq!(reason(Origin::Copy), Some(&DumpReason::Oops));
    assert_eq!(reason(Origin::Kdump), Some(&DumpReason::Panic));
    assert_eq!(past.machine_checks.len(), 1);
    assert_eq!(past.bert, [7; 20]);
    assert_eq!(past.watchdogs.len(), 1);
    assert_eq!(past.syslog, b"k\n");
    assert!(past.keeps_dumps);
    let unreadable: Vec<_> = past
        .unreadable
        .iter()
        .map(|file| file.path.file_name().unwrap())
        .collect();
    assert_eq!(unreadable, ["dmesg-efi_pstore-2.enc.z"]);

    let (of_pstore, of_others): (Vec<_>, Vec<_>) =
        past.dumps.iter().partition(|dump| dump.origin == Origin::Pstore);
    clear(&places, &of_pstore[0].files).unwrap();
    for dump in &of_others {
        clear(&places, &dump.files).unwrap_err();
    }
    let left = read(&places, "");
    assert_eq!(left.dumps.iter().collect::<Vec<_>>(), of_others);
}

#[test]
fn the_newest_dumps_are_read_when_there_is_no_room_for_all() {
    let dump = |written_unix_ns, bytes| Dump {
        origin: Origin::Kdump,
        reason: DumpReason::Panic,
        number: None,
        text: "x".repeat(bytes),
        written_unix_ns,
        files: vec![format!("/{written_unix_ns}").into()],
    };
    let mut past = Past::default();
    past.keep_newest(vec![dump(3, 2 << 20), dump(1, 1 << 20), dump(2, 3 << 20)]);
    let times: Vec<_> = past.dumps.iter().map(|dump| dump.written_unix_ns).collect();
    assert_eq!(times, [2, 3]);
    assert_eq!(past.unreadable[0].path, Path::new("/1"));
}

#[test]
fn what_cannot_be_read_is_told_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "sys/fs/pstore", b"no folder");
    fs::create_dir_all(root.join("var/log/wtmp")).unwrap();
    let places = Places {
        root: root.to_owned(),
        pstore: root.join("sys/fs/pstore"),
    };
    let past = read(&places, "");
    assert_eq!(past.unreadable.len(), 2, "{past:?}");
    assert!(past.unreadable[0].reason.starts_with("list "), "{past:?}");
}
