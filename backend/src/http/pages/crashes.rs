//! The page of programs that crashed.

use axum::extract::State;
use proto::v1::IssueFilter;
use uuid::Uuid;

use super::{App, Page, rendered};
use crate::http::access::Frame;
use crate::http::view::{CrashesInput, CrashesPage, SPARK_DAYS, issue_id};

/// Issues that are looked at: those with the latest records. A page of them has less than 200 KB.
const ISSUES: u32 = 100;
/// The class of crashes of programs.
const CLASS: &str = "program.crash";

/// `GET /crashes`.
pub(in crate::http) async fn crashes(State(app): State<App>, frame: Frame) -> Page {
    let filter = IssueFilter {
        class: CLASS.to_owned(),
        ..IssueFilter::default()
    };
    let list = app.store.list_issues(&filter, ISSUES, "").await?;
    let ids: Vec<Uuid> = list.issues.iter().filter_map(issue_id).collect();
    let page = CrashesPage::new(CrashesInput {
        more: !list.next_page_token.is_empty(),
        newest: app.store.newest_records(&ids).await?,
        days: app.store.issue_days(&ids, SPARK_DAYS).await?,
        issues: list.issues,
        now: (app.now)(),
        frame,
    });
    rendered(&page)
}
