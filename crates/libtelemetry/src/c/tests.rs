use std::ffi::CString;
use std::ptr::null_mut;

use super::*;

/// A record that frees itself.
struct Made(*mut TelemRef);

impl Made {
    fn new(severity: u32, classification: &str) -> Result<Self, c_int> {
        let classification = CString::new(classification).unwrap();
        let mut reference = null_mut();
        // SAFETY: both outlive the call.
        match unsafe { tm_create_record(&raw mut reference, severity, classification.as_ptr(), 5) } {
            0 => Ok(Self(reference)),
            error => Err(error),
        }
    }

    fn set_payload(&self, payload: &[u8]) -> c_int {
        let payload = CString::new(payload).unwrap();
        // SAFETY: both outlive the call.
        unsafe { tm_set_payload(self.0, payload.as_ptr()) }
    }

    fn set_event_id(&self, id: &str) -> c_int {
        let id = CString::new(id).unwrap();
        // SAFETY: both outlive the call.
        unsafe { tm_set_event_id(self.0, id.as_ptr()) }
    }

    fn record(&self) -> Record {
        // SAFETY: it is not freed yet.
        let record = unsafe { record(self.0) }.unwrap();
        record.0.lock().unwrap().clone()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // SAFETY: it is of `tm_create_record`, and freed once.
        unsafe { tm_free_record(self.0) }
    }
}

const EINVAL: c_int = -22;

#[test]
fn severities_are_clamped_and_classifications_checked() {
    for (severity, expected) in [(0, 1), (1, 1), (2, 2), (3, 3), (4, 4), (9, 4), (u32::MAX, 4)] {
        let made = Made::new(severity, "a/b/c").unwrap();
        assert_eq!(made.record().0.severity, expected);
        assert_eq!(made.record().0.payload_version, 5);
    }
    for wrong in ["", "a", "a/b", "a/b/c/d", "a//c", "a b/c/d"] {
        assert_eq!(Made::new(1, wrong).err(), Some(EINVAL), "{wrong}");
    }
}

#[test]
fn a_payload_is_text_and_cut_between_characters() {
    let made = Made::new(1, "a/b/c").unwrap();
    assert_eq!(made.set_payload("tab\t, line\n, grüß".as_bytes()), 0);
    assert_eq!(made.record().0.payload, "tab\t, line\n, grüß");
    for wrong in [&b"\x1b[31mred"[..], b"\xff\xfe", b"bell\x07"] {
        assert_eq!(made.set_payload(wrong), EINVAL);
    }
    assert_eq!(made.record().0.payload, "tab\t, line\n, grüß");
    let long = "x".repeat(CUSTOM_PAYLOAD_BYTES - 1) + "ü";
    assert_eq!(made.set_payload(long.as_bytes()), 0);
    assert_eq!(made.record().0.payload.len(), CUSTOM_PAYLOAD_BYTES - 1);
}

#[test]
fn an_event_id_has_32_digits_and_a_wrong_one_is_minus_1() {
    let made = Made::new(1, "a/b/c").unwrap();
    let id = "0123456789abcdef0123456789abcdef";
    assert_eq!(made.set_event_id(id), 0);
    for wrong in ["", "0123", &id.to_uppercase(), &format!("{id}0")] {
        assert_eq!(made.set_event_id(wrong), -1, "{wrong}");
    }
    assert_eq!(made.record().0.event_id, id);
}

#[test]
fn null_is_an_error_and_freeing_it_nothing() {
    let made = Made::new(1, "a/b/c").unwrap();
    let mut reference = null_mut();
    // SAFETY: null is allowed everywhere.
    unsafe {
        assert_eq!(tm_create_record(null_mut(), 1, c"a/b/c".as_ptr(), 1), EINVAL);
        assert_eq!(tm_create_record(&raw mut reference, 1, null_mut(), 1), EINVAL);
        assert_eq!(tm_set_payload(null_mut(), c"x".as_ptr()), EINVAL);
        assert_eq!(tm_set_payload(made.0, null_mut()), EINVAL);
        assert_eq!(tm_set_event_id(null_mut(), null_mut()), -1);
        assert_eq!(tm_send_record(null_mut()), EINVAL);
        assert_eq!(tm_set_config_file(null_mut()), EINVAL);
        tm_free_record(null_mut());
    }
}

#[test]
fn a_configuration_file_is_absolute_regular_and_readable() {
    let dir = tempfile::tempdir().unwrap();
    let set = |path: &Path| {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: it outlives the call.
        unsafe { tm_set_config_file(path.as_ptr()) }
    };
    assert_eq!(set(Path::new("telemd.toml")), EINVAL);
    assert_eq!(set(dir.path()), EINVAL);
    assert_eq!(set(&dir.path().join("none.toml")), -Errno::NOENT.raw_os_error());
    let broken = dir.path().join("broken.toml");
    std::fs::write(&broken, "socket_path = ").unwrap();
    assert_eq!(set(&broken), EINVAL);

    // One test: the file is chosen for the whole process.
    let good = dir.path().join("good.toml");
    let opt_in = dir.path().join("opt-in");
    let text = format!(
        "opt_in_file = {:?}\nsocket_path = {:?}\n",
        opt_in.display().to_string(),
        dir.path().join("socket").display().to_string()
    );
    std::fs::write(&good, text).unwrap();
    assert_eq!(set(&good), 0);
    assert_eq!(tm_is_opted_in(), 0);
    let made = Made::new(1, "a/b/c").unwrap();
    // SAFETY: it is not freed yet.
    let send = || unsafe { tm_send_record(made.0) };
    assert_eq!(send(), -Errno::CONNREFUSED.raw_os_error());
    std::fs::write(&opt_in, "").unwrap();
    assert_eq!(tm_is_opted_in(), 1);
    assert_eq!(send(), -Errno::NOENT.raw_os_error());
}
