//! Debian's nginx with what `deploy/nginx/` has, before a collector.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::{
    process::{Addresses, wait_for},
    site::{PATIENCE, Site, said},
    skip,
};

/// Its module for streams, where Debian puts it; other builds have it inside.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// nginx with the files of `deploy/nginx/`, on ports of its own.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    /// TLS for pages and queries.
    https: SocketAddr,
    /// TLS that goes through.
    pub agents: SocketAddr,
    certificate: PathBuf,
}

/// Other words in the files: each that is there, and what takes its place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    /// In the file of the pages.
    pub pages: &'a [(&'a str, &'a str)],
    /// In that of the agents.
    pub agents: &'a [(&'a str, &'a str)],
}

impl Nginx {
    /// With the files as they are. None: something is missing here, and the test was skipped visibly.
    pub fn start(test: &str, site: &Site, to: &Addresses) -> Option<Self> {
        Self::start_with(test, site, to, &Changes::default())
    }

    /// With other words in them.
    pub fn start_with(test: &str, site: &Site, to: &Addresses, changes: &Changes<'_>) -> Option<Self> {
        if let Some(reason) = missing() {
            skip(test, &reason);
            return None;
        }
        let dir = site.dir().join("nginx");
        fs::create_dir(&dir).expect("a folder");
        let certificate = certify(&dir);
        let (https, agents) = (free_port(), free_port());
        let own = [
            ("server 127.0.0.1:7131;", format!("server {};", to.http)),
            ("server 127.0.0.1:7130;", format!("server {};", to.grpc)),
            ("listen 80;", format!("listen {};", free_port())),
            ("listen 443 ssl", format!("listen {https} ssl")),
            (
                "/etc/ssl/telemetry.example.pem",
                dir.join("site.pem").display().to_string(),
            ),
            (
                "/etc/ssl/private/telemetry.example.key",
                dir.join("site.key").display().to_string(),
            ),
        ];
        let own = own.iter().map(|(from, to)| (*from, to.as_str()));
        let all: Vec<_> = own.chain(changes.pages.iter().copied()).collect();
        fs::write(dir.join("pages.conf"), rendered("telemetrics.conf", &all)).expect("write");
        let server = format!("server {}", to.grpc);
        let listen = format!("listen {agents}");
        let own = [
            ("server 127.0.0.1:7140", server.as_str()),
            ("listen 7130", listen.as_str()),
        ];
        let all = [&own[..], changes.agents].concat();
        fs::write(dir.join("agents.conf"), rendered("telemetrics-agents.conf", &all)).expect("write");
        let mut nginx = Self {
            process: run(&dir),
            https,
            agents,
            certificate,
        };
        wait_for("nginx to listen", PATIENCE, || {
            if let Ok(Some(status)) = nginx.process.try_wait() {
                let said = fs::read_to_string(dir.join("stderr")).unwrap_or_default();
                panic!("nginx ended with {status}: {said}");
            }
            std::net::TcpStream::connect(nginx.https).is_ok()
        })
        .expect("it listens");
        Some(nginx)
    }

    /// `curl` for an address of the pages.
    pub fn curl(&self, path: &str, args: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--cacert"])
            .arg(&self.certificate)
            .arg("--resolve")
            .arg(format!("telemetry.example:{}:127.0.0.1", self.https.port()))
            .args(["--max-time", "600"])
            .args(args)
            .arg(format!("https://telemetry.example:{}{path}", self.https.port()));
        curl
    }

    /// The status of an answer.
    pub fn status(&self, path: &str, args: &[&str]) -> String {
        let output = self
            .curl(path, args)
            .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
            .output();
        text(&output.expect("curl runs"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers on SIGTERM.
        if let Some(pid) = i32::try_from(self.process.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        self.process.wait().ok();
    }
}

/// What is not installed here; None: nothing.
fn missing() -> Option<String> {
    let needed = [
        ("nginx", "nginx libnginx-mod-stream"),
        ("openssl", "openssl"),
        ("curl", "curl"),
    ];
    let missing = needed
        .into_iter()
        .find(|(program, _)| Command::new(program).arg("-V").output().is_err());
    missing.map(|(program, package)| format!("{program} is missing: apt-get install {package}"))
}

/// nginx with the files of the pages and of the agents that are in `dir`.
fn run(dir: &Path) -> Child {
    let module = if Path::new(STREAM_MODULE).exists() {
        format!("load_module {STREAM_MODULE};")
    } else {
        String::new()
    };
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let d = dir.display();
    let whole = format!(
        "{module}\n{user}\ndaemon off;\nworker_processes 1;\npid {d}/pid;\nerror_log {d}/error.log;\nevents {{}}\n\
         include {d}/agents.conf;\nhttp {{ access_log off; client_body_temp_path {d}/b; proxy_temp_path {d}/p; \
         fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s; include {d}/pages.conf; }}\n"
    );
    let main = dir.join("nginx.conf");
    fs::write(&main, whole).expect("write");
    let log = fs::File::create(dir.join("stderr")).expect("a log");
    Command::new("nginx")
        .arg("-c")
        .arg(&main)
        .arg("-e")
        .arg(dir.join("error.log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("nginx starts")
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// A file of `deploy/nginx/` with other addresses and paths.
fn rendered(name: &str, changes: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/nginx")
        .join(name);
    let mut text = fs::read_to_string(file).expect("a file of deploy/nginx");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from:?}");
        text = text.replace(from, to);
    }
    text
}

/// A certificate that vouches for itself.
fn certify(dir: &Path) -> PathBuf {
    let certificate = dir.join("site.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=telemetry.example"])
        .args(["-addext", "subjectAltName=DNS:telemetry.example", "-keyout"])
        .arg(dir.join("site.key"))
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", said(&made));
    certificate
}

/// What a program that succeeded said on its standard output.
pub fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
