//! The C library: the functions of `include/telemetry.h`, which documents them.
//!
//! Names, arguments, results and symbol versions are those of Clear Linux's `libtelemetry.so.4` (4:1:0), so that programs
//! that were built with it run with this one. `libtelemetry.map` has the versions. No function unwinds into C, and every
//! one may be called from any thread: a record has a lock of its own, and so has the configuration file.
#![expect(
    unsafe_code,
    reason = "a C interface has pointers and symbols without mangling; nothing else here is unsafe"
)]

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use local::rules;
use proto::limits::CUSTOM_PAYLOAD_BYTES;
use rustix::io::Errno;

use crate::{Client, PlacesError, Record, RefusalReason, SendError, Severity};

#[cfg(test)]
mod tests;

/// `struct telem_ref`: what a program holds of a record.
#[repr(C)]
#[derive(Debug)]
pub struct TelemRef {
    record: *mut TelemRecord,
}

/// `struct telem_record`, which programs cannot look into.
#[derive(Debug)]
pub struct TelemRecord(Mutex<Record>);

/// Where records go once [`tm_set_config_file`] has said so.
static CHOSEN: RwLock<Option<Client>> = RwLock::new(None);

/// # Safety
/// `path` is null or a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tm_set_config_file(path: *const c_char) -> c_int {
    guarded(|| {
        // SAFETY: the caller's promise.
        let path = unsafe { bytes(path) }.ok_or(Errno::INVAL)?;
        let path = Path::new(OsStr::from_bytes(path));
        if !path.is_absolute() {
            return Err(Errno::INVAL);
        }
        let file = std::fs::metadata(path).map_err(|error| errno(&error))?;
        if !file.is_file() {
            return Err(Errno::INVAL);
        }
        let client = Client::of_file(path).map_err(|error| places_errno(&error))?;
        *CHOSEN.write().unwrap_or_else(PoisonError::into_inner) = Some(client);
        Ok(0)
    })
}

/// # Safety
/// `reference` is null or may be written to; `classification` is null or a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tm_create_record(
    reference: *mut *mut TelemRef,
    severity: u32,
    classification: *const c_char,
    payload_version: u32,
) -> c_int {
    guarded(|| {
        if reference.is_null() {
            return Err(Errno::INVAL);
        }
        // SAFETY: the caller's promise.
        let classification = unsafe { text(classification) }.ok_or(Errno::INVAL)?;
        rules::check_classification(classification).map_err(|_wrong| Errno::INVAL)?;
        let severity = match severity {
            0 | 1 => Severity::Low,
            2 => Severity::Medium,
            3 => Severity::High,
            _ => Severity::Critical,
        };
        let record = Record::new(classification, severity).payload_version(payload_version);
        let record = Box::into_raw(Box::new(TelemRecord(Mutex::new(record))));
        let made = Box::into_raw(Box::new(TelemRef { record }));
        // SAFETY: it is not null, and the caller's promise.
        unsafe { reference.write(made) };
        Ok(0)
    })
}

/// # Safety
/// `reference` is null or of [`tm_create_record`] and not freed; `id` is null or a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tm_set_event_id(reference: *mut TelemRef, id: *const c_char) -> c_int {
    let set = guarded(|| {
        // SAFETY: the caller's promise.
        let (record, id) = unsafe { (record(reference), text(id)) };
        let (record, id) = (record.ok_or(Errno::INVAL)?, id.ok_or(Errno::INVAL)?);
        if id.is_empty() || rules::check_event_id(id).is_err() {
            return Err(Errno::INVAL);
        }
        change(record, |record| record.event_id(id));
        Ok(0)
    });
    // The one function that did not tell an errno.
    if set < 0 { -1 } else { set }
}

/// # Safety
/// `reference` is null or of [`tm_create_record`] and not freed; `payload` is null or a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tm_set_payload(reference: *mut TelemRef, payload: *const c_char) -> c_int {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (record, payload) = unsafe { (record(reference), text(payload)) };
        let (record, payload) = (record.ok_or(Errno::INVAL)?, payload.ok_or(Errno::INVAL)?);
        let foreign = |character: char| character.is_control() && !is_space(character);
        if payload.contains(foreign) {
            return Err(Errno::INVAL);
        }
        let fits = payload.floor_char_boundary(CUSTOM_PAYLOAD_BYTES);
        change(record, |record| record.payload(&payload[..fits]));
        Ok(0)
    })
}

/// # Safety
/// `reference` is null or of [`tm_create_record`] and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tm_send_record(reference: *mut TelemRef) -> c_int {
    guarded(|| {
        // SAFETY: the caller's promise.
        let record = unsafe { record(reference) }.ok_or(Errno::INVAL)?;
        let record = record.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let client = client().map_err(|error| places_errno(&error))?;
        client.send(&record).map_err(|error| send_errno(&error))?;
        Ok(0)
    })
}

/// # Safety
/// `reference` is null or of [`tm_create_record`] and not freed; nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tm_free_record(reference: *mut TelemRef) {
    if reference.is_null() {
        return;
    }
    // SAFETY: both were made by `tm_create_record` from boxes, and the caller gives them back.
    let reference = unsafe { Box::from_raw(reference) };
    if !reference.record.is_null() {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(reference.record) });
    }
}

/// Whether this host takes part: 1 or 0.
#[unsafe(no_mangle)]
pub extern "C" fn tm_is_opted_in() -> c_int {
    guarded(|| Ok(client().map_or(0, |client| c_int::from(client.is_opted_in())))).max(0)
}

/// The chosen configuration file's client, else this host's.
fn client() -> Result<Client, PlacesError> {
    let chosen = CHOSEN.read().unwrap_or_else(PoisonError::into_inner).clone();
    chosen.map_or_else(Client::new, Ok)
}

/// # Safety
/// `reference` is null or of [`tm_create_record`] and not freed.
unsafe fn record<'a>(reference: *mut TelemRef) -> Option<&'a TelemRecord> {
    // SAFETY: the caller's promise; a reference's record lives as long as the reference.
    unsafe { reference.as_ref().and_then(|reference| reference.record.as_ref()) }
}

/// # Safety
/// `string` is null or ends with NUL, and does not change.
unsafe fn bytes<'a>(string: *const c_char) -> Option<&'a [u8]> {
    if string.is_null() {
        return None;
    }
    // SAFETY: it is not null, and the caller's promise.
    Some(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// # Safety
/// As of [`bytes`].
unsafe fn text<'a>(string: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes(string) }?;
    std::str::from_utf8(bytes).ok()
}

fn change(record: &TelemRecord, change: impl FnOnce(Record) -> Record) {
    let mut record = record.0.lock().unwrap_or_else(PoisonError::into_inner);
    *record = change(record.clone());
}

/// What `isspace` takes in the C locale.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

/// Runs what a function does; its error becomes a negative errno, and so does a panic, which must not reach C.
fn guarded(run: impl FnOnce() -> Result<c_int, Errno>) -> c_int {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(result)) => result,
        Ok(Err(errno)) => -errno.raw_os_error(),
        Err(_panic) => -Errno::IO.raw_os_error(),
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn places_errno(error: &PlacesError) -> Errno {
    match error {
        PlacesError::Read { source, .. } => errno(source),
        PlacesError::Parse { .. } => Errno::INVAL,
    }
}

/// The errors that `telemetry.h` lists.
fn send_errno(error: &SendError) -> Errno {
    match error {
        SendError::NotOptedIn => Errno::CONNREFUSED,
        SendError::Value(_) => Errno::INVAL,
        SendError::Connect { source, .. } | SendError::Answer(source) => errno(source),
        SendError::Foreign(_) => Errno::PROTO,
        SendError::Refused { reason, .. } => match reason {
            RefusalReason::NotOptedIn => Errno::CONNREFUSED,
            RefusalReason::Invalid => Errno::INVAL,
            RefusalReason::Quota => Errno::DQUOT,
            RefusalReason::Unavailable => Errno::AGAIN,
            RefusalReason::Disk | RefusalReason::Unspecified => Errno::IO,
        },
    }
}
