//! Frames and file descriptors over a stream socket between two processes that do not trust each other.
//!
//! A frame is its length (4 bytes, little-endian) and that many bytes. At most [`DESCRIPTORS`] descriptors travel with
//! the length (`SCM_RIGHTS`). What breaks these rules ends the channel; it never takes more memory than a frame may have.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// The longest frame, bytes: what crashed kernels left on disk is the largest thing that is handed over.
pub const FRAME_BYTES: usize = 32 << 20;
/// The most descriptors with a frame.
pub const DESCRIPTORS: usize = 4;

/// Bytes of the length.
const LENGTH_BYTES: usize = 4;
/// How much is made room for before it has come: a length alone must not cost memory.
const STEP_BYTES: usize = 64 << 10;

/// Why a frame did not pass. The channel is of no use afterwards.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The other side is gone.
    #[error("the other process has closed the channel")]
    Closed,
    /// The other side did not answer in time.
    #[error("the other process does not answer")]
    Slow,
    /// A frame is longer than [`FRAME_BYTES`].
    #[error("a frame of {0} bytes is longer than {FRAME_BYTES}")]
    Long(usize),
    /// More descriptors than the frame may have.
    #[error("a frame has more than {DESCRIPTORS} file descriptors")]
    Descriptors,
    /// The socket failed.
    #[error("the channel failed")]
    Io(#[source] io::Error),
}

/// A frame that came.
#[derive(Debug, Default)]
pub struct Frame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What came with it.
    pub descriptors: Vec<OwnedFd>,
}

/// One end.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
}

impl Channel {
    /// Two ends, closed when a program is run.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Self::new(one), Self::new(other)))
    }

    /// An end that somebody else made.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream }
    }

    /// The socket, for a process that is to be started with it.
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// How long [`Channel::send`] and [`Channel::receive`] may be without progress before they fail; `None` is for ever.
    pub fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(patience)?;
        self.stream.set_write_timeout(patience)
    }

    /// Sends a frame.
    pub fn send(&mut self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        if bytes.len() > FRAME_BYTES {
            return Err(ChannelError::Long(bytes.len()));
        }
        if descriptors.len() > DESCRIPTORS {
            return Err(ChannelError::Descriptors);
        }
        let length = u32::try_from(bytes.len()).map_err(|_long| ChannelError::Long(bytes.len()))?;
        let length = length.to_le_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(ChannelError::Descriptors);
        }
        let sent = rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(
                &self.stream,
                &[IoSlice::new(&length)],
                &mut control,
                SendFlags::NOSIGNAL,
            )
        });
        let sent = sent.map_err(|errno| failed(errno.into()))?;
        let rest = length.get(sent..).unwrap_or_default();
        self.stream
            .write_all(rest)
            .and_then(|()| self.stream.write_all(bytes))
            .map_err(failed)
    }

    /// Waits for a frame.
    pub fn receive(&mut self) -> Result<Frame, ChannelError> {
        let mut frame = Frame::default();
        let mut length = [0; LENGTH_BYTES];
        let have = self.receive_start(&mut length, &mut frame.descriptors)?;
        if have == 0 {
            return Err(ChannelError::Closed);
        }
        let rest = length.get_mut(have..).unwrap_or_default();
        self.stream.read_exact(rest).map_err(failed)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME_BYTES {
            return Err(ChannelError::Long(length));
        }
        while frame.bytes.len() < length {
            let have = frame.bytes.len();
            frame.bytes.resize(length.min(have + STEP_BYTES), 0);
            let room = frame.bytes.get_mut(have..).unwrap_or_default();
            self.stream.read_exact(room).map_err(failed)?;
        }
        Ok(frame)
    }

    /// Receives the first bytes of a length, and the descriptors.
    fn receive_start(
        &self,
        length: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<usize, ChannelError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(
                &self.stream,
                &mut [IoSliceMut::new(length)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        });
        let received = received.map_err(|errno| failed(errno.into()))?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(came) = message {
                descriptors.extend(came);
            }
        }
        // The kernel rounds the room for them up: one more than asked for may fit.
        if received.flags.contains(ReturnFlags::CTRUNC) || descriptors.len() > DESCRIPTORS {
            return Err(ChannelError::Descriptors);
        }
        Ok(received.bytes)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn failed(error: io::Error) -> ChannelError {
    match error.kind() {
        // `ECONNRESET`: it ended with a frame of ours unread.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            ChannelError::Closed
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ChannelError::Slow,
        _ => ChannelError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Seek as _, SeekFrom};
    use std::thread;

    #[test]
    fn frames_and_their_descriptors_arrive_in_order() {
        let (mut here, mut there) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        (&file).write_all(b"shared").unwrap();
        let large = vec![7; FRAME_BYTES];
        thread::scope(|scope| {
            scope.spawn(|| {
                here.send(b"", &[]).unwrap();
                here.send(b"one", &[file.as_fd(), file.as_fd()]).unwrap();
                here.send(&large, &[]).unwrap();
                drop(here);
            });
            let first = there.receive().unwrap();
            assert!(first.bytes.is_empty() && first.descriptors.is_empty());
            let second = there.receive().unwrap();
            assert_eq!(
                (second.bytes.as_slice(), second.descriptors.len()),
                (&b"one"[..], 2)
            );
            let mut shared = std::fs::File::from(second.descriptors.into_iter().next().unwrap());
            let mut text = String::new();
            shared.seek(SeekFrom::Start(0)).unwrap();
            shared.read_to_string(&mut text).unwrap();
            assert_eq!(text, "shared");
            assert!(there.receive().unwrap().bytes == large);
            assert!(matches!(there.receive(), Err(ChannelError::Closed)));
        });
    }

    #[test]
    fn what_breaks_the_limits_is_neither_sent_nor_taken() {
        let (mut here, mut there) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let many = [file.as_fd(); DESCRIPTORS + 1];
        assert!(matches!(here.send(b"", &many), Err(ChannelError::Descriptors)));
        let long = vec![0; FRAME_BYTES + 1];
        assert!(matches!(here.send(&long, &[]), Err(ChannelError::Long(_))));
        here.stream.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(matches!(there.receive(), Err(ChannelError::Long(_))));
    }

    #[test]
    fn more_descriptors_than_allowed_end_the_channel() {
        let (here, mut there) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let many = [file.as_fd(); DESCRIPTORS + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS + 1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        let bytes = [0; LENGTH_BYTES];
        rustix::net::sendmsg(&here, &[IoSlice::new(&bytes)], &mut control, SendFlags::empty()).unwrap();
        assert!(matches!(there.receive(), Err(ChannelError::Descriptors)));
    }

    #[test]
    fn a_side_that_keeps_silent_is_not_waited_for_for_ever() {
        let (_here, mut there) = Channel::pair().unwrap();
        there.set_patience(Some(Duration::from_millis(10))).unwrap();
        assert!(matches!(there.receive(), Err(ChannelError::Slow)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (mut here, mut there) = Channel::pair().unwrap();
            here.stream.write_all(&bytes).unwrap();
            drop(here);
            let mut taken = 0;
            let end = loop {
                match there.receive() {
                    Ok(frame) => taken += LENGTH_BYTES + frame.bytes.len(),
                    Err(end) => break end,
                }
            };
            prop_assert!(taken <= bytes.len());
            prop_assert!(matches!(end, ChannelError::Closed | ChannelError::Long(_)));
        }
    }
}
