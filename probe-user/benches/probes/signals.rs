//! Signals that this process sends to itself.

use std::io;

use rustix::process::{Signal, getpid, kill_process};

/// Of no meaning to anybody else.
pub(crate) const SIGNAL: Signal = Signal::USR1;

/// What becomes of [`SIGNAL`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Disposition {
    /// It is delivered to a handler that does nothing.
    Handled,
    /// It is generated, and gone.
    Ignored,
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// Says what becomes of [`SIGNAL`] from now on.
#[expect(unsafe_code, reason = "the C library sets handlers")]
pub(crate) fn dispose(disposition: Disposition) -> io::Result<()> {
    let handler = match disposition {
        Disposition::Handled => nothing as extern "C" fn(libc::c_int) as libc::sighandler_t,
        Disposition::Ignored => libc::SIG_IGN,
    };
    // SAFETY: the handler does nothing, which is safe wherever it interrupts.
    let before = unsafe { libc::signal(SIGNAL.as_raw(), handler) };
    if before == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sends [`SIGNAL`] to this process.
pub(crate) fn send() -> io::Result<()> {
    Ok(kill_process(getpid(), SIGNAL)?)
}
