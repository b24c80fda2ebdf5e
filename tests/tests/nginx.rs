//! What `deploy/nginx/` has, in Debian's nginx before a real collector: an agent, a browser's requests, and those who ask too much.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use system_tests::{
    process::{Addresses, wait_for},
    site::{PATIENCE, Site, said},
    skip,
};

/// Several times of what nginx waits where a test has it be impatient.
const SILENCE: Duration = Duration::from_secs(4);
/// Its module for streams, where Debian puts it; other builds have it inside.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// nginx with the files of `deploy/nginx/`, on ports of its own.
struct Nginx {
    process: Child,
    /// TLS for pages and queries.
    https: SocketAddr,
    /// TLS that goes through.
    agents: SocketAddr,
    certificate: PathBuf,
}

/// Other words in the files: each that is there, and what takes its place.
#[derive(Default)]
struct Changes<'a> {
    pages: &'a [(&'a str, &'a str)],
    agents: &'a [(&'a str, &'a str)],
}

impl Nginx {
    /// With the files as they are. None: something is missing here, and the test was skipped visibly.
    fn start(test: &str, site: &Site, to: &Addresses) -> Option<Self> {
        Self::start_with(test, site, to, &Changes::default())
    }

    fn start_with(test: &str, site: &Site, to: &Addresses, changes: &Changes<'_>) -> Option<Self> {
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
    fn curl(&self, path: &str, args: &[&str]) -> Command {
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
    fn status(&self, path: &str, args: &[&str]) -> String {
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

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
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

#[test]
fn an_agent_enrols_and_delivers_through_nginx_with_its_own_certificate() {
    let test = "an_agent_enrols_and_delivers_through_nginx_with_its_own_certificate";
    let Some(site) = Site::new(test) else {
        return;
    };
    let collector = site.collector("collector", &[]);
    let addresses = collector.addresses();
    let Some(nginx) = Nginx::start(test, &site, &addresses) else {
        return;
    };
    let mut host = site.agent("host", "");
    host.enrolled(&format!("https://{}", nginx.agents));
    host.agent.restart().expect("it starts");
    host.deliver("through nginx");
    // It was taken for itself by its certificate, which nginx has let through: the collector takes no others.
    let until = host.link()["certificate_until_unix_s"].as_i64();
    assert!(until.is_some_and(|until| until > 0), "{}", host.link());
    // A stream on which nothing happened is still the same one.
    host.deliver("again");
    site.database.assert_books_balance();
}

#[test]
fn pages_behind_nginx_are_live_and_those_who_ask_too_much_are_refused() {
    let test = "pages_behind_nginx_are_live_and_those_who_ask_too_much_are_refused";
    let Some(site) = Site::new(test) else {
        return;
    };
    let collector = site.collector("collector", &["--anonymous", "viewer"]);
    let addresses = collector.addresses();
    let Some(nginx) = Nginx::start(test, &site, &addresses) else {
        return;
    };
    let page = text(&nginx.curl("/", &["--include"]).output().expect("curl runs")).to_lowercase();
    assert!(page.contains("http/2 200"), "{page}");
    for header in ["strict-transport-security", "content-security-policy"] {
        assert!(page.contains(header), "{header} is missing in {page}");
    }
    // The collector is behind a proxy: nobody is taken for somebody at its machine.
    assert_eq!(nginx.status("/admin", &[]), "403");
    // What is too large does not reach it.
    let large = "x".repeat(20_000);
    assert_eq!(nginx.status("/login", &["--data", &large]), "413");
    assert_eq!(
        nginx.status("/telemetry.v1.Collector/Deliver", &["--data", ""]),
        "404"
    );

    // A live stream gives each fault at once, not when a buffer is full.
    let mut curl = nginx.curl("/live", &["--no-buffer"]);
    let mut live = curl.stdout(Stdio::piped()).spawn().expect("curl runs");
    let out = live.stdout.take().expect("a pipe");
    let mut host = site.agent("host", "");
    host.enrolled(&format!("https://{}", nginx.agents));
    host.agent.restart().expect("it starts");
    host.deliver("seen live");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    assert!(
        lines.any(|line| line.starts_with("event: fault") || line.starts_with("event:fault")),
        "the stream ended without it"
    );
    live.kill().ok();
    live.wait().ok();

    // Passwords are not tried without end.
    let refused = (0..100).any(|_| nginx.status("/login", &["--data", "name=a"]) == "429");
    assert!(refused, "a hundred passwords at once are too many");
}

#[test]
fn a_live_list_on_which_nothing_happens_stays_open_behind_nginx() {
    let test = "a_live_list_on_which_nothing_happens_stays_open_behind_nginx";
    let Some(site) = Site::new(test) else {
        return;
    };
    let collector = site.collector("collector", &["--anonymous", "viewer"]);
    let addresses = collector.addresses();
    // An hour is too long for a test. What has to hold for any time: the collector says something more often than nginx gives up.
    let shorter = Changes {
        pages: &[("proxy_read_timeout 1h;", "proxy_read_timeout 20s;")],
        ..Changes::default()
    };
    let Some(nginx) = Nginx::start_with(test, &site, &addresses, &shorter) else {
        return;
    };
    let mut curl = nginx.curl("/live", &["--no-buffer"]);
    let mut live = curl.stdout(Stdio::piped()).spawn().expect("curl runs");
    let out = live.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    // Comments of server-sent events, 15 s apart: after the third more than twice that time has gone by.
    let comments = lines.by_ref().filter(|line| line.starts_with(':')).take(3);
    assert_eq!(
        comments.count(),
        3,
        "nginx has closed a stream on which nothing happened"
    );
    let mut host = site.agent("host", "");
    host.enrolled(&format!("https://{}", nginx.agents));
    host.agent.restart().expect("it starts");
    host.deliver("after a silence");
    assert!(
        lines.any(|line| line.starts_with("event:")),
        "the stream ended without it"
    );
    live.kill().ok();
    live.wait().ok();
}

/// Waits until a stream has these bytes. False: it ended, or they did not come.
fn comes(out: &mut impl Read, words: &str) -> bool {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = out.read(&mut piece) {
        all.extend_from_slice(&piece[..count]);
        if all.windows(words.len()).any(|window| window == words.as_bytes()) {
            return true;
        }
    }
    false
}

#[test]
fn grpc_streams_on_which_nothing_happens_outlive_what_nginx_does_by_itself() {
    let test = "grpc_streams_on_which_nothing_happens_outlive_what_nginx_does_by_itself";
    let Some(site) = Site::new(test) else {
        return;
    };
    let collector = site.collector("collector", &["--anonymous", "viewer"]);
    // Where nothing is said nginx gives up after 1 s here instead of a minute: what is said has to hold for these streams.
    let ended = site.dir().join("ended");
    let impatient = format!(
        "log_format ended '$status $session_time'; access_log {} ended; proxy_timeout 1s; upstream telemetrics_agents {{",
        ended.display()
    );
    let changes = Changes {
        pages: &[
            (
                "upstream telemetrics_pages {",
                "grpc_read_timeout 1s; grpc_send_timeout 1s; upstream telemetrics_pages {",
            ),
            // The collector of this test speaks TLS to those who ask, too.
            ("grpc_pass grpc://", "grpc_pass grpcs://"),
        ],
        agents: &[("upstream telemetrics_agents {", &impatient)],
    };
    let Some(nginx) = Nginx::start_with(test, &site, &collector.addresses(), &changes) else {
        return;
    };
    let mut host = site.agent("host", "");
    host.enrolled(&format!("https://{}", nginx.agents));
    wait_for("the end of the enrolment", PATIENCE, || {
        !sessions(&ended).is_empty()
    })
    .expect("it ends");
    let other_sessions = sessions(&ended);
    host.agent.restart().expect("it starts");
    host.deliver("before the silence");

    let request = site.dir().join("tail");
    // A message of gRPC: not compressed, and of no bytes.
    fs::write(&request, [0; 5]).expect("write");
    let body = format!("@{}", request.display());
    let headers = [
        "--header",
        "content-type: application/grpc",
        "--header",
        "te: trailers",
    ];
    let mut curl = nginx.curl("/telemetry.v1.Query/TailFaults", &headers);
    let mut tail = curl
        .args(["--no-buffer", "--max-time", "60", "--data-binary", &body])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let mut out = tail.stdout.take().expect("a pipe");
    thread::sleep(SILENCE);
    assert!(
        tail.try_wait().expect("curl runs").is_none(),
        "the tail has ended"
    );
    host.deliver("after the silence");
    assert!(comes(&mut out, "after the silence"), "the tail ended without it");
    assert_eq!(
        sessions(&ended),
        other_sessions,
        "the agent's stream was ended, and it made another"
    );
    tail.kill().ok();
    tail.wait().ok();
}

/// What nginx has written about streams of agents that have ended.
fn sessions(log: &Path) -> String {
    fs::read_to_string(log).expect("nginx has made its log")
}
