//! Is it the host, the model or the build?

use std::collections::BTreeMap;

use serde::Serialize;
use statistics::{Counted, shrinkage};
use utoipa::ToSchema;

use super::AnalysisError;
use crate::store::{Cell, Store, Watch};

/// Rounds in which models and builds are told apart: many more than it takes where each model runs several builds.
const ROUNDS: usize = 50;
/// How many of a kind are told.
const TOLD: usize = 100;

/// What fails more than what it is made of explains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Outliers {
    /// Builds that fail more than their hardware explains.
    pub builds: Vec<Outlier>,
    /// Hardware models that fail more than their builds explain.
    pub models: Vec<Outlier>,
    /// Hosts that fail more than their model and build explain.
    pub hosts: Vec<Outlier>,
}

/// A build, a model or a host that stands out.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Outlier {
    /// Its name.
    pub name: String,
    /// Of a host: its agent's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_id: String,
    /// Days on which an issue began.
    pub beginnings: u64,
    /// How many there would be without anything of its own.
    pub expected: f64,
    /// Beginnings by expected ones, drawn towards what is usual among its kind.
    pub ratio: f64,
    /// How sure it is that this ratio is above the one that was asked for.
    pub sure: f64,
}

/// Builds, models and hosts whose rate is above `ratio` times the usual one with at least `confidence`.
pub async fn outliers(
    store: &Store,
    watch: &Watch,
    ratio: f64,
    confidence: f64,
) -> Result<Outliers, AnalysisError> {
    super::alpha(confidence)?;
    let question = format!("outliers {watch:?} {ratio} {confidence}");
    let found = async { found(&store.cells(watch).await?, ratio, confidence) };
    store.kept(question, found).await
}

/// The rate of a cell is taken to be the product of a rate, a factor of its model and a factor of its build, which are fitted by
/// turns until events and expected ones agree by model and by build: the likeliest Poisson model of that form (D. Bishop,
/// S. Fienberg, P. Holland, Discrete Multivariate Analysis, 1975, section 3.5, iterative proportional fitting).
fn found(cells: &[Cell], ratio: f64, confidence: f64) -> Result<Outliers, AnalysisError> {
    let (events, hours) = cells.iter().fold((0.0, 0.0), |sum: (f64, f64), cell| {
        (sum.0 + super::real(cell.beginnings), sum.1 + cell.hours)
    });
    if events == 0.0 || hours == 0.0 {
        return Ok(Outliers::default());
    }
    let rate = events / hours;
    let (mut models, mut builds): (Factors<'_>, Factors<'_>) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..ROUNDS {
        models = factors(cells, |cell| &cell.model, |cell| rate * of(&builds, &cell.build));
        builds = factors(cells, |cell| &cell.build, |cell| rate * of(&models, &cell.model));
    }
    let by_model = sums(
        cells,
        |cell| (cell.model.as_str(), ""),
        |cell| rate * of(&builds, &cell.build),
    );
    let by_build = sums(
        cells,
        |cell| (cell.build.as_str(), ""),
        |cell| rate * of(&models, &cell.model),
    );
    let names: BTreeMap<String, &str> = cells
        .iter()
        .map(|cell| (cell.agent_id.to_string(), cell.hostname.as_str()))
        .collect();
    let agents: Vec<String> = cells.iter().map(|cell| cell.agent_id.to_string()).collect();
    let mut by_host: BTreeMap<(&str, &str), Counted> = BTreeMap::new();
    for (cell, agent) in cells.iter().zip(&agents) {
        let sum = by_host.entry((names[agent], agent)).or_default();
        sum.events += cell.beginnings;
        sum.exposure += cell.hours * rate * of(&models, &cell.model) * of(&builds, &cell.build);
    }
    Ok(Outliers {
        builds: standing_out(&by_build, ratio, confidence)?,
        models: standing_out(&by_model, ratio, confidence)?,
        hosts: standing_out(&by_host, ratio, confidence)?,
    })
}

type Factors<'a> = BTreeMap<&'a str, f64>;

fn of(factors: &Factors<'_>, name: &str) -> f64 {
    factors.get(name).copied().unwrap_or(1.0)
}

/// Events by expected ones.
fn factors<'a>(
    cells: &'a [Cell],
    name: impl Fn(&'a Cell) -> &'a String,
    rate: impl Fn(&Cell) -> f64,
) -> Factors<'a> {
    sums(cells, |cell| (name(cell).as_str(), ""), rate)
        .into_iter()
        .filter(|(_, sum)| sum.exposure > 0.0)
        .map(|((name, _), sum)| (name, super::real(sum.events) / sum.exposure))
        .collect()
}

/// Events and expected ones.
fn sums<'a>(
    cells: &'a [Cell],
    name: impl Fn(&'a Cell) -> (&'a str, &'a str),
    rate: impl Fn(&Cell) -> f64,
) -> BTreeMap<(&'a str, &'a str), Counted> {
    let mut sums: BTreeMap<(&str, &str), Counted> = BTreeMap::new();
    for cell in cells {
        let sum = sums.entry(name(cell)).or_default();
        sum.events += cell.beginnings;
        sum.exposure += cell.hours * rate(cell);
    }
    sums
}

fn standing_out(
    kind: &BTreeMap<(&str, &str), Counted>,
    ratio: f64,
    confidence: f64,
) -> Result<Vec<Outlier>, AnalysisError> {
    let counts: Vec<Counted> = kind.values().copied().filter(|sum| sum.exposure > 0.0).collect();
    let Some(prior) = shrinkage::prior(&counts)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for ((name, agent_id), sum) in kind {
        if sum.exposure == 0.0 {
            continue;
        }
        let posterior = prior.posterior(*sum, ratio * prior.mean)?;
        if posterior.p_above >= confidence {
            found.push(Outlier {
                name: (*name).to_owned(),
                agent_id: (*agent_id).to_owned(),
                beginnings: sum.events,
                expected: sum.exposure * prior.mean,
                ratio: posterior.mean / prior.mean,
                sure: posterior.p_above,
            });
        }
    }
    found.sort_by(|a, b| {
        b.sure
            .total_cmp(&a.sure)
            .then_with(|| b.ratio.total_cmp(&a.ratio))
    });
    found.truncate(TOLD);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Days on which an issue began of 20 hosts that differ by chance alone: mean 1, variance 0.9.
    const USUAL: [u64; 20] = [0, 1, 1, 2, 0, 1, 3, 0, 1, 2, 0, 1, 0, 2, 1, 1, 0, 3, 0, 1];

    /// 8 models, 4 builds, 20 hosts of each, with `more` of them than usual.
    fn fleet(more: impl Fn(usize, usize, usize) -> u64) -> Vec<Cell> {
        let mut cells = Vec::new();
        for model in 0..8 {
            for build in 0..4 {
                for (host, usual) in USUAL.into_iter().enumerate() {
                    let number = (model * 4 + build) * 20 + host;
                    cells.push(Cell {
                        agent_id: Uuid::from_u128(number as u128),
                        hostname: format!("host {number}"),
                        model: format!("model {model}"),
                        build: format!("build {build}"),
                        hours: 1000.0,
                        beginnings: usual + more(model, build, host),
                    });
                }
            }
        }
        cells
    }

    fn names(kind: &[Outlier]) -> Vec<&str> {
        kind.iter().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn model_and_host_are_told_apart() {
        let bad_model = found(&fleet(|model, _, _| if model == 3 { 7 } else { 0 }), 2.0, 0.95).unwrap();
        assert_eq!(names(&bad_model.models), ["model 3"]);
        assert_eq!(
            (names(&bad_model.builds), names(&bad_model.hosts)),
            (vec![], vec![])
        );

        let bad_host = |model, build, host| if (model, build, host) == (2, 1, 5) { 29 } else { 0 };
        let bad_host = found(&fleet(bad_host), 2.0, 0.95).unwrap();
        assert_eq!(names(&bad_host.hosts), ["host 185"]);
        assert_eq!(
            (names(&bad_host.builds), names(&bad_host.models)),
            (vec![], vec![])
        );
        assert_eq!(found(&[], 2.0, 0.95).unwrap(), Outliers::default());
    }
}
