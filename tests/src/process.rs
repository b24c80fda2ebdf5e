//! `backend` and `telemd` as child processes that a test can kill and start again.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};

/// How long a program may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a program may take to end after SIGTERM: both promise to be done in 5 s, and debug builds are slow.
const DRAINED: Duration = Duration::from_secs(10);
/// Name of the agent's opt-in file.
const OPT_IN: &str = "opt-in";
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A child process that dies with its owner. Its output goes to a log file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; appends stdout and stderr to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill a child of this test");
        self.child.wait().expect("wait for a child of this test");
    }

    /// SIGTERM, then its exit status; an error when it does not end in time.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        rustix::process::kill_process(self.pid(), Signal::TERM)?;
        let mut status = None;
        wait_for("the process to end after SIGTERM", DRAINED, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })?;
        status.context("no exit status")
    }

    /// Resident set size. Bytes.
    pub fn rss_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("no VmRSS line")?;
        let kib: u64 = line
            .split_ascii_whitespace()
            .nth(1)
            .context("no VmRSS value")?
            .parse()?;
        Ok(kib * 1024)
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written so far, for a failure's message.
    pub fn log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}

/// Where a collector listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The Collector and Query services.
    pub grpc: SocketAddr,
    /// REST and pages.
    pub http: SocketAddr,
}

/// What the collector says to a GET.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// JSON or a page.
    pub body: String,
}

/// The real collector on one database.
#[derive(Debug)]
pub struct Backend {
    program: PathBuf,
    database: String,
    args: Vec<String>,
    dir: PathBuf,
    /// Fixed after the first start, so that agents find it again.
    addresses: Option<Addresses>,
    process: Option<Process>,
}

impl Backend {
    /// Starts `backend serve` on `database`; keeps its files in `dir`.
    pub fn start(program: PathBuf, database: String, dir: &Path) -> Result<Self> {
        Self::start_with(program, database, dir, &[])
    }

    /// The same with more options.
    pub fn start_with(program: PathBuf, database: String, dir: &Path, args: &[&str]) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mut backend = Self {
            program,
            database,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            dir: dir.to_owned(),
            addresses: None,
            process: None,
        };
        backend.restart()?;
        Ok(backend)
    }

    /// Starts it again, on the same addresses.
    pub fn restart(&mut self) -> Result<()> {
        let file = self.dir.join("addresses.json");
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let wanted = self.addresses.unwrap_or(Addresses { grpc: any, http: any });
        let mut process = Process::start(
            Command::new(&self.program)
                .arg("serve")
                .args(["--database", &self.database])
                .args(["--grpc", &wanted.grpc.to_string()])
                .args(["--http", &wanted.http.to_string()])
                .arg("--address-file")
                .arg(&file)
                .args(&self.args),
            &self.dir.join("backend.log"),
        )?;
        let ready = wait_for("the collector to listen", PATIENCE, || {
            file.exists() || !process.is_running()
        });
        if ready.is_err() || !file.exists() {
            bail!("the collector did not start:\n{}", process.log_tail());
        }
        let value: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
        let address = |key: &str| -> Result<SocketAddr> {
            Ok(value[key]
                .as_str()
                .with_context(|| format!("no {key} address"))?
                .parse()?)
        };
        self.addresses = Some(Addresses {
            grpc: address("grpc")?,
            http: address("http")?,
        });
        self.process = Some(process);
        Ok(())
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses.expect("set by start")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("set by start")
    }

    /// What it has logged last.
    pub fn log_tail(&self) -> String {
        self.process.as_ref().map(Process::log_tail).unwrap_or_default()
    }

    /// GET of a path.
    pub fn get(&self, path: &str) -> Result<Answer> {
        answer(http().get(self.url(path)).call()?)
    }

    /// POST of JSON to a path.
    pub fn post(&self, path: &str, json: &str) -> Result<Answer> {
        let request = http()
            .post(self.url(path))
            .header("content-type", "application/json");
        answer(request.send(json)?)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses().http)
    }
}

fn http() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    Ok(Answer {
        status: response.status().as_u16(),
        body: response.body_mut().read_to_string()?,
    })
}

/// The real agent, with its socket as the only source of records.
#[derive(Debug)]
pub struct Agent {
    program: PathBuf,
    dir: PathBuf,
    environment: Vec<(String, String)>,
    process: Option<Process>,
}

impl Agent {
    /// Writes a config into `dir` and starts `telemd`. `extra` is appended to the config.
    pub fn start(program: PathBuf, dir: &Path, collector: SocketAddr, extra: &str) -> Result<Self> {
        let mut agent = Self::configure(program, dir, &format!("url = \"http://{collector}\""), extra)?;
        agent.restart()?;
        Ok(agent)
    }

    /// Writes a config into `dir` and starts nothing. `collector` is its `[collector]`, `extra` is appended.
    pub fn configure(program: PathBuf, dir: &Path, collector: &str, extra: &str) -> Result<Self> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join(OPT_IN), "")?;
        let quoted = |name: &str| toml_string(&dir.join(name));
        let config = format!(
            "state_dir = {}\nopt_in_file = {}\nsocket_path = {}\ncontrol_path = {}\nhostname = \"under-test\"\n\
             [collector]\n{collector}\n[probes]\nenabled = false\n{extra}\n",
            quoted("state"),
            quoted(OPT_IN),
            quoted("socket"),
            quoted("control"),
        );
        fs::write(dir.join("telemd.toml"), config)?;
        Ok(Self {
            program,
            dir: dir.to_owned(),
            environment: Vec::new(),
            process: None,
        })
    }

    /// Sets a variable of its environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it again, and waits for nothing.
    pub fn launch(&mut self) -> Result<()> {
        self.process = Some(Process::start(
            Command::new(&self.program)
                .envs(self.environment.iter().map(|(name, value)| (name, value)))
                .arg("--config")
                .arg(self.dir.join("telemd.toml")),
            &self.dir.join("telemd.log"),
        )?);
        Ok(())
    }

    /// Starts it again, and waits until its socket takes connections.
    pub fn restart(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    /// Waits until its socket takes connections.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let socket = self.socket();
        let process = self.process.as_mut().context("it was started")?;
        let ready = wait_for("the agent's socket", PATIENCE, || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok() || !process.is_running()
        });
        if ready.is_err() || !process.is_running() {
            bail!("the agent did not start:\n{}", process.log_tail());
        }
        Ok(())
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("telemd.toml")
    }

    /// The file that says that this host takes part.
    pub fn opt_in_file(&self) -> PathBuf {
        self.dir.join(OPT_IN)
    }

    /// Where it keeps what it has.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// What it has logged last.
    pub fn log_tail(&self) -> String {
        self.process.as_ref().map(Process::log_tail).unwrap_or_default()
    }

    /// The local socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("set by start")
    }
}

/// Waits until `condition` holds.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let start = now();
    while !condition() {
        if now().saturating_sub(start) > limit {
            bail!("waited {limit:?} for {what}");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Since the machine started.
fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).expect("the monotonic clock is not negative")
}

fn toml_string(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
