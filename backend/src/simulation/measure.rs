//! How much of the truth is found, and how much that is none.

use proto::v1::PartFilter;
use serde::Serialize;

use super::{BAD_MODEL, Fleet, NEW_IN_B, Plan, RISING, Story, WORSE_IN_B, fingerprint};
use crate::{
    analysis::{self, AnalysisError, Asked},
    record::part::PartKind,
    store::{Dimension, Store, StoreError, Watch},
};

/// Ratio above which a host or a model is bad.
const RATIO: f64 = 2.0;
/// Part of findings that may be false; the confidence is the rest.
const FALSE_PART: f64 = 0.05;

/// Parts of a page.
const PAGE: u32 = 500;

/// What was found over many fleets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Fleets with a bad release, and as many with an issue on the rise.
    pub seeds: u64,
    /// Issues that are worse in a build.
    pub regressions: Share,
    /// Hardware models that are bad.
    pub models: Share,
    /// Hosts that are bad.
    pub hosts: Share,
    /// Memory modules that are bad.
    pub modules: Share,
    /// Issues on the rise.
    pub rises: Share,
    /// Comparisons of fleets with nothing wrong that were called worse.
    pub false_alarms: u64,
}

/// What was found of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// How many there were.
    pub there: u64,
    /// How many of them were found.
    pub found: u64,
    /// How many findings were false.
    pub false_ones: u64,
    /// Sum over all fleets of the false part of what was found: the false discovery rate times the fleets.
    false_parts: f64,
    fleets: u64,
}

impl Share {
    fn add(&mut self, truth: &[String], found: &[String]) {
        let right = found.iter().filter(|one| truth.contains(one)).count() as u64;
        let wrong = found.len() as u64 - right;
        self.there += truth.len() as u64;
        self.found += right;
        self.false_ones += wrong;
        self.fleets += 1;
        self.false_parts += analysis::share(wrong, wrong + right);
    }

    /// Part of what is there that was found.
    pub fn power(&self) -> f64 {
        analysis::share(self.found, self.there)
    }

    /// Mean part of findings that are false, over the fleets.
    pub fn false_discovery_rate(&self) -> f64 {
        self.false_parts * analysis::share(1, self.fleets)
    }
}

/// Makes fleets with the seeds 0 and up, one after the other, in an empty database, and asks the analysis about each. None: the
/// database is not empty.
pub async fn measure(
    store: &Store,
    hosts: u32,
    days: u32,
    seeds: u64,
) -> Result<Option<Measured>, AnalysisError> {
    let mut measured = Measured::default();
    for seed in 0..seeds {
        for story in [Story::Release, Story::Rise, Story::Quiet] {
            let plan = Plan {
                hosts,
                days,
                seed,
                story,
            };
            let fleet = plan.fleet();
            if !store.write_fleet(&fleet.tables).await? {
                return Ok(None);
            }
            let asked = ask(store, &fleet, plan, &mut measured).await;
            store.clear_fleet().await?;
            asked?;
        }
        measured.seeds += 1;
    }
    Ok(Some(measured))
}

async fn ask(store: &Store, fleet: &Fleet, plan: Plan, measured: &mut Measured) -> Result<(), AnalysisError> {
    let watch = Watch {
        days: plan.days,
        min_severity: 1,
        class: String::new(),
        issue: None,
    };
    match plan.story {
        Story::Release => {
            let found = compare(store, watch.clone()).await?;
            let worse = found
                .issues
                .into_iter()
                .filter(|one| one.worse)
                .map(|one| one.issue);
            measured.regressions.add(
                &[fingerprint(WORSE_IN_B), fingerprint(NEW_IN_B)],
                &worse.collect::<Vec<_>>(),
            );
            let found = analysis::outliers(store, &watch, RATIO, 1.0 - FALSE_PART).await?;
            let names =
                |kind: Vec<analysis::Outlier>| kind.into_iter().map(|one| one.name).collect::<Vec<_>>();
            measured
                .models
                .add(&[format!("model {BAD_MODEL}")], &names(found.models));
            measured.hosts.add(&fleet.bad_host_names(), &names(found.hosts));
            measured
                .modules
                .add(&fleet.bad_module_names(), &bad_modules(store).await?);
        }
        Story::Rise => {
            let found = analysis::escalations(store, &watch, FALSE_PART).await?;
            let rising: Vec<String> = found.into_iter().map(|one| one.issue).collect();
            measured.rises.add(&[fingerprint(RISING)], &rising);
        }
        Story::Quiet => {
            let found = compare(store, watch).await?;
            measured.false_alarms += u64::from(found.verdict == analysis::Verdict::Worse);
        }
    }
    Ok(())
}

/// Modules that the alert rule would tell of with its usual score.
async fn bad_modules(store: &Store) -> Result<Vec<String>, StoreError> {
    store.score_parts(analysis::score).await?;
    let filter = PartFilter {
        kind: PartKind::Dimm.name().to_owned(),
        min_score: analysis::BAD_SCORE,
        ..PartFilter::default()
    };
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = store.list_parts(&filter, PAGE, &page_token).await?;
        let names = page.parts.iter();
        found.extend(names.map(|part| format!("{} {}", part.hostname, part.part)));
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = page.next_page_token;
    }
}

/// Whether B is worse at all: at the allowed ratio 1 false findings are as likely as they can be.
async fn compare(store: &Store, watch: Watch) -> Result<analysis::Comparison, AnalysisError> {
    let asked = Asked {
        by: Dimension::Build,
        from: "A".to_owned(),
        to: "B".to_owned(),
        max_ratio: 1.0,
        confidence: 1.0 - FALSE_PART,
        watch,
    };
    analysis::compare(store, &asked).await
}
