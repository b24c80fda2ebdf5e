//! The built programs in a folder of their own, with the hooks switched off.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "every test file uses a part of this, and tests panic"
)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use local::Submission;
use local::legacy::{self, Facts};
use telemd::status::Status;

pub(crate) mod bare;
pub(crate) mod collector;
pub(crate) mod crash;
pub(crate) mod journal;
pub(crate) mod past;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(10);

pub(crate) struct Host {
    pub(crate) dir: tempfile::TempDir,
    agent: Option<Child>,
}

impl Host {
    /// A host that has not opted in, and whose agent does not run. Nobody listens at the collector's address, and the
    /// hooks are switched off.
    pub(crate) fn new(extra: &str) -> Self {
        Self::new_with("127.0.0.1:1", "probes.enabled = false", extra)
    }

    /// A host that has not opted in, and whose agent does not run.
    pub(crate) fn new_with(collector: &str, probes: &str, extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "state_dir = {:?}\nopt_in_file = {:?}\nsocket_path = {:?}\ncontrol_path = {:?}\nhostname = \"under-test\"\n\
             collector.url = \"http://{collector}\"\nprobes.user_dir = {:?}\n{probes}\n{extra}\n",
            path("state"),
            path("opt-in"),
            path("socket"),
            path("control"),
            path("probes.d"),
        );
        std::fs::write(dir.path().join("telemd.toml"), config).unwrap();
        Self { dir, agent: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a further file of the configuration.
    pub(crate) fn add_config(&self, name: &str, text: &str) {
        let folder = self.path("conf.d");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    }

    /// Lets other users into the folder, so that the agent may be one.
    pub(crate) fn open_to_all(&self) {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.dir.path(), all).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.path("telemd.toml"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs `telemctl` or `telem-record-gen` (its stdin is empty) to its end.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Output {
        self.command(program).args(args).output().unwrap()
    }

    pub(crate) fn telemctl(&self, args: &[&str]) -> Output {
        self.run(env!("CARGO_BIN_EXE_telemctl"), args)
    }

    pub(crate) fn record_gen(&self, args: &[&str]) -> Output {
        self.run(env!("CARGO_BIN_EXE_telem-record-gen"), args)
    }

    pub(crate) fn journal(&self, args: &[&str]) -> Output {
        self.run(env!("CARGO_BIN_EXE_telem_journal"), args)
    }

    /// What the journal tells in JSON.
    pub(crate) fn journal_entries(&self, args: &[&str]) -> Vec<serde_json::Value> {
        let output = self.journal(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn telemd(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_telemd"))
    }

    /// Starts the agent and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.start_by(self.telemd());
    }

    /// Starts the agent by a command and waits until it answers.
    pub(crate) fn start_by(&mut self, mut telemd: Command) {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let child = telemd
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.agent = Some(child);
        self.wait("the agent to answer", |host| {
            host.telemctl(&["status"]).status.success()
        });
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.agent.as_ref().unwrap())
    }

    /// SIGTERM; answers the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        let mut code = None;
        self.wait("the agent to end", |host| {
            code = host.agent.as_mut().unwrap().try_wait().unwrap();
            code.is_some()
        });
        self.agent = None;
        code.and_then(|status| status.code())
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    pub(crate) fn status(&self) -> Status {
        let output = self.telemctl(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Sends a record to the local socket and answers what comes back.
    pub(crate) fn send(&self, classification: &str, payload: &str) -> String {
        self.exchange("socket", &frame_bytes(classification, payload))
    }

    /// Sends bytes to a socket of the agent, closes the writing half, and answers what comes back.
    pub(crate) fn exchange(&self, socket: &str, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.path(socket)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The agent may answer and close before it has read all of a frame that is too long.
        let _refused = stream.write_all(bytes);
        let _refused = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn wait(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
            if condition(self) {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("waited {PATIENCE:?} for {what}:\n{}", self.log());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.agent.is_some() {
            self.kill();
        }
    }
}

/// A frame of the local socket.
pub(crate) fn frame_bytes(classification: &str, payload: &str) -> Vec<u8> {
    let submission = Submission {
        classification: classification.into(),
        severity: 2,
        payload_version: 1,
        event_id: "0".repeat(32),
        payload: payload.into(),
        ..Submission::default()
    };
    legacy::write(&submission, &Facts::default()).unwrap()
}

/// What a program said, with its exit code and without what differs from run to run.
pub(crate) fn said(host: &Host, output: &Output) -> String {
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&host.dir.path().display().to_string(), "DIR");
    format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}
