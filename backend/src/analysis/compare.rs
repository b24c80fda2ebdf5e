//! Is B worse than A?
//!
//! Counted is how many hosts had a fault for the first time, and for how many hours hosts were watched that had not had it yet:
//! one host that fails every minute is one host, and one that failed before it was updated is not held against the update. Builds and kernels
//! are compared on hosts of the same hardware model, and models on hosts of the same build.

mod sums;

use std::collections::BTreeMap;

use proto::v1::Severity;
use serde::Serialize;
use statistics::{Counted, compare::Stratum, discovery};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AnalysisError, Bounds, alpha, days::LEAST_HOURS, digits, finite, named, of_histories, real, times,
};
use crate::severity;
use crate::store::{Dimension, KnownIssue, Store, Watch};
use sums::{Affected, Side, Watched, side_by_side};

/// What is compared.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Builds, kernels or models.
    pub by: Dimension,
    /// The one that is compared to.
    pub from: String,
    /// The one that is compared.
    pub to: String,
    /// How many times as often `to` may fail.
    pub max_ratio: f64,
    /// How sure a verdict has to be, such as 0.95.
    pub confidence: f64,
    /// Which faults.
    pub watch: Watch,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is not worse than allowed, with the confidence that was asked for.
    Fine,
    /// It is worse than allowed, with that confidence, as a whole or in an issue.
    Worse,
    /// There is too little to say either.
    Unsure,
}

/// Two groups of hosts compared.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Comparison {
    /// What comes of it.
    pub verdict: Verdict,
    /// What was compared to, and what was compared.
    pub from: SideSum,
    /// See `from`.
    pub to: SideSum,
    /// The ratio that was allowed.
    pub max_ratio: f64,
    /// The confidence that was asked for.
    pub confidence: f64,
    /// Over all faults.
    pub ratio: RateRatio,
    /// Single issues, the surest ones first.
    pub issues: Vec<ComparisonOfIssue>,
}

/// One of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SideSum {
    /// Its name.
    pub name: String,
    /// Hosts that were watched.
    pub hosts: u64,
    /// Hours for which they were.
    pub host_hours: f64,
    /// Hosts that had their first fault in it, of the days that are looked at.
    pub affected: u64,
    /// Hours for which hosts were watched that had had no fault yet: what `affected` is divided by.
    pub hours_at_risk: f64,
}

/// Rate of `to` by rate of `from`, where a rate is hosts with a first fault by hours at risk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct RateRatio {
    /// The likeliest, as among hosts with the same in common; left out where it is infinite or nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<f64>,
    /// Its bounds.
    #[serde(flatten)]
    pub bounds: Bounds,
    /// Probability of what was seen or worse, were the ratio the allowed one.
    pub p_worse: f64,
    /// Probability of what was seen or better, were the ratio the allowed one.
    pub p_better: f64,
}

impl From<&statistics::compare::Comparison> for RateRatio {
    fn from(found: &statistics::compare::Comparison) -> Self {
        Self {
            estimate: found.ratio.and_then(finite),
            bounds: found.interval.into(),
            p_worse: found.p_above,
            p_better: found.p_below,
        }
    }
}

/// One issue in both.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparisonOfIssue {
    /// The issue, 32 hexadecimal digits.
    pub issue: String,
    /// Its class.
    pub class: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    #[serde(serialize_with = "severity::serialize")]
    #[schema(value_type = String)]
    pub severity: Severity,
    /// Whether it is worse than allowed.
    pub worse: bool,
    /// Hosts of `from` that had it for the first time ever.
    pub from_affected: u64,
    /// Hosts of `to` that had it for the first time ever.
    pub to_affected: u64,
    /// Of this issue alone.
    pub ratio: RateRatio,
    /// Expected part of false ones among the issues that are at least as sure.
    pub q_worse: f64,
}

impl Verdict {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Worse => "worse",
            Self::Unsure => "unsure",
        }
    }
}

impl Comparison {
    /// In what `to` is worse, as a sentence.
    pub fn worse_in_words(&self) -> String {
        let (from, to) = (&self.from, &self.to);
        let mut worse = self.issues.iter().filter(|issue| issue.worse);
        // Few issues are lost in the sum of all that happens.
        match (worse.next(), worse.count()) {
            (Some(first), others) => format!(
                "{} is worse than {}: {} on {} hosts beside {}{}",
                to.name,
                from.name,
                first.title,
                first.to_affected,
                first.from_affected,
                match others {
                    0 => String::new(),
                    others => format!(", and {others} more"),
                }
            ),
            (None, _) => format!(
                "{} fails {} as often as {}: {} of {} hosts had a first fault, beside {} of {}",
                to.name,
                times(self.ratio.estimate),
                from.name,
                to.affected,
                to.hosts,
                from.affected,
                from.hosts
            ),
        }
    }
}

/// Compares two groups of hosts, over all faults and issue by issue.
///
/// `worse` takes p ≤ α/2 over all faults or a q ≤ α/2 of an issue, with α = 1 - confidence: both ways together raise a false alarm
/// with at most about α. `fine` takes that a ratio above the allowed one is refuted with the confidence.
pub async fn compare(store: &Store, asked: &Asked) -> Result<Comparison, AnalysisError> {
    alpha(asked.confidence)?;
    if asked.from == asked.to {
        return Err(AnalysisError::Asked(format!(
            "{:?} cannot be compared with itself: name another one",
            asked.to
        )));
    }
    for name in [&asked.from, &asked.to] {
        named::check(store, asked.by, name, &asked.watch).await?;
    }
    let judged = asked.clone();
    of_histories(store, &asked.watch, move |histories, _| {
        let (watched, affected) = side_by_side(histories, &judged);
        judge(&judged, &watched, &affected)
    })
    .await
}

fn judge(
    asked: &Asked,
    watched: &[Watched<'_>],
    affected: &[Affected<'_>],
) -> Result<Comparison, AnalysisError> {
    let alpha = alpha(asked.confidence)?;
    let error = 1.0 - asked.confidence;
    let mut of_issue: BTreeMap<Option<Uuid>, Vec<&Affected<'_>>> = BTreeMap::from([(None, Vec::new())]);
    for one in affected {
        of_issue
            .entry(one.issue.map(|issue| issue.id))
            .or_default()
            .push(one);
    }
    let mut overall = None;
    let mut issues = Vec::new();
    for (issue, affected) in of_issue {
        let known = affected.iter().find_map(|one| one.issue);
        if issue.is_some() && affected.iter().all(|one| one.hosts == 0) {
            continue;
        }
        let strata = strata(watched, &affected);
        let found = statistics::compare::compare(&strata, asked.max_ratio, alpha)?;
        match known {
            None => overall = Some((strata, found)),
            Some(issue) => issues.push(of(issue, &affected, &found)),
        }
    }
    // Invariant: the map was made with an entry for all issues together.
    let (strata, overall) = overall.ok_or(statistics::Invalid::Exposure)?;

    let p_values: Vec<f64> = issues.iter().map(|issue| issue.ratio.p_worse).collect();
    let q_values = discovery::q_values(&p_values, discovery::Dependence::Positive)?;
    for (issue, q) in issues.iter_mut().zip(q_values) {
        issue.q_worse = q;
        issue.worse = q <= error / 2.0;
    }
    issues.sort_by(|a, b| {
        let p_worse = a.ratio.p_worse.total_cmp(&b.ratio.p_worse);
        p_worse.then_with(|| a.issue.cmp(&b.issue))
    });
    let verdict = if overall.p_above <= error / 2.0 || issues.iter().any(|issue| issue.worse) {
        Verdict::Worse
    } else if overall.p_below <= error {
        Verdict::Fine
    } else {
        Verdict::Unsure
    };
    Ok(Comparison {
        verdict,
        from: sum(&asked.from, Side::From, watched, &strata),
        to: sum(&asked.to, Side::To, watched, &strata),
        max_ratio: asked.max_ratio,
        confidence: asked.confidence,
        ratio: (&overall).into(),
        issues,
    })
}

/// Events and hours of each stratum: the hosts that had it, and the hours in which hosts had not had it yet.
fn strata(watched: &[Watched<'_>], affected: &[&Affected<'_>]) -> Vec<Stratum> {
    let mut strata: BTreeMap<&str, Stratum> = BTreeMap::new();
    for one in watched {
        let counted = side_of(strata.entry(one.stratum).or_default(), one.side);
        counted.exposure += one.hours;
    }
    for one in affected {
        let counted = side_of(strata.entry(one.stratum).or_default(), one.side);
        counted.events += one.hosts;
        counted.exposure = (counted.exposure - one.hours_after).max(real(counted.events) * LEAST_HOURS);
    }
    strata.into_values().collect()
}

fn side_of(stratum: &mut Stratum, side: Side) -> &mut Counted {
    match side {
        Side::From => &mut stratum.from,
        Side::To => &mut stratum.to,
    }
}

fn sum(name: &str, side: Side, watched: &[Watched<'_>], strata: &[Stratum]) -> SideSum {
    let mut sum = SideSum {
        name: name.to_owned(),
        ..SideSum::default()
    };
    for one in watched.iter().filter(|one| one.side == side) {
        sum.hosts += one.hosts;
        sum.host_hours += one.hours;
    }
    for stratum in strata {
        let counted = match side {
            Side::From => stratum.from,
            Side::To => stratum.to,
        };
        sum.affected += counted.events;
        sum.hours_at_risk += counted.exposure;
    }
    sum
}

fn of(
    issue: &KnownIssue,
    affected: &[&Affected<'_>],
    found: &statistics::compare::Comparison,
) -> ComparisonOfIssue {
    let hosts = |side: Side| {
        let of_side = affected.iter().filter(|one| one.side == side);
        of_side.map(|one| one.hosts).sum()
    };
    ComparisonOfIssue {
        issue: digits(issue.id),
        class: issue.class.clone(),
        title: issue.title.clone(),
        severity: Severity::try_from(i32::from(issue.severity)).unwrap_or_default(),
        worse: false,
        from_affected: hosts(Side::From),
        to_affected: hosts(Side::To),
        ratio: found.into(),
        q_worse: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::asked;

    fn watched(side: Side, stratum: &str, hours: f64) -> Watched<'_> {
        Watched {
            side,
            stratum,
            hosts: 100,
            hours,
        }
    }

    fn affected<'a>(side: Side, stratum: &'a str, issue: Option<&'a KnownIssue>, hosts: u64) -> Affected<'a> {
        Affected {
            side,
            stratum,
            issue,
            hosts,
            hours_after: 0.0,
        }
    }

    fn oops(number: u128) -> KnownIssue {
        KnownIssue {
            id: Uuid::from_u128(number),
            counts_for: 0,
            class: "kernel.oops".to_owned(),
            title: format!("oops {number}"),
            severity: 3,
        }
    }

    fn fleet() -> Vec<Watched<'static>> {
        let models = ["A", "B"].into_iter();
        models
            .flat_map(|model| {
                [
                    watched(Side::From, model, 50_000.0),
                    watched(Side::To, model, 50_000.0),
                ]
            })
            .collect()
    }

    #[test]
    fn nothing_seen_is_nothing_known() {
        let found = judge(&asked(), &fleet(), &[]).unwrap();
        assert_eq!(found.verdict, Verdict::Unsure);
        assert_eq!((found.from.host_hours, found.ratio.estimate), (100_000.0, None));
        assert_eq!(
            judge(&asked(), &[], &[]).unwrap().verdict,
            Verdict::Unsure,
            "nor is a build without hosts"
        );
    }

    #[test]
    fn the_same_rate_is_fine_and_twice_the_allowed_one_is_worse() {
        let both = |from, to| {
            [
                affected(Side::From, "A", None, from),
                affected(Side::To, "A", None, to),
            ]
        };
        assert_eq!(
            judge(&asked(), &fleet(), &both(60, 60)).unwrap().verdict,
            Verdict::Fine
        );
        assert_eq!(
            judge(&asked(), &fleet(), &both(6, 6)).unwrap().verdict,
            Verdict::Unsure
        );
        let worse = judge(&asked(), &fleet(), &both(60, 180)).unwrap();
        assert_eq!(worse.verdict, Verdict::Worse);
        assert!((worse.ratio.estimate.unwrap() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn one_new_issue_is_found_among_many_old_ones() {
        let (old, new): (Vec<KnownIssue>, _) = ((1..=50).map(oops).collect(), oops(99));
        let mut seen = vec![
            affected(Side::From, "A", None, 200),
            affected(Side::To, "A", None, 218),
        ];
        for issue in &old {
            seen.extend([
                affected(Side::From, "A", Some(issue), 4),
                affected(Side::To, "A", Some(issue), 4),
            ]);
        }
        seen.push(affected(Side::To, "B", Some(&new), 18));
        let found = judge(&asked(), &fleet(), &seen).unwrap();
        assert_eq!(found.verdict, Verdict::Worse);
        assert!(found.ratio.p_worse > 0.5, "as a whole it is fine");
        let worse: Vec<&str> = found
            .issues
            .iter()
            .filter(|one| one.worse)
            .map(|one| one.title.as_str())
            .collect();
        assert_eq!(worse, ["oops 99"]);
        assert_eq!(found.issues[0].ratio.estimate, None, "it is infinite");
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let confidence = Asked {
            confidence: 1.0,
            ..asked()
        };
        let ratio = Asked {
            max_ratio: 0.0,
            ..asked()
        };
        for wrong in [confidence, ratio] {
            let found = judge(&wrong, &fleet(), &[]);
            assert!(matches!(found, Err(AnalysisError::Invalid(_))), "{found:?}");
        }
    }
}
