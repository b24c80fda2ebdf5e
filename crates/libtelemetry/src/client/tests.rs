use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use local::{Receipt, Refused, Severity, Submission};
use proto::v1::Counted;

use super::*;

/// A host with an agent that answers what it is told to.
struct Agent {
    dir: tempfile::TempDir,
    thread: JoinHandle<Option<Submission>>,
}

impl Agent {
    /// `answer` gets the connection after `take` bytes were read.
    fn start(answer: impl FnOnce(&mut UnixStream) -> Option<Submission> + Send + 'static) -> Self {
        Self::listening(move |listener| answer(&mut listener.accept().unwrap().0))
    }

    fn listening(serve: impl FnOnce(UnixListener) -> Option<Submission> + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("opt-in"), "").unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let thread = std::thread::spawn(move || serve(listener));
        Self { dir, thread }
    }

    fn answering(outcome: Outcome) -> Self {
        Self::start(|stream| Some(answer(stream, outcome)))
    }

    fn client(&self) -> Client {
        client(self.dir.path())
    }

    fn took(self) -> Option<Submission> {
        self.thread.join().unwrap()
    }
}

fn client(dir: &Path) -> Client {
    Client::of_places(Places {
        socket_path: dir.join("socket"),
        opt_in_file: dir.join("opt-in"),
    })
}

fn answer(stream: &mut UnixStream, outcome: Outcome) -> Submission {
    let submission = take(stream);
    let receipt = Receipt {
        outcome: Some(outcome),
    };
    stream.write_all(&framed::write_receipt(&receipt)).unwrap();
    submission
}

fn unavailable() -> Outcome {
    Outcome::Refused(Refused {
        reason: RefusalReason::Unavailable.into(),
        message: "telemd is starting".into(),
    })
}

fn take(stream: &mut UnixStream) -> Submission {
    let mut head = [0; framed::HEAD_BYTES];
    stream.read_exact(&mut head).unwrap();
    let length = head.strip_prefix(&framed::MAGIC).unwrap().try_into().unwrap();
    let mut body = vec![0; framed::submission_bytes(length).unwrap()];
    stream.read_exact(&mut body).unwrap();
    framed::read_submission(&body).unwrap()
}

fn record() -> Record {
    Record::new("org.example/probe/test", Severity::High)
        .payload("disk swapped")
        .field("slot", 3_u64)
        .field("delta", -1_i64)
        .field("serial", "WD-1")
        .field("raw", [1_u8, 2].as_slice())
        .payload_version(2)
}

#[test]
fn what_is_sent_arrives_and_the_answer_comes_back() {
    let agent = Agent::answering(Outcome::KeptSeq(7));
    let sent = agent.client().send(&record().event_id(&"a".repeat(32)));
    assert_eq!(sent.unwrap(), Kept::Durable(7));
    let took = agent.took().unwrap();
    assert_eq!(took, record().event_id(&"a".repeat(32)).0);
    let agent = Agent::answering(Outcome::Counted(Counted {}));
    assert_eq!(agent.client().send(&record()).unwrap(), Kept::Counted);
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let agent = Agent::answering(Outcome::Refused(Refused {
        reason: RefusalReason::Quota.into(),
        message: "enough".into(),
    }));
    let refused = agent.client().send(&record()).unwrap_err();
    assert!(matches!(
        &refused,
        SendError::Refused { reason: RefusalReason::Quota, message } if message == "enough"
    ));
}

#[test]
fn an_agent_that_is_exchanged_gets_the_record_once_it_is_there() {
    let agent = Agent::listening(|listener| {
        for _try in 0..3 {
            answer(&mut listener.accept().unwrap().0, unavailable());
        }
        Some(answer(&mut listener.accept().unwrap().0, Outcome::KeptSeq(9)))
    });
    let record = record().event_id(&"b".repeat(32));
    assert_eq!(agent.client().send(&record).unwrap(), Kept::Durable(9));
    assert_eq!(agent.took(), Some(record.0));
}

#[test]
fn an_agent_that_never_gets_ready_is_not_asked_for_ever() {
    let agent = Agent::listening(|listener| {
        // A first answer, and one after the only pause that there is time for.
        for _try in 0..2 {
            answer(&mut listener.accept().unwrap().0, unavailable());
        }
        None
    });
    let mut client = agent.client();
    client.retry_time = FIRST_PAUSE;
    let refused = client.send(&record()).unwrap_err();
    assert!(matches!(
        refused,
        SendError::Refused {
            reason: RefusalReason::Unavailable,
            ..
        }
    ));
    assert_eq!(agent.took(), None);
}

#[test]
fn nothing_is_sent_by_a_host_that_has_not_opted_in_or_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let client = client(dir.path());
    assert!(!client.is_opted_in());
    assert!(matches!(client.send(&record()), Err(SendError::NotOptedIn)));
    std::fs::write(dir.path().join("opt-in"), "").unwrap();
    assert!(client.is_opted_in());
    let nobody = client.send(&record()).unwrap_err();
    assert!(
        nobody.to_string().contains("cannot connect to telemd at"),
        "{nobody}"
    );
    let wrong = Record::new("not a classification", Severity::Low);
    assert!(matches!(client.send(&wrong), Err(SendError::Value(_))));
}

#[test]
fn an_agent_that_is_silent_breaks_off_or_speaks_another_language_is_an_error() {
    let (hold, released) = std::sync::mpsc::channel::<()>();
    let agent = Agent::start(move |_stream| {
        let _sender_gone = released.recv();
        None
    });
    let silent = agent.client().answer_time(Duration::from_millis(50));
    let Err(SendError::Answer(error)) = silent.send(&record()) else {
        panic!("it does not answer");
    };
    assert_eq!(error.raw_os_error(), Some(Errno::TIMEDOUT.raw_os_error()));
    drop(hold);
    agent.took();

    let agent = Agent::start(|stream| Some(take(stream)));
    assert!(matches!(
        agent.client().send(&record()),
        Err(SendError::Answer(_))
    ));

    let agent = Agent::start(|stream| {
        let submission = take(stream);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
        Some(submission)
    });
    assert!(matches!(
        agent.client().send(&record()),
        Err(SendError::Foreign(FramedError::ReceiptBytes(_)))
    ));
}

#[test]
fn each_record_has_an_event_id_of_its_own() {
    assert_ne!(record().0.event_id, record().0.event_id);
    local::rules::check(&record().0).unwrap();
}
