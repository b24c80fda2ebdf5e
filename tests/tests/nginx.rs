//! What `deploy/nginx/` has, in Debian's nginx before a real collector: an agent, a browser's requests, and those who ask too much.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::Stdio,
    thread,
    time::Duration,
};

use system_tests::{
    nginx::{Changes, Nginx, text},
    process::wait_for,
    site::{PATIENCE, Site},
};

/// Several times of what nginx waits where a test has it be impatient.
const SILENCE: Duration = Duration::from_secs(4);

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
    let large = "x".repeat(100_000);
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
