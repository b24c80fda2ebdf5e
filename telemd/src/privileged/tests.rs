use std::io;
use std::path::Path;
use std::thread;

use privilege::channel::Channel;
use proptest::prelude::*;

use super::*;
use crate::config;

fn with_helper<T>(config: &config::Probes, ask: impl FnOnce(&mut Client) -> T) -> T {
    let (here, there) = Channel::pair().unwrap();
    thread::scope(|scope| {
        let helper = scope.spawn(|| serve(there, config, Vec::new()));
        let mut client = Client::new(here).unwrap();
        let answer = ask(&mut client);
        drop(client);
        helper.join().unwrap().unwrap();
        answer
    })
}

#[test]
fn what_is_opened_is_what_the_configuration_names() {
    let dir = tempfile::tempdir().unwrap();
    let config = config::Probes {
        kmsg_path: dir.path().join("kmsg"),
        pstore_dir: dir.path().join("pstore"),
        ..config::Probes::default()
    };
    std::fs::create_dir(&config.pstore_dir).unwrap();
    std::fs::write(&config.kmsg_path, "6,1,1,-;text\n").unwrap();
    std::fs::write(dir.path().join("else"), "").unwrap();
    with_helper(&config, |client| {
        let log = client.kernel_log().unwrap();
        assert_eq!(io::read_to_string(log).unwrap(), "6,1,1,-;text\n");
        let elsewhere = client.clear_past(vec![dir.path().join("else")]);
        assert!(matches!(elsewhere, Err(ClientError::Refused(_))), "{elsewhere:?}");
        assert!(dir.path().join("else").exists());
        let above = client.clear_past(vec![config.pstore_dir.join("../else")]);
        assert!(matches!(above, Err(ClientError::Refused(_))), "{above:?}");
        assert_eq!(client.introduce().unwrap().standing.pid, std::process::id());
        let own = client.executable(std::process::id()).unwrap();
        assert_eq!(Path::new(&own.path), std::env::current_exe().unwrap());
        assert_eq!(client.executable(u32::MAX).unwrap(), Executable::default());
        let hooks = client.hooks();
        assert!(matches!(hooks, Err(ClientError::Refused(_))), "{hooks:?}");
    });
}

#[test]
fn a_question_that_is_none_is_refused_and_the_next_one_is_answered() {
    let (mut here, there) = Channel::pair().unwrap();
    thread::scope(|scope| {
        let helper = scope.spawn(|| serve(there, &config::Probes::default(), Vec::new()));
        for question in [
            &b""[..],
            b"{",
            b"\"Everything\"",
            b"{\"Executable\":{\"pid\":-1}}",
            &[0xff; 9],
        ] {
            here.send(question, &[]).unwrap();
            let frame = here.receive().unwrap();
            let answer: Answer = serde_json::from_slice(&frame.bytes).unwrap();
            assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
        }
        let mut client = Client::new(here).unwrap();
        client.introduce().unwrap();
        drop(client);
        helper.join().unwrap().unwrap();
    });
}

proptest! {
    #[test]
    fn any_answer_is_understood_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (here, mut there) = Channel::pair().unwrap();
        there.send(&bytes, &[]).unwrap();
        let mut client = Client::new(here).unwrap();
        let error = client.hooks().unwrap_err();
        prop_assert!(error.is_end());
    }
}
