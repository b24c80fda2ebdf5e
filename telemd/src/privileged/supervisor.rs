//! What starts the privileged half anew after it died: the networked half, which wants that, has no privilege to pass on.
//!
//! It is a process that does nothing else. Over its socket it gets the descriptor on which the next privileged half is to
//! answer, and answers how the one before ended. It ends with the networked half.

use std::io;
use std::os::unix::net::UnixStream;

use privilege::channel::{Channel, ChannelError};
use privilege::fork::fork;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};

use crate::memory;

/// Why no privileged half can be started any more.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The socket failed.
    #[error("telemd cannot be heard any more")]
    Channel(#[from] ChannelError),
    /// There is no process to be had.
    #[error("start a process")]
    Fork(#[source] io::Error),
}

/// Splits off a process for each descriptor that comes over `requests`: in the new process this answers the channel it is
/// to serve, in the old one `None` once the other side has closed its end.
pub fn supervise(mut requests: Channel) -> Result<Option<Channel>, SuperviseError> {
    let mut started: Option<Pid> = None;
    loop {
        // It waits for as long as all goes well.
        memory::give_back();
        let frame = match requests.receive() {
            Ok(frame) => frame,
            // Its own channel is closed too, so that it ends by itself.
            Err(ChannelError::Closed) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let ended = started.take().map_or_else(String::new, end);
        if let Some(descriptor) = frame.descriptors.into_iter().next() {
            started = fork().map_err(SuperviseError::Fork)?;
            if started.is_none() {
                return Ok(Some(Channel::new(UnixStream::from(descriptor))));
            }
        }
        requests.send(ended.as_bytes(), &[])?;
    }
}

/// Ends a process that may have ended by itself; answers how it did, in words.
fn end(pid: Pid) -> String {
    match waitpid(Some(pid), WaitOptions::NOHANG) {
        Ok(Some((_, status))) => words(status),
        Ok(None) => {
            let killed =
                kill_process(pid, Signal::KILL).and_then(|()| waitpid(Some(pid), WaitOptions::empty()));
            match killed {
                Ok(_) => "it was killed because it did not answer".to_owned(),
                Err(errno) => format!("it cannot be ended: {errno}"),
            }
        }
        Err(errno) => format!("how it ended is not known: {errno}"),
    }
}

fn words(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}
