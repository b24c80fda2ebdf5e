//! A client of the agent's local socket, one custom record a connection.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Result, bail};

/// How long the agent may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// The classification of every record sent here.
pub const CLASSIFICATION: &str = "org.telemetrics/test/delivery";

/// Sends one record and returns once the agent has said that it is kept.
///
/// An error means that it is not known whether the record is kept.
pub fn send(socket: &Path, payload: &str) -> Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(&frame(payload))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("ok") {
        Ok(())
    } else {
        bail!("the agent answered {answer:?}")
    }
}

/// A frame as Clear Linux's libtelemetry sends it: total size, header size, fifteen header lines, payload, NUL.
fn frame(payload: &str) -> Vec<u8> {
    let headers = format!(
        "record_format_version: 4\nclassification: {CLASSIFICATION}\nseverity: 1\nmachine_id: FFFFFFFF\n\
         creation_timestamp: 1700000000\narch: x86_64\nhost_type: a|b|c\nbuild: 1\nkernel_version: 6.1.0\n\
         payload_format_version: 1\nsystem_name: debian\nboard_name: a|b\ncpu_model: x\nbios_version: 1\n\
         event_id: 0123456789abcdef0123456789abcdef\n"
    );
    let size = |bytes: usize| u32::try_from(bytes).expect("a small frame").to_ne_bytes();
    let total = 4 + 4 + headers.len() + payload.len() + 1;
    [
        &size(total)[..],
        &size(headers.len()),
        headers.as_bytes(),
        payload.as_bytes(),
        &[0],
    ]
    .concat()
}
