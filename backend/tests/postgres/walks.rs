//! A page takes a bounded time, however few of however many records match: it may end early, and nothing is passed over.

use backend::export::{Format, export};
use proto::v1::{Batch, FaultFilter};
use tokio::sync::mpsc;

use crate::support::{Database, batch, encoded, host, record, sender};

/// Records of a batch, and batches between the two that match: more than a walk looks at for a page, twice over.
const RECORDS: u64 = 4000;
const BATCHES: u64 = 11;

#[tokio::test(flavor = "multi_thread")]
async fn few_among_many_are_found_page_by_page() {
    let Some(db) = Database::new("few_among_many_are_found_page_by_page").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let needle = |first_seq| {
        let mut needle = record("");
        needle.title = "WARNING in needle_in_a_haystack".to_owned();
        needle.class = "boot.end".to_owned();
        Batch {
            first_seq,
            records: vec![encoded(&needle)],
        }
    };
    let last = BATCHES * RECORDS + 2;
    db.store.deliver(&sender, needle(1)).await.unwrap();
    for many in 0..BATCHES {
        let first_seq = many * RECORDS + 2;
        db.store
            .deliver(&sender, batch(first_seq, RECORDS))
            .await
            .unwrap();
    }
    db.store.deliver(&sender, needle(last)).await.unwrap();

    let asked = |query: &str, include_housekeeping| FaultFilter {
        query: query.to_owned(),
        include_housekeeping,
        ..FaultFilter::default()
    };
    let host = format!("host:{} needle_in", sender.agent_id);
    for filter in [
        asked("needle_in", false),
        asked("needle_in", true),
        asked(&host, false),
    ] {
        let (mut found, mut pages, mut token) = (Vec::new(), 0, String::new());
        loop {
            let page = db.store.list_faults(&filter, 50, &token).await.unwrap();
            found.extend(page.faults.iter().map(|fault| fault.seq));
            pages += 1;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, [last, 1], "{}", filter.query);
        assert!(pages >= 3, "{pages} pages for {}", filter.query);
    }

    // Ends of boots have an index.
    let ends = FaultFilter {
        class: "boot.end".to_owned(),
        ..FaultFilter::default()
    };
    let page = db.store.list_faults(&ends, 5, "").await.unwrap();
    assert_eq!(
        page.faults.iter().map(|fault| fault.seq).collect::<Vec<_>>(),
        [last, 1]
    );
    assert_eq!(page.next_page_token, "");

    let (pieces, mut exported) = mpsc::channel(64);
    let count = export(&db.store, &asked("needle_in", false), Format::Jsonl, &pieces).await;
    assert_eq!(count.unwrap(), 2);
    drop(pieces);
    let mut file = Vec::new();
    while let Some(piece) = exported.recv().await {
        file.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(file).unwrap().lines().count(), 2);
}
