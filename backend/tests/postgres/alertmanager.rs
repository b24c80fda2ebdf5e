//! Alerts to Prometheus' own Alertmanager.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use backend::{
    alerts::{self, Rules},
    store::{IssueChange, IssueState},
};
use serde_json::Value;
use testing::skip;

use crate::{
    alerts::{ISSUE, Running, spread},
    support::{Database, PATIENCE, fetch::fetch},
};

/// Debian's name of it, program and package.
const PROGRAM: &str = "prometheus-alertmanager";
/// It has to have a receiver, and this one tells nobody.
const CONFIGURATION: &str = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";

struct Alertmanager {
    address: SocketAddr,
    child: Child,
}

impl Alertmanager {
    /// `None`: it is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let configuration = folder.join("alertmanager.yml");
        fs::write(&configuration, CONFIGURATION).unwrap();
        let mut child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            // None of a cluster.
            .arg("--cluster.listen-address=")
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log.find_map(|line| address(&line.unwrap())).unwrap();
        // It ends when nobody takes what it says.
        thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        Some(Self { address, child })
    }

    /// Waits until it has so many alerts.
    async fn alerts(&self, count: usize) -> Vec<Value> {
        let mut alerts = Vec::new();
        for _ in 0..PATIENCE.as_millis() / 100 {
            let body = fetch(self.address, "/api/v2/alerts").await.unwrap_or_default();
            alerts = serde_json::from_str(&body).unwrap_or_default();
            if alerts.len() == count && !body.is_empty() {
                return alerts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} alerts were to come: {alerts:?}");
    }
}

/// Where it listens, of the line of its log that says so.
fn address(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
    address.trim().parse().ok()
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn the_real_alertmanager_takes_alerts_and_their_end() {
    let test = "the_real_alertmanager_takes_alerts_and_their_end";
    let folder = tempfile::tempdir().unwrap();
    let Some(alertmanager) = Alertmanager::start(folder.path()) else {
        skip(
            test,
            &format!("{PROGRAM} is not installed: apt-get install {PROGRAM}"),
        );
        return;
    };
    let Some(db) = Database::new(test).await else {
        return;
    };
    alertmanager.alerts(0).await;
    let rules = Rules::parse(&format!(
        "pages = \"https://telemetry.example/\"
         [[target]]
         name = \"am\"
         by = {{ alertmanager = {{ url = \"http://{}\" }} }}
         [[rule]]
         name = \"spreads\"
         when = {{ new_issue = {{ hosts = 1, within = \"1d\" }} }}
         targets = [\"am\"]",
        alertmanager.address
    ))
    .unwrap();
    spread(&db, 1).await;
    let running = Running::start(&db, &rules);
    let alert = alertmanager.alerts(1).await.remove(0);
    assert_eq!(alert["labels"]["alertname"], "spreads", "{alert}");
    assert_eq!(alert["labels"]["object"], ISSUE, "{alert}");
    assert_eq!(alert["status"]["state"], "active", "{alert}");
    assert_eq!(
        alert["generatorURL"],
        format!("https://telemetry.example/issues/{ISSUE}"),
        "{alert}"
    );

    // Somebody looks after it: it is no longer new.
    let change = IssueChange {
        who: "tom".to_owned(),
        state: Some(IssueState::Ongoing),
        ..IssueChange::default()
    };
    assert!(db.store.change_issue(ISSUE, &change).await.unwrap().is_some());
    alerts::look(&db.store, &rules).await.unwrap();
    alertmanager.alerts(0).await;
    drop(running);
}
