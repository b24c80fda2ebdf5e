//! Collectors and agents that know each other by certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;

use crate::{
    database::Database,
    or_skip,
    process::{Agent, Backend, wait_for},
    programs,
    sender::{self, Answer},
};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Collectors on one database with an authority, and what it takes to make agents.
#[derive(Debug)]
pub struct Site {
    /// What the collectors write to.
    pub database: Database,
    dir: tempfile::TempDir,
    backend: PathBuf,
    telemd: PathBuf,
    telemctl: PathBuf,
    fingerprint: String,
}

impl Site {
    /// None: something is missing here, and the test was skipped visibly.
    pub fn new(test: &str) -> Option<Self> {
        let [backend, telemd, telemctl] = programs(test, ["backend", "telemd", "telemctl"])?;
        let database = or_skip(test, Database::start())?;
        let mut site = Self {
            database,
            dir: tempfile::tempdir().expect("a temporary folder"),
            backend,
            telemd,
            telemctl,
            fingerprint: String::new(),
        };
        site.fingerprint = site.admin(&["ca", "init"]);
        Some(site)
    }

    /// The folder of all that runs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What `backend` says to a command about who may deliver.
    pub fn admin(&self, args: &[&str]) -> String {
        let output = Command::new(&self.backend)
            .args(args)
            .args(["--database", &self.database.url()])
            .output()
            .expect("backend runs");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// A token for one host.
    pub fn token(&self) -> String {
        self.admin(&["token", "create"])
    }

    /// A collector with a certificate of the authority.
    pub fn collector(&self, name: &str, args: &[&str]) -> Backend {
        let own = [
            "--tls-name",
            "127.0.0.1,localhost,collector.test",
            "--agents",
            "enrolled",
        ];
        let args = [&own[..], args].concat();
        let dir = self.dir.path().join(name);
        Backend::start_with(self.backend.clone(), self.database.url(), &dir, &args).expect("a collector")
    }

    /// An agent that does not run yet.
    pub fn agent(&self, name: &str, collector: &str) -> Host<'_> {
        let dir = self.dir.path().join(name);
        let agent = Agent::configure(self.telemd.clone(), &dir, collector, "").expect("an agent");
        Host { site: self, agent }
    }

    /// The payloads of all records.
    pub fn stored(&self) -> Vec<String> {
        self.database.stored_payloads().unwrap_or_default()
    }
}

/// An agent that can be enrolled.
#[derive(Debug)]
pub struct Host<'a> {
    site: &'a Site,
    /// The agent.
    pub agent: Agent,
}

impl Host<'_> {
    /// Runs `telemctl` for it.
    pub fn telemctl(&self, args: &[&str]) -> Output {
        Command::new(&self.site.telemctl)
            .arg("--config")
            .arg(self.agent.config())
            .args(args)
            .output()
            .expect("telemctl runs")
    }

    /// Enrols it at a collector, which is believed by the authority's fingerprint.
    pub fn enroll(&self, url: &str, token: &str) -> Output {
        let pin = &self.site.fingerprint;
        self.telemctl(&[
            "enroll",
            "--server",
            url,
            "--token",
            token,
            "--ca-fingerprint",
            pin,
        ])
    }

    /// Enrols it with a token of its own.
    pub fn enrolled(&self, url: &str) {
        let output = self.enroll(url, &self.site.token());
        assert!(output.status.success(), "{output:?}");
    }

    /// What it says of its way to the collector.
    pub fn link(&self) -> Value {
        let output = self.telemctl(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        status["session"]["link"].clone()
    }

    /// Its id.
    pub fn agent_id(&self) -> String {
        let text = fs::read_to_string(self.agent.state_dir().join("agent_id"));
        text.expect("an agent id").trim().to_owned()
    }

    /// Waits for something; panics with what the agent says when it does not come.
    pub fn wait(&self, what: &str, condition: impl FnMut() -> bool) {
        if let Err(error) = wait_for(what, PATIENCE, condition) {
            panic!(
                "{error}\nlink: {}\nagent:\n{}",
                self.link(),
                self.agent.log_tail()
            );
        }
    }

    /// Waits until its way to the collector says this.
    pub fn wait_for_link(&self, key: &str, value: &str) {
        self.wait(value, || self.link()[key] == value);
    }

    /// Has it keep a record.
    pub fn keep(&self, payload: &str) {
        let answer = sender::send(&self.agent.socket(), payload).expect("the agent answers");
        assert!(matches!(answer, Answer::Kept(_)), "{answer:?}");
    }

    /// Has it keep a record, and waits until that has arrived.
    pub fn deliver(&self, payload: &str) {
        self.keep(payload);
        self.wait("the record to arrive", || {
            self.site.stored().iter().any(|one| one == payload)
        });
    }
}

/// Where agents reach a collector.
pub fn url(collector: &Backend) -> String {
    format!("https://{}", collector.addresses().grpc)
}

/// What a program said on its standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
