//! Builds, kernels and models: how often they fail, and one against another.

use askama::Template;

use super::hosts::host_page_href;
use super::issues::issue_href;
use super::list::Choice;
use super::rates::{RateRow, bounds, end_of_axis, figure, hours, probability};
use super::{counted, grouped, titled};
use crate::analysis::{
    Bounds, Comparison, ComparisonOfIssue, Outlier, Outliers, Rate, RateRatio, SideSum, Verdict,
};
use crate::http::access::Frame;
use crate::http::statistics::Question;
use crate::store::{Dimension, Watch};

/// What hosts can be told apart by, with the heading of a column of them.
const DIMENSIONS: [(Dimension, &str); 3] = [
    (Dimension::Build, "Build"),
    (Dimension::Kernel, "Kernel"),
    (Dimension::Model, "Model"),
];
/// Issues of a comparison that are shown.
const ISSUES: usize = 20;

/// The page `/builds`.
#[derive(Debug, Template)]
#[template(path = "builds.html")]
pub(in crate::http) struct BuildsPage {
    pub(in crate::http) by: Vec<Choice>,
    /// `Build`, `Kernel` or `Model`.
    pub(in crate::http) noun: &'static str,
    pub(in crate::http) days: u32,
    /// A class or a prefix of classes; empty: any.
    pub(in crate::http) class: String,
    /// How many times as often the compared one may fail.
    pub(in crate::http) max_ratio: f64,
    pub(in crate::http) rows: Vec<RateRow>,
    /// What can be compared to, and what can be compared.
    pub(in crate::http) from: Vec<Choice>,
    pub(in crate::http) to: Vec<Choice>,
    pub(in crate::http) comparison: Option<Compared>,
    /// Why nothing is compared, where somebody chose something; empty: nobody did, or it is.
    pub(in crate::http) not_compared: String,
    pub(in crate::http) outliers: Vec<OutlierRow>,
    pub(in crate::http) frame: Frame,
}

/// Two of them compared.
#[derive(Debug)]
pub(in crate::http) struct Compared {
    /// `fine`, `worse` or `unsure`, for the style.
    pub(in crate::http) verdict: &'static str,
    pub(in crate::http) sentence: String,
    pub(in crate::http) sides: [SideRow; 2],
    pub(in crate::http) issues: Vec<ComparedIssue>,
}

/// One of the two.
#[derive(Debug)]
pub(in crate::http) struct SideRow {
    pub(in crate::http) name: String,
    pub(in crate::http) hosts: String,
    pub(in crate::http) affected: String,
    pub(in crate::http) hours: String,
    pub(in crate::http) hours_at_risk: String,
}

/// An issue in both.
#[derive(Debug)]
pub(in crate::http) struct ComparedIssue {
    pub(in crate::http) title: String,
    pub(in crate::http) href: String,
    pub(in crate::http) worse: bool,
    pub(in crate::http) from: String,
    pub(in crate::http) to: String,
    pub(in crate::http) ratio: String,
    pub(in crate::http) bounds: String,
    pub(in crate::http) q: String,
}

/// What stands out.
#[derive(Debug)]
pub(in crate::http) struct OutlierRow {
    pub(in crate::http) kind: &'static str,
    pub(in crate::http) name: String,
    /// The page of a host; empty: it is none.
    pub(in crate::http) href: String,
    pub(in crate::http) ratio: String,
    pub(in crate::http) days: String,
    pub(in crate::http) expected: String,
    pub(in crate::http) sure: String,
}

/// What the page is made of.
#[derive(Debug)]
pub(in crate::http) struct BuildsInput<'a> {
    pub(in crate::http) question: &'a Question,
    pub(in crate::http) watch: &'a Watch,
    pub(in crate::http) max_ratio: f64,
    pub(in crate::http) rates: Vec<Rate>,
    /// Why there is none, where somebody asked for one.
    pub(in crate::http) comparison: Result<Option<Comparison>, String>,
    pub(in crate::http) outliers: Outliers,
    pub(in crate::http) frame: Frame,
}

impl BuildsPage {
    pub(in crate::http) fn new(input: BuildsInput<'_>) -> Self {
        let asked = input.question.by.unwrap_or_default();
        let end = end_of_axis(&input.rates);
        let (comparison, not_compared) = match input.comparison {
            Ok(found) => (found.map(Compared::from), String::new()),
            Err(problem) => (None, problem),
        };
        let noun = DIMENSIONS.into_iter().find(|(by, _)| *by == asked);
        Self {
            by: DIMENSIONS
                .into_iter()
                .map(|(by, label)| Choice {
                    value: by.noun().to_owned(),
                    label: label.to_owned(),
                    selected: by == asked,
                })
                .collect(),
            noun: noun.map_or("", |(_, label)| label),
            days: input.watch.days,
            class: input.watch.class.clone(),
            max_ratio: input.max_ratio,
            rows: input.rates.iter().map(|rate| RateRow::new(rate, end)).collect(),
            from: names(&input.rates, input.question.from.as_deref()),
            to: names(&input.rates, input.question.to.as_deref()),
            comparison,
            not_compared,
            outliers: outliers(input.outliers),
            frame: input.frame,
        }
    }
}

/// What was watched, to choose from.
fn names(rates: &[Rate], chosen: Option<&str>) -> Vec<Choice> {
    let choice = |rate: &Rate| Choice {
        value: rate.name.clone(),
        label: rate.name.clone(),
        selected: chosen == Some(rate.name.as_str()),
    };
    rates.iter().map(choice).collect()
}

impl From<Comparison> for Compared {
    fn from(found: Comparison) -> Self {
        let sides = [&found.from, &found.to];
        if let Some(side) = sides.iter().find(|side| side.host_hours <= 0.0) {
            return Self {
                verdict: found.verdict.word(),
                sentence: format!("No host was watched with {} in this time.", side.name),
                sides: sides.map(SideRow::from),
                issues: Vec::new(),
            };
        }
        let (from, to) = (&found.from.name, &found.to.name);
        let allowed = figure(found.max_ratio);
        let percent = found.confidence * 100.0;
        let worse = found.issues.iter().filter(|issue| issue.worse).count();
        let sentence = match (found.verdict, worse) {
            (Verdict::Fine, _) => format!(
                "{to} does not fail more than {allowed} times as often as {from}, {percent:.0} % sure."
            ),
            (Verdict::Worse, 0) => {
                format!("{to} fails more than {allowed} times as often as {from}, {percent:.0} % sure.")
            }
            (Verdict::Worse, _) => format!(
                "{} below {} more than {allowed} times as often with {to} as with {from}, {percent:.0} % sure.",
                counted(worse as u64, "issue"),
                if worse == 1 { "comes" } else { "come" },
            ),
            (Verdict::Unsure, _) => format!(
                "Too little is known yet to say whether {to} fails more than {allowed} times as often as {from}."
            ),
        };
        let rate = match found.ratio.estimate {
            Some(ratio) => format!(
                " Over all faults it is {} times as often ({}).",
                figure(ratio),
                bounds_of(found.ratio)
            ),
            None => String::new(),
        };
        Self {
            verdict: found.verdict.word(),
            sentence: sentence + &rate,
            sides: sides.map(SideRow::from),
            issues: found
                .issues
                .iter()
                .take(ISSUES)
                .map(ComparedIssue::from)
                .collect(),
        }
    }
}

impl From<&SideSum> for SideRow {
    fn from(side: &SideSum) -> Self {
        Self {
            name: side.name.clone(),
            hosts: grouped(side.hosts),
            affected: grouped(side.affected),
            hours: hours(side.host_hours),
            hours_at_risk: hours(side.hours_at_risk),
        }
    }
}

impl From<&ComparisonOfIssue> for ComparedIssue {
    fn from(of: &ComparisonOfIssue) -> Self {
        Self {
            title: titled(&of.title, &of.class),
            href: issue_href(&of.issue),
            worse: of.worse,
            from: grouped(of.from_affected),
            to: grouped(of.to_affected),
            ratio: match of.ratio.estimate {
                Some(ratio) => figure(ratio),
                None if of.ratio.bounds.low > 0.0 => "∞".to_owned(),
                None => String::new(),
            },
            bounds: bounds_of(of.ratio),
            q: probability(of.q_worse),
        }
    }
}

/// The bounds of a ratio; empty where nothing is known of it.
fn bounds_of(ratio: RateRatio) -> String {
    match ratio.bounds {
        Bounds { low, high: None } if low <= 0.0 => String::new(),
        known => bounds(known),
    }
}

fn outliers(found: Outliers) -> Vec<OutlierRow> {
    let row = |kind: &'static str| {
        move |outlier: Outlier| OutlierRow {
            kind,
            name: outlier.name,
            href: match outlier.agent_id.as_str() {
                "" => String::new(),
                agent_id => host_page_href(agent_id),
            },
            ratio: figure(outlier.ratio),
            days: grouped(outlier.beginnings),
            expected: figure(outlier.expected),
            sure: format!("{:.1} %", outlier.sure * 100.0),
        }
    };
    let builds = found.builds.into_iter().map(row("Build"));
    let models = found.models.into_iter().map(row("Model"));
    builds
        .chain(models)
        .chain(found.hosts.into_iter().map(row("Host")))
        .collect()
}
