//! What is asked, and how soon it should be answered.

use anyhow::{Context as _, Result};
use axum::Router;
use serde_json::Value;

use super::{answer, fill::Known};

/// Milliseconds in which any call is answered, at the 99th percentile.
const CALL_MS: f64 = 50.0;
/// The same of a page of records that only follows an index.
const PAGE_MS: f64 = 5.0;
/// Pages that are turned to get into the midst of the records.
const DEEP: usize = 40;

pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    pub(crate) bar_ms: f64,
}

/// Every call of the API that reads.
pub(crate) async fn all(router: &Router, known: &Known) -> Result<Vec<Call>> {
    let (host, issue, agent) = (&known.host, &known.issue, &known.agent_id);
    let first: Value = serde_json::from_slice(&answer(router, "/api/v1/faults?page_size=1").await?)?;
    let id = first["faults"][0]["id"].as_str().context("a record")?.to_owned();
    let page = |name, address: String| Call {
        name,
        address,
        bar_ms: PAGE_MS,
    };
    let call = |name, address: String| Call {
        name,
        address,
        bar_ms: CALL_MS,
    };
    let v1 = |path: &str| format!("/api/v1/{path}");
    Ok(vec![
        page("records, first page", v1("faults")),
        page(
            "records, a page in the midst",
            deep(router, "faults?page_size=500").await?,
        ),
        page(
            "records, with housekeeping",
            v1("faults?include_housekeeping=true"),
        ),
        page("records of a class", v1("faults?q=class:kernel.oops")),
        page(
            "records, severe and of a kernel",
            v1("faults?q=severity%3E=high+kernel:6.12.*"),
        ),
        page("records of a host", v1(&format!("faults?host={host}"))),
        page(
            "records of a host of a class",
            v1(&format!("faults?q=host:{host}+class:kernel.oops")),
        ),
        call("records of an issue", v1(&format!("faults?q=issue:{issue}"))),
        call(
            "records of a fingerprint",
            v1(&format!("faults?fingerprint={issue}")),
        ),
        call("records of a build", v1("faults?q=build:42")),
        call("records with a text", v1("faults?q=driver_7_transmit")),
        call(
            "records with a text inside",
            v1("faults?q=payload:driver_7_transmit"),
        ),
        call("records with no such text", v1("faults?q=payload:nowhere*at_all")),
        call(
            "records of a week, two sorts",
            v1("faults?q=after:-7d+(class:kernel.oops+or+class:custom)"),
        ),
        page("a record", v1(&format!("faults/{id}"))),
        call("issues, first page", v1("issues")),
        call("issues, next page", deep(router, "issues?page_size=50").await?),
        call("issues of a class", v1("issues?class=kernel.&state=new")),
        call("issues that a kernel has", v1("issues?q=kernel:6.12.3*")),
        call("issues that a kernel does not have", v1("issues?q=-kernel:6.*")),
        call("issues of a host", v1(&format!("issues?q=host:{host}"))),
        page("an issue", v1(&format!("issues/{issue}"))),
        call("its variants", v1(&format!("issues/{issue}/variants"))),
        call("its days", v1(&format!("issues/{issue}/days"))),
        call("what is unusual about it", v1(&format!("issues/{issue}/unusual"))),
        page("hosts, first page", v1("hosts")),
        call("hosts of a build", v1("hosts?q=build:42+model:X*")),
        page("a host", v1(&format!("hosts/{agent}"))),
        call("builds", v1("builds")),
        call("rates by build", v1("statistics/rates?by=build")),
        call("rates by class", v1("statistics/classes")),
        call("rates by day", v1("statistics/days")),
        call("build against build", v1("statistics/compare?from=41&to=42")),
        call("escalations", v1("statistics/escalations")),
        call("survival of a build", v1("statistics/survival?of=42")),
        call("outliers", v1("statistics/outliers")),
        call("completion of a filter", v1("filter/complete?q=host:")),
        call(
            "old records of a machine",
            format!("/api/records?machine_id={agent}&limit=50"),
        ),
    ])
}

/// Every page.
pub(crate) async fn pages(router: &Router, known: &Known) -> Result<Vec<Call>> {
    let (host, issue, agent) = (&known.host, &known.issue, &known.agent_id);
    let first: Value = serde_json::from_slice(&answer(router, "/api/v1/faults?page_size=1").await?)?;
    let id = first["faults"][0]["id"].as_str().context("a record")?;
    let pages = [
        ("overview", "/".to_owned()),
        ("faults", "/faults".to_owned()),
        ("faults of a host", format!("/faults?host={host}")),
        ("a fault", format!("/faults/{id}")),
        ("issues", "/issues".to_owned()),
        ("an issue", format!("/issues/{issue}")),
        ("crashes", "/crashes".to_owned()),
        ("hosts", "/hosts".to_owned()),
        ("a host", format!("/hosts/{agent}")),
        ("hardware", "/hardware".to_owned()),
        ("hardware events", "/hardware/events".to_owned()),
        ("probes", "/probes".to_owned()),
        ("builds", "/builds".to_owned()),
        ("build against build", "/builds?from=41&to=42".to_owned()),
        ("updates", "/updates".to_owned()),
        ("population", "/population".to_owned()),
        ("administration", "/admin".to_owned()),
    ];
    let call = |(name, address)| Call {
        name,
        address,
        bar_ms: CALL_MS,
    };
    Ok(pages.map(call).into())
}

/// The address of a page far behind the first.
async fn deep(router: &Router, list: &str) -> Result<String> {
    let first = format!("/api/v1/{list}");
    let mut address = first.clone();
    for _ in 0..DEEP {
        let page: Value = serde_json::from_slice(&answer(router, &address).await?)?;
        match page["next_page_token"].as_str() {
            Some(token) if !token.is_empty() => {
                // The page that is asked for is of the usual size.
                address = format!("{first}&page_token={token}");
            }
            _ => break,
        }
    }
    Ok(address.replace("page_size=500", "page_size=50"))
}
