//! What rules find.

use std::collections::HashMap;

use super::hooks::{self, Wanted};
use super::rules::Condition;
use crate::analysis::{
    AnalysisError, Comparison, Escalation, Verdict, compare_newest, escalations, times, usual,
};
use crate::http::compare_href;
use crate::store::{Finding, Found, Store, Watch};

/// How sure a comparison has to be that wakes somebody.
const CONFIDENCE: f64 = 0.99;
/// The severity from which faults are held against a build: medium.
const SEVERITY: i16 = 2;

/// What a rule finds now. Where that is more than is told one by one, what is `open` of it is among that.
pub async fn find(store: &Store, condition: &Condition, open: &[String]) -> Result<Found, AnalysisError> {
    match condition {
        Condition::NewIssue {
            hosts,
            within,
            class,
            severity,
        } => Ok(store
            .new_issues(*hosts, *within, class, *severity as i16, open)
            .await?),
        Condition::Regression { class } => Ok(store.issues_in("regressed", class, open).await?),
        Condition::Escalation { class } => escalating(store, class, open).await,
        Condition::Silence { longer_than } => Ok(store.silent_hosts(*longer_than, open).await?),
        Condition::BadPart {
            kind,
            min_score,
            uncorrected,
        } => Ok(store.bad_parts(*kind, *min_score, *uncorrected, open).await?),
        Condition::MissingHook {
            hosts,
            min_share,
            by,
            hooks,
        } => {
            let wanted = Wanted {
                hosts: *hosts,
                min_share: *min_share,
                hooks,
            };
            let findings = hooks::missing(&store.hook_sums(*by).await?, wanted);
            Ok(Found { findings, more: 0 }.cut(open))
        }
        Condition::Books {} => Ok(store.wrong_books(open).await?),
        Condition::WorseBuild {
            max_ratio,
            days,
            class,
        } => {
            let watch = Watch {
                days: *days,
                min_severity: SEVERITY,
                class: class.clone(),
                issue: None,
            };
            worse_build(store, *max_ratio, watch).await
        }
    }
}

/// Issues with more records within the hour than usual, and those that more hosts come to have, day by day.
async fn escalating(store: &Store, class: &str, open: &[String]) -> Result<Found, AnalysisError> {
    let mut found = store.issues_in("escalating", class, open).await?;
    let watch = Watch {
        days: usual::DAYS,
        min_severity: SEVERITY,
        class: class.to_owned(),
        issue: None,
    };
    let rises: HashMap<String, Escalation> = escalations(store, &watch, usual::FALSE_PART)
        .await?
        .into_iter()
        .map(|rise| (rise.issue.clone(), rise))
        .collect();
    let days = rises.values().map(|rise| (rise.issue.as_str(), rise.days));
    let rose = store.issues_that_rose(days, open).await?;
    found.more += rose.more;
    for mut finding in rose.findings {
        let Some(rise) = rises.get(&finding.object) else {
            continue;
        };
        let times = times(rise.ratio);
        let since = match rise.days {
            1 => "today".to_owned(),
            days => format!("for {days} days"),
        };
        finding.summary = format!(
            "more hosts come to have it, {times} as many {since}: {}",
            finding.summary
        );
        found.findings.push(finding);
    }
    Ok(found.cut(open))
}

/// The newest build, of those that one in 100 hosts ran, where it is worse than the one before it.
async fn worse_build(store: &Store, max_ratio: f64, watch: Watch) -> Result<Found, AnalysisError> {
    let found = compare_newest(store, max_ratio, CONFIDENCE, watch.clone()).await?;
    let worse = found.filter(|found| found.verdict == Verdict::Worse);
    let findings = worse.iter().map(|found| told(found, &watch)).collect();
    Ok(Found { findings, more: 0 })
}

fn told(found: &Comparison, watch: &Watch) -> Finding {
    Finding {
        object: found.to.name.clone(),
        severity: 3,
        summary: found.worse_in_words(),
        path: page_of(found, watch),
    }
}

/// The page that compares the same, by the same ratio. Its 95 % find what 99 % find.
fn page_of(found: &Comparison, watch: &Watch) -> String {
    let Watch { days, class, .. } = watch;
    let mut more = form_urlencoded::Serializer::new(compare_href(&found.from.name, &found.to.name));
    more.append_pair("max_ratio", &found.max_ratio.to_string())
        .append_pair("days", &days.to_string());
    if !class.is_empty() {
        more.append_pair("class", class);
    }
    more.finish()
}
