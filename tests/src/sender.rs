//! A client of the agent's local socket, one custom record a connection.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// How long the agent may take to answer.
const ANSWER: Duration = Duration::from_secs(40);

/// The classification of every record sent here.
pub const CLASSIFICATION: &str = "org.telemetrics/test/delivery";

/// What the agent did with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is kept under this sequence.
    Kept(u64),
    /// Storm control counted it.
    Counted,
}

/// Sends one record and returns once the agent has said what became of it.
///
/// An error means that it is not known whether the record is kept, or that it is refused.
pub fn send(socket: &Path, payload: &str) -> Result<Answer> {
    let answer = exchange(socket, &frame(payload))?;
    if answer.starts_with("counted") {
        return Ok(Answer::Counted);
    }
    match answer.strip_prefix("ok ") {
        Some(seq) => Ok(Answer::Kept(seq.trim().parse().context("a sequence")?)),
        None => bail!("the agent answered {answer:?}"),
    }
}

/// Sends bytes, closes the sending side and returns the agent's whole answer.
pub fn exchange(socket: &Path, bytes: &[u8]) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    // The agent may answer and close before it has taken everything.
    let sent = stream
        .write_all(bytes)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let (mut answer, mut part) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset && !answer.is_empty() => break,
            Err(error) => return Err(error.into()),
        }
    }
    if answer.is_empty() {
        sent?;
    }
    Ok(String::from_utf8(answer)?)
}

/// A frame as Clear Linux's libtelemetry sends it: total size, header size, fifteen header lines, payload, NUL.
pub fn frame(payload: &str) -> Vec<u8> {
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
