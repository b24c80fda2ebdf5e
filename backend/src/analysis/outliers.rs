//! Is it the host, the model or the build?

use serde::Serialize;
use statistics::{Counted, shrinkage};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AnalysisError, days::HOUR, of_histories};
use crate::store::{Dimension, Histories, Store, Watch};

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
    let (mut outliers, hosts) = of_histories(store, watch, move |histories, watch| {
        let [builds, models] = [Dimension::Build, Dimension::Model].map(|by| histories.names(by).0);
        let sizes = [builds.len(), models.len(), histories.hosts.len()];
        let [of_builds, of_models, of_hosts] = found(&cells(histories, watch), sizes, ratio, confidence)?;
        let named = |kind: Vec<Found>, names: &[&str]| {
            let named = kind.into_iter().map(|found| found.named(names[found.place]));
            named.collect()
        };
        let hosts: Vec<Uuid> = of_hosts
            .iter()
            .map(|found| histories.hosts[found.place].agent_id)
            .collect();
        let outliers = Outliers {
            builds: named(of_builds, &builds),
            models: named(of_models, &models),
            hosts: of_hosts.iter().map(|found| found.named("")).collect(),
        };
        Ok((outliers, hosts))
    })
    .await?;
    let names = store.host_names(&hosts).await?;
    for (outlier, host) in outliers.hosts.iter_mut().zip(hosts) {
        outlier.name = names.get(&host).cloned().unwrap_or_default();
        outlier.agent_id = host.to_string();
    }
    Ok(outliers)
}

/// The kinds of what may stand out: places in [`Cell::of`].
const BUILD: usize = 0;
const MODEL: usize = 1;
const HOST: usize = 2;

/// A host in one build on one hardware model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    /// The places of build, model and host among those of their kind.
    of: [usize; 3],
    /// For how many hours it was watched.
    hours: f64,
    /// Days on which an issue began: the host had it, and not the day before.
    beginnings: u64,
}

/// What stands out: the place of it among those of its kind, and as in [`Outlier`].
#[derive(Clone, Copy, Debug)]
struct Found {
    place: usize,
    beginnings: u64,
    expected: f64,
    ratio: f64,
    sure: f64,
}

impl Found {
    fn named(&self, name: &str) -> Outlier {
        Outlier {
            name: name.to_owned(),
            agent_id: String::new(),
            beginnings: self.beginnings,
            expected: self.expected,
            ratio: self.ratio,
            sure: self.sure,
        }
    }
}

/// Days in a row are one event: a host that has an issue has it again on the next day far more often than by chance, and
/// days counted singly make bad hosts of unlucky ones (runs declustering: R. L. Smith, Extreme value analysis of
/// environmental time series, Statistical Science 4 (1989) 367-377).
fn cells(histories: &Histories, watch: &Watch) -> Vec<Cell> {
    let looked_at = histories.looked_at(watch);
    let [builds, models] = [Dimension::Build, Dimension::Model].map(|by| histories.names(by).1);
    let mut cells: Vec<Cell> = Vec::new();
    for (number, host) in histories.hosts.iter().enumerate() {
        let first = cells.len();
        for watched in &host.watched {
            let of = [
                builds[watched.system as usize],
                models[watched.system as usize],
                number,
            ];
            let hours = watched.seconds / HOUR;
            match cells[first..].iter_mut().find(|cell| cell.of == of) {
                Some(cell) => cell.hours += hours,
                None => cells.push(Cell {
                    of,
                    hours,
                    beginnings: 0,
                }),
            }
        }
        let seen = host.seen.iter();
        let mut days: Vec<(usize, u16, usize)> = seen
            .filter_map(|seen| Some((looked_at[seen.issue as usize]?, seen.day, seen.system as usize)))
            .collect();
        days.sort_unstable();
        let mut begun = Vec::new();
        for (place, (issue, day, system)) in days.iter().enumerate() {
            let goes_on = place.checked_sub(1).is_some_and(|before| {
                let (issue_before, day_before, _) = days[before];
                *issue == issue_before && *day <= day_before.saturating_add(1)
            });
            if !goes_on {
                begun.push(([builds[*system], models[*system], number], *day));
            }
        }
        begun.sort_unstable();
        begun.dedup();
        for (of, _) in begun {
            if let Some(cell) = cells[first..].iter_mut().find(|cell| cell.of == of) {
                cell.beginnings += 1;
            }
        }
    }
    cells
}

/// The rate of a cell is taken to be the product of a rate, a factor of its model and a factor of its build, which are fitted by
/// turns until events and expected ones agree by model and by build: the likeliest Poisson model of that form (D. Bishop,
/// S. Fienberg, P. Holland, Discrete Multivariate Analysis, 1975, section 3.5, iterative proportional fitting).
fn found(
    cells: &[Cell],
    sizes: [usize; 3],
    ratio: f64,
    confidence: f64,
) -> Result<[Vec<Found>; 3], AnalysisError> {
    let (events, hours) = cells.iter().fold((0.0, 0.0), |sum: (f64, f64), cell| {
        (sum.0 + super::real(cell.beginnings), sum.1 + cell.hours)
    });
    if events == 0.0 || hours == 0.0 {
        return Ok([Vec::new(), Vec::new(), Vec::new()]);
    }
    let rate = events / hours;
    let (mut builds, mut models) = (vec![1.0; sizes[BUILD]], vec![1.0; sizes[MODEL]]);
    for _ in 0..ROUNDS {
        models = factors(&sums(cells, MODEL, sizes, |cell| rate * builds[cell.of[BUILD]]));
        builds = factors(&sums(cells, BUILD, sizes, |cell| rate * models[cell.of[MODEL]]));
    }
    let (of_build, of_model) = (
        |cell: &Cell| builds[cell.of[BUILD]],
        |cell: &Cell| models[cell.of[MODEL]],
    );
    Ok([
        standing_out(
            &sums(cells, BUILD, sizes, |cell| rate * of_model(cell)),
            ratio,
            confidence,
        )?,
        standing_out(
            &sums(cells, MODEL, sizes, |cell| rate * of_build(cell)),
            ratio,
            confidence,
        )?,
        standing_out(
            &sums(cells, HOST, sizes, |cell| rate * of_model(cell) * of_build(cell)),
            ratio,
            confidence,
        )?,
    ])
}

/// Events and expected ones of all of a kind.
fn sums(cells: &[Cell], kind: usize, sizes: [usize; 3], rate: impl Fn(&Cell) -> f64) -> Vec<Counted> {
    let mut sums = vec![Counted::default(); sizes[kind]];
    for cell in cells {
        let sum = &mut sums[cell.of[kind]];
        sum.events += cell.beginnings;
        sum.exposure += cell.hours * rate(cell);
    }
    sums
}

/// Events by expected ones.
fn factors(sums: &[Counted]) -> Vec<f64> {
    let factor = |sum: &Counted| {
        if sum.exposure > 0.0 {
            super::real(sum.events) / sum.exposure
        } else {
            1.0
        }
    };
    sums.iter().map(factor).collect()
}

fn standing_out(kind: &[Counted], ratio: f64, confidence: f64) -> Result<Vec<Found>, AnalysisError> {
    let watched = || kind.iter().enumerate().filter(|(_, sum)| sum.exposure > 0.0);
    let counts: Vec<Counted> = watched().map(|(_, sum)| *sum).collect();
    let Some(prior) = shrinkage::prior(&counts)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (place, sum) in watched() {
        let posterior = prior.posterior(*sum, ratio * prior.mean)?;
        if posterior.p_above >= confidence {
            found.push(Found {
                place,
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
    use super::*;
    use crate::analysis::samples::{A41, A42, MERGED, OOPS, STALL, fleet, host, watch};

    #[test]
    fn days_in_a_row_are_one_beginning_and_two_issues_on_a_day_too() {
        let histories = fleet(vec![
            host(
                &[(A41, 0..5), (A42, 5..10)],
                &[
                    (OOPS, A41, 1),
                    (MERGED, A41, 2),
                    (OOPS, A41, 4),
                    (STALL, A41, 4),
                    (OOPS, A42, 5),
                    (STALL, A42, 8),
                ],
            ),
            host(&[(A41, 0..1)], &[]),
        ]);
        let cell = |of, hours, beginnings| Cell {
            of,
            hours,
            beginnings,
        };
        assert_eq!(
            cells(&histories, &watch()),
            [
                cell([0, 0, 0], 120.0, 2),
                cell([1, 0, 0], 120.0, 1),
                cell([0, 0, 1], 24.0, 0)
            ]
        );
    }

    /// Days on which an issue began of 20 hosts that differ by chance alone: mean 1, variance 0.9.
    const USUAL: [u64; 20] = [0, 1, 1, 2, 0, 1, 3, 0, 1, 2, 0, 1, 0, 2, 1, 1, 0, 3, 0, 1];

    /// The places of the builds, models and hosts that stand out of 4 builds, 8 models, 20 hosts of each, with `more` of them than usual.
    fn out(more: impl Fn(usize, usize, usize) -> u64) -> [Vec<usize>; 3] {
        let mut cells = Vec::new();
        for model in 0..8 {
            for build in 0..4 {
                for (host, usual) in USUAL.into_iter().enumerate() {
                    cells.push(Cell {
                        of: [build, model, (model * 4 + build) * 20 + host],
                        hours: 1000.0,
                        beginnings: usual + more(model, build, host),
                    });
                }
            }
        }
        let found = found(&cells, [4, 8, cells.len()], 2.0, 0.95).unwrap();
        found.map(|kind| kind.iter().map(|found| found.place).collect())
    }

    #[test]
    fn model_and_host_are_told_apart() {
        let bad_model = out(|model, _, _| if model == 3 { 7 } else { 0 });
        assert_eq!(bad_model, [vec![], vec![3], vec![]]);

        let bad_host = out(|model, build, host| if (model, build, host) == (2, 1, 5) { 29 } else { 0 });
        assert_eq!(bad_host, [vec![], vec![], vec![185]]);
        assert!(found(&[], [0; 3], 2.0, 0.95).unwrap().iter().all(Vec::is_empty));
    }
}
