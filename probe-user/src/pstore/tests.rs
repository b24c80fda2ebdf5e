use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn write(dir: &Path, name: &str, text: &[u8], second: u64) {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

fn names(dump: &Dump) -> Vec<&str> {
    dump.files
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect()
}

#[test]
fn an_oops_and_the_panic_after_it_are_two_dumps() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "dmesg-ramoops-1",
        b"Panic#2 Part1\n<0>[    4.3] Kernel panic - not syncing: x\n",
        9,
    );
    write(
        dir.path(),
        "dmesg-ramoops-0",
        b"Oops#1 Part1\n<1>[    2.2] BUG: kernel NULL pointer\n",
        7,
    );
    write(dir.path(), "pmsg-ramoops-0", b"not a log", 7);
    write(dir.path(), "mce-erst-1", b"\0\x01", 7);
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    assert_eq!(dumps.len(), 2);
    assert_eq!((&dumps[0].reason, dumps[0].number), (&DumpReason::Oops, Some(1)));
    assert_eq!(dumps[0].text, "<1>[    2.2] BUG: kernel NULL pointer\n");
    assert_eq!((&dumps[1].reason, dumps[1].number), (&DumpReason::Panic, Some(2)));
    assert_eq!(names(&dumps[1]), ["dmesg-ramoops-1"]);
}

#[test]
fn parts_are_joined_oldest_text_first_whatever_their_ids_and_boots() {
    let dir = tempfile::tempdir().unwrap();
    // Two boots that each panicked first; of the second the parts were written across a second's edge.
    write(
        dir.path(),
        "dmesg-efi_pstore-176900000100001",
        b"Panic#1 Part1\nfirst boot, end\n",
        1,
    );
    write(
        dir.path(),
        "dmesg-efi_pstore-176900000102001",
        b"Panic#1 Part2\nfirst boot, start\n",
        1,
    );
    write(
        dir.path(),
        "dmesg-efi_pstore-3",
        b"Panic#1 Part1\nsecond boot, end\n",
        50,
    );
    write(
        dir.path(),
        "dmesg-efi_pstore-2",
        b"Panic#1 Part2\nsecond boot, middle\n",
        50,
    );
    write(
        dir.path(),
        "dmesg-efi_pstore-1",
        b"Panic#1 Part3\nsecond boot, start\n",
        51,
    );
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    let texts: Vec<&str> = dumps.iter().map(|dump| dump.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "first boot, start\nfirst boot, end\n",
            "second boot, start\nsecond boot, middle\nsecond boot, end\n"
        ]
    );
    assert_eq!(
        names(&dumps[1]),
        ["dmesg-efi_pstore-3", "dmesg-efi_pstore-2", "dmesg-efi_pstore-1"]
    );
}

#[test]
fn ten_parts_of_one_second_are_in_the_order_of_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    for part in 1..=11 {
        let text = format!("Oops#3 Part{part}\n{part},");
        write(
            dir.path(),
            &format!("dmesg-erst-{}", 7000 - part),
            text.as_bytes(),
            0,
        );
    }
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    assert_eq!(dumps.len(), 1);
    assert_eq!(dumps[0].text, "11,10,9,8,7,6,5,4,3,2,1,");
}

#[test]
fn what_cannot_be_read_is_no_dump_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "dmesg-erst-5.enc.z", b"\x78\x9c", 0);
    assert_eq!(read(dir.path(), Origin::Pstore).unwrap().dumps, []);
    assert!(dir.path().join("dmesg-erst-5.enc.z").exists());
}

#[test]
fn the_console_and_a_dump_without_header_are_dumps_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "console-ramoops-0",
        b"Panic#1 Part1\n[ 1.0] hello\xff\n",
        0,
    );
    write(dir.path(), "dmesg-nvram-0", b"[ 1.0] no header\n", 1);
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    assert_eq!(dumps[0].reason, DumpReason::Other("console".to_owned()));
    assert_eq!(dumps[0].text, "Panic#1 Part1\n[ 1.0] hello\u{fffd}\n");
    assert_eq!(dumps[1].reason, DumpReason::Other("unknown".to_owned()));
    assert_eq!(
        (dumps[1].number, dumps[1].text.as_str()),
        (None, "[ 1.0] no header\n")
    );
}

#[test]
fn a_missing_folder_is_no_dumps_and_a_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        read(&dir.path().join("missing"), Origin::Pstore).unwrap(),
        Found::default()
    );
    write(dir.path(), "file", b"", 0);
    assert!(matches!(
        read(&dir.path().join("file"), Origin::Pstore),
        Err(PstoreError::List { .. })
    ));
}

#[test]
fn a_removed_dump_is_gone_and_removing_it_again_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "dmesg-ramoops-0", b"Oops#1 Part1\nx\n", 0);
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    remove(dir.path(), &dumps[0].files).unwrap();
    remove(dir.path(), &dumps[0].files).unwrap();
    assert_eq!(read(dir.path(), Origin::Pstore).unwrap().dumps, []);
}

#[test]
fn of_a_dump_that_is_too_long_the_end_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for part in 1..=6 {
        let mut text = format!("Panic#1 Part{part}\n").into_bytes();
        text.resize(usize::try_from(MAX_FILE_BYTES).unwrap(), b'0' + part);
        write(dir.path(), &format!("dmesg-efi_pstore-{part}"), &text, 0);
    }
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    assert_eq!(dumps[0].files.len(), 6);
    assert!(dumps[0].text.len() <= MAX_DUMP_BYTES);
    assert!(dumps[0].text.starts_with('4') && dumps[0].text.ends_with('1'));
}

#[test]
fn of_a_file_that_is_too_long_the_header_and_the_end_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let lines = "<4>[    1.0] all is well\n".repeat(60_000) + "<0>[    2.0] Kernel panic - not syncing: x\n";
    write(dir.path(), "console-ramoops-0", lines.as_bytes(), 0);
    let headed = format!("Panic#2 Part1\n{lines}");
    write(dir.path(), "dmesg-ramoops-0", headed.as_bytes(), 1);
    let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
    assert_eq!(dumps.len(), 2);
    assert_eq!((&dumps[1].reason, dumps[1].number), (&DumpReason::Panic, Some(2)));
    for dump in dumps {
        assert_eq!(dump.text.len() as u64, MAX_FILE_BYTES);
        assert!(dump.text.ends_with("not syncing: x\n"), "{:?}", dump.reason);
    }
}

proptest! {
    #[test]
    fn any_bytes_under_any_name_are_read_without_a_panic(
        name in "(dmesg|console|x)?-?[a-z_-]{0,8}-?[0-9]{0,20}(\\.enc\\.z)?",
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            "(Panic|Oops|Emerg|)#[0-9]{0,12} Part[0-9]{0,12}\n?.{0,20}".prop_map(String::into_bytes),
        ],
    ) {
        let dir = tempfile::tempdir().unwrap();
        if !name.is_empty() && name != "-" {
            write(dir.path(), &name, &bytes, 0);
        }
        let dumps = read(dir.path(), Origin::Pstore).unwrap().dumps;
        prop_assert!(dumps.len() <= 1);
    }
}
