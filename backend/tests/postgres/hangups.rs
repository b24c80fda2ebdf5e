//! SIGHUP has a collector read its files again, and never ends it.

use rustix::process::Signal;

use crate::support::{
    Database,
    fetch::fetch,
    program::{Program, until},
};

fn rules(name: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nwhen = {{ regression = {{}} }}\ntargets = []\n")
}

#[tokio::test]
async fn a_hangup_without_files_ends_nothing() {
    let Some(db) = Database::new("a_hangup_without_files_ends_nothing").await else {
        return;
    };
    let collector = Program::start(&db, &[]);
    collector.addresses().await;
    collector.signal(Signal::HUP);
    collector.says("there is nothing to read again").await;
    assert!(collector.stop().await);
}

#[tokio::test]
async fn a_hangup_reads_the_alerts_again_and_a_wrong_file_changes_nothing() {
    let test = "a_hangup_reads_the_alerts_again_and_a_wrong_file_changes_nothing";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("alerts.toml");
    std::fs::write(&file, rules("first")).unwrap();
    let collector = Program::start(&db, &["--alerts", file.to_str().unwrap()]);
    let (_grpc, http) = collector.addresses().await;
    let has = async |path: &str, words: &str| {
        let read = async || fetch(http, path).await.filter(|page| page.contains(words));
        until(words, read).await;
    };
    has("/admin", ">first</option>").await;

    std::fs::write(&file, rules("second")).unwrap();
    collector.signal(Signal::HUP);
    has("/admin", ">second</option>").await;
    std::fs::write(&file, "[[rule]]\nname = 1\n").unwrap();
    collector.signal(Signal::HUP);
    has("/metrics", "telemetrics_alerts_file_refused 1").await;
    collector.says("the old rules stay in force").await;
    has("/admin", ">second</option>").await;
    std::fs::write(&file, rules("third")).unwrap();
    collector.signal(Signal::HUP);
    has("/admin", ">third</option>").await;
    has("/metrics", "telemetrics_alerts_file_refused 0").await;
    assert!(collector.stop().await);
}
