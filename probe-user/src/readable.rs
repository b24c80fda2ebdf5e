//! Waiting for a descriptor to become readable.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a descriptor with the runtime.
#[expect(
    unsafe_code,
    reason = "the registration trusts `AsRawFd`, which promises nothing"
)]
pub(crate) fn readable<T: AsFd + AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: `T` owns its descriptor (`AsFd`) and keeps it open and the same until it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) };
    registered.map_err(io::Error::from)
}
