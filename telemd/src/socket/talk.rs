//! The bytes of one connection: reading a record in either language, and answering in the same.

use std::io;
use std::time::Duration;

use local::framed::{self, FramedError};
use local::legacy::{self, FrameError};
use local::{Outcome, Receipt, RefusalReason, Refused, Submission};
use proto::v1::Counted;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{FRAME_TIME, quota};
use crate::keeper::KeepError;
use crate::recorder::Kept;
use crate::text::{chain, cut};

/// How a peer is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// By a line of text.
    Legacy,
    /// By a receipt.
    Framed,
}

/// A record as it was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) submission: Submission,
    /// Its size on the socket, bytes.
    pub(super) bytes: usize,
    /// Whether it names a configuration file.
    pub(super) names_config: bool,
}

/// Why a connection's record is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The connection was closed without a byte: a program that looks whether somebody listens.
    #[error("nothing was sent")]
    Nothing,
    #[error("no whole frame within {} s", FRAME_TIME.as_secs())]
    Slow,
    #[error("the frame ends early")]
    Short,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Framed(#[from] FramedError),
    #[error("a configuration file (CFG:) is taken from root only: leave -f or tm_set_config_file out")]
    Config,
    #[error(
        "core dumps are told by root and telemd's own user only: a program's record has a classification"
    )]
    CoreDump,
    #[error("this host has not opted in: `telemctl opt-in` does")]
    NoConsent,
    #[error("this host does not record this classification: see [consent] in the configuration")]
    Unwanted,
    #[error("user {uid} has sent as much as one user may: try again in {retry_s} s")]
    Quota { uid: u32, retry_s: u64 },
    #[error("user {0} has more than {limit} connections: use one after another", limit = quota::CONNECTIONS)]
    Connections(u32),
    #[error("telemd is starting or stopping: try again")]
    NoSession,
    #[error("{}", chain(.0))]
    Keep(#[from] KeepError),
}

impl Refusal {
    /// Why, in the framed language.
    pub(super) fn reason(&self) -> RefusalReason {
        match self {
            Self::Nothing
            | Self::Slow
            | Self::Short
            | Self::Frame(_)
            | Self::Framed(_)
            | Self::Config
            | Self::CoreDump
            | Self::Keep(KeepError::Unfit(_)) => RefusalReason::Invalid,
            Self::NoConsent | Self::Unwanted => RefusalReason::NotOptedIn,
            Self::Quota { .. } | Self::Connections(_) => RefusalReason::Quota,
            Self::NoSession | Self::Keep(KeepError::Stopped) => RefusalReason::Unavailable,
            Self::Keep(_) => RefusalReason::Disk,
        }
    }

    /// Whether the sender broke the rules, which counts as a loss.
    pub(super) fn is_senders_fault(&self) -> bool {
        matches!(
            self,
            Self::Slow | Self::Short | Self::Frame(_) | Self::Framed(_) | Self::Config | Self::CoreDump
        )
    }
}

impl Language {
    /// What to answer.
    pub(super) fn answer(self, outcome: &Result<Kept, Refusal>) -> Vec<u8> {
        match self {
            Self::Legacy => line(outcome).into_bytes(),
            Self::Framed => framed::write_receipt(&receipt(outcome)),
        }
    }
}

fn line(outcome: &Result<Kept, Refusal>) -> String {
    match outcome {
        Ok(Kept::Seq(seq)) => format!("ok {seq}\n"),
        Ok(Kept::Counted) => {
            "counted: the limits of [storm] or [rate] leave room for the number of such records only\n"
                .to_owned()
        }
        Err(refusal) => format!("error: {refusal}\n"),
    }
}

fn receipt(outcome: &Result<Kept, Refusal>) -> Receipt {
    let outcome = match outcome {
        Ok(Kept::Seq(seq)) => Outcome::KeptSeq(*seq),
        Ok(Kept::Counted) => Outcome::Counted(Counted {}),
        Err(refusal) => Outcome::Refused(Refused {
            reason: refusal.reason().into(),
            message: cut(&refusal.to_string(), framed::REFUSAL_BYTES).to_owned(),
        }),
    };
    Receipt {
        outcome: Some(outcome),
    }
}

/// Reads a record, all of it within `limit`; `language` is set as soon as it is known.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    language: &mut Language,
    limit: Duration,
) -> Result<Sent, Refusal> {
    let all = async {
        let first = first(stream).await?;
        if first == framed::MAGIC {
            *language = Language::Framed;
            framed(stream).await
        } else {
            legacy(stream, first).await
        }
    };
    tokio::time::timeout(limit, all)
        .await
        .unwrap_or(Err(Refusal::Slow))
}

/// The first four bytes.
async fn first(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; 4], Refusal> {
    let mut first = [0; 4];
    let mut have = 0;
    while have < first.len() {
        match stream.read(&mut first[have..]).await {
            Ok(0) if have == 0 => return Err(Refusal::Nothing),
            Ok(0) => return Err(Refusal::Short),
            Ok(more) => have += more,
            Err(error) => return Err(ended(&error, have)),
        }
    }
    Ok(first)
}

async fn legacy(stream: &mut (impl AsyncRead + Unpin), first: [u8; 4]) -> Result<Sent, Refusal> {
    // At least 13, at most `FRAME_BYTES`.
    let bytes = legacy::size(first)?;
    let frame = legacy::parse(&body(stream, bytes - first.len()).await?)?;
    Ok(Sent {
        submission: frame.submission,
        bytes,
        names_config: frame.names_config,
    })
}

async fn framed(stream: &mut (impl AsyncRead + Unpin)) -> Result<Sent, Refusal> {
    let length = body(stream, framed::LENGTH_BYTES).await?;
    let length = length.try_into().map_err(|_other_size| Refusal::Short)?;
    let bytes = framed::submission_bytes(length)?;
    let submission = framed::read_submission(&body(stream, bytes).await?)?;
    Ok(Sent {
        submission,
        bytes: framed::HEAD_BYTES + bytes,
        names_config: false,
    })
}

/// The next bytes. Memory is taken as they arrive, not as they are announced.
async fn body(stream: &mut (impl AsyncRead + Unpin), bytes: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    match stream.take(bytes as u64).read_to_end(&mut body).await {
        Ok(read) if read == bytes => Ok(body),
        Ok(_) => Err(Refusal::Short),
        Err(error) => Err(ended(&error, 1)),
    }
}

fn ended(error: &io::Error, have: usize) -> Refusal {
    tracing::trace!(%error, "a connection on the local socket broke");
    if have == 0 {
        Refusal::Nothing
    } else {
        Refusal::Short
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read_all(mut bytes: &[u8]) -> (Language, Result<Sent, Refusal>) {
        let mut language = Language::Legacy;
        let sent = read(&mut bytes, &mut language, FRAME_TIME).await;
        (language, sent)
    }

    fn submission() -> Submission {
        Submission {
            classification: "a/b/c".into(),
            severity: 2,
            payload: "x".into(),
            ..Submission::default()
        }
    }

    #[tokio::test]
    async fn a_peer_is_answered_in_its_language() {
        let bytes = framed::write_submission(&submission()).unwrap();
        let (language, sent) = read_all(&bytes).await;
        assert_eq!(language, Language::Framed);
        let sent = sent.unwrap();
        assert_eq!((sent.submission, sent.bytes), (submission(), bytes.len()));

        let bytes = legacy::write(&submission(), &legacy::Facts::default()).unwrap();
        let (language, sent) = read_all(&bytes).await;
        assert_eq!(language, Language::Legacy);
        let sent = sent.unwrap();
        assert_eq!((sent.submission, sent.bytes), (submission(), bytes.len()));
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_in_the_same_language() {
        let mut bytes = framed::write_submission(&submission()).unwrap();
        let (language, sent) = read_all(&bytes[..bytes.len() - 1]).await;
        assert!(language == Language::Framed && matches!(sent, Err(Refusal::Short)));
        bytes[7] = 0xff;
        let (language, sent) = read_all(&bytes).await;
        let refusal = sent.unwrap_err();
        assert!(matches!(
            refusal,
            Refusal::Framed(FramedError::SubmissionBytes(_))
        ));
        let answer = language.answer(&Err(refusal));
        let receipt = framed::read_receipt(&answer[framed::LENGTH_BYTES..]).unwrap();
        let Some(Outcome::Refused(refused)) = receipt.outcome else {
            panic!("{receipt:?}");
        };
        assert_eq!(refused.reason(), RefusalReason::Invalid);
        assert!(refused.message.contains("at most"), "{}", refused.message);
    }

    #[tokio::test]
    async fn a_peer_that_stalls_is_cut_off() {
        let (_silent, mut stream) = tokio::io::duplex(64);
        let mut language = Language::Legacy;
        let sent = read(&mut stream, &mut language, Duration::from_millis(1)).await;
        assert!(matches!(sent, Err(Refusal::Slow)), "{sent:?}");
    }

    proptest! {
        #[test]
        fn garbage_is_a_refusal_with_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), magic: bool) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let bytes = if magic { [framed::MAGIC.as_slice(), &bytes].concat() } else { bytes };
            let (language, sent) = runtime.block_on(read_all(&bytes));
            if let Err(refusal) = sent {
                prop_assert!(!language.answer(&Err(refusal)).is_empty());
            }
        }
    }
}
