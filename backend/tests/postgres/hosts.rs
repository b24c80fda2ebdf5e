//! What hosts say about themselves, as it can be asked for.

use proto::v1::{Dimm, Host, Module};
use uuid::Uuid;

use crate::support::{Database, host, sender};

fn module(name: &str, version: &str) -> Module {
    Module {
        name: name.to_owned(),
        version: version.to_owned(),
        taint: "OE".to_owned(),
        ..Module::default()
    }
}

fn dimm(locator: &str, size_bytes: u64) -> Dimm {
    Dimm {
        locator: locator.to_owned(),
        manufacturer: "Samsung".to_owned(),
        technology: "DDR5".to_owned(),
        size_bytes,
        configured_mts: 4800,
        ranks: 2,
        ..Dimm::default()
    }
}

fn server() -> Host {
    Host {
        hostname: "web-1".to_owned(),
        chassis: "rack mount".to_owned(),
        cpu_vendor: "GenuineIntel".to_owned(),
        cpu_family: Some(6),
        cpu_number: Some(143),
        cpu_stepping: Some(0),
        microcode: "0x2b000461".to_owned(),
        taint: Some(12_288),
        livepatches: vec!["kpatch_1".to_owned()],
        privacy: vec!["ip hash".to_owned()],
        modules: vec![module("ext4", ""), module("nvidia", "550.54.14")],
        dimms: vec![dimm("DIMM_A1", 64 << 30), dimm("DIMM_B1", 64 << 30)],
        memory_correction: "multi-bit ECC".to_owned(),
        kernel_build_id: "5b8d2f".to_owned(),
        ..host()
    }
}

/// What is known about a host.
async fn told(db: &Database, agent_id: Uuid) -> Option<Host> {
    let known = db.store.host(agent_id).await.expect("the store answers")?;
    known.host
}

#[tokio::test]
async fn a_host_is_known_by_its_latest_word() {
    let Some(db) = Database::new("a_host_is_known_by_its_latest_word").await else {
        return;
    };
    let sender = sender();
    assert_eq!(told(&db, sender.agent_id).await, None);
    db.store.hello(&sender, &server(), "1").await.unwrap();
    assert_eq!(told(&db, sender.agent_id).await, Some(server()));

    let mut later = server();
    later.modules = vec![module("nvidia", "560.28.03")];
    later.dimms.remove(0);
    later.microcode = "0x2b0005c0".to_owned();
    let twice = Host {
        // A sender that names one twice is a nuisance, and no more than that.
        modules: [later.modules.clone(), later.modules.clone()].concat(),
        ..later.clone()
    };
    db.store.hello(&sender, &twice, "1").await.unwrap();
    assert_eq!(told(&db, sender.agent_id).await, Some(later));
    let shared = "SELECT count(*) FROM v_host_modules WHERE name = 'nvidia' AND version = '560.28.03' AND hostname = 'web-1'";
    assert_eq!(db.count(shared).await, 1);
}

#[tokio::test]
async fn a_host_that_says_the_same_again_writes_none_of_its_parts_anew() {
    let Some(db) = Database::new("a_host_that_says_the_same_again_writes_none_of_its_parts_anew").await
    else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &server(), "1").await.unwrap();
    let written = "SELECT sum(xmin::text::bigint)::bigint FROM (SELECT xmin FROM host_modules UNION ALL SELECT xmin FROM host_dimms) AS parts";
    let before = db.count(written).await;
    db.store.hello(&sender, &server(), "1").await.unwrap();
    assert_eq!(db.count(written).await, before);
}
