//! What sessions with PostgreSQL keep of what they were asked.

use backend::store::SavedSearch;
use filter::Subject;
use proto::v1::{FaultFilter, HostFilter, IssueFilter};

use crate::support::Database;

/// How many differently shaped filters are asked.
const SHAPES: usize = 400;
/// Prepared statements that a session may have.
const MOST: i64 = 210;

/// Saving a search notes how many statements the session that does it has.
const NOTES: &str = "CREATE TABLE seen (statements bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen SELECT count(*) FROM pg_prepared_statements;
        RETURN NEW;
    END $$;
    CREATE TRIGGER note AFTER INSERT ON saved_searches FOR EACH ROW EXECUTE FUNCTION note();";

/// A filter that becomes other SQL for every number below [`SHAPES`].
fn shaped(number: usize) -> String {
    let condition = |bit: usize| {
        if number >> bit & 1 == 1 {
            "-build:41"
        } else {
            "build:41"
        }
    };
    (0..9).map(condition).collect::<Vec<_>>().join(" or ")
}

/// Has a session of the store note its statements.
async fn note(db: &Database) {
    let search = SavedSearch {
        owner: String::new(),
        subject: Subject::Faults,
        name: "one".to_owned(),
        search: String::new(),
        shared: false,
    };
    assert!(db.store.save_search(&search).await.unwrap());
    assert!(db.store.delete_search("", Subject::Faults, "one").await.unwrap());
}

#[tokio::test]
async fn filters_of_many_shapes_leave_few_statements() {
    let Some(db) = Database::new("filters_of_many_shapes_leave_few_statements").await else {
        return;
    };
    db.sql().await.batch_execute(NOTES).await.unwrap();
    for number in 0..SHAPES {
        let query = shaped(number);
        let faults = FaultFilter {
            query: query.clone(),
            ..FaultFilter::default()
        };
        match number % 4 {
            0 => drop(db.store.list_faults(&faults, 50, "").await.unwrap()),
            1 => drop(db.store.counts(&faults).await.unwrap()),
            2 => {
                let issues = IssueFilter {
                    query,
                    ..IssueFilter::default()
                };
                drop(db.store.list_issues(&issues, 50, "").await.unwrap());
            }
            _ => drop(db.store.list_hosts(&HostFilter { query }, 50, "").await.unwrap()),
        }
        note(&db).await;
    }
    let most = db.count("SELECT max(statements) FROM seen").await;
    assert!(most <= MOST, "{most}");
    assert!(most > MOST / 2, "{most}: what is asked again is prepared already");
}
