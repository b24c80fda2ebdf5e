//! What do the hosts with an issue have in common?

use serde::Serialize;
use statistics::{
    discovery,
    enrichment::{Overlap, enrichment},
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::AnalysisError;
use crate::store::{Facts, Store};

/// What is unusual about the hosts with an issue.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Unusual {
    /// Hosts that were heard of.
    pub hosts: u64,
    /// Of these, hosts that have the issue.
    pub affected: u64,
    /// Facts that more of them have than chance explains, the surest first.
    pub facts: Vec<UnusualFact>,
}

/// A fact that is unusually frequent among them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UnusualFact {
    /// What kind of fact: "kernel", "build", "model", "board", "bios", "cpu", "stepping", "microcode", "dimm" and so on.
    pub key: String,
    /// What it is.
    pub value: String,
    /// Part of the affected hosts that have it.
    pub share_of_affected: f64,
    /// Part of the other hosts that have it.
    pub share_of_others: f64,
    /// Probability of so many of them by chance.
    pub p_value: f64,
    /// Expected part of false ones among those that are at least as sure.
    pub q_value: f64,
}

/// Facts that hosts with an issue have in common, with q ≤ `false_part`. Facts hang together (a model has its BIOS), so that the
/// control of false ones is the one for any dependence.
pub async fn unusual(
    store: &Store,
    issue: Uuid,
    days: u32,
    false_part: f64,
) -> Result<Unusual, AnalysisError> {
    if !(0.0..=1.0).contains(&false_part) {
        return Err(statistics::Invalid::Probability.into());
    }
    let issue = store.counts_for(issue).await?;
    found(store.facts_of(issue, days).await?, false_part)
}

fn found(facts: Facts, false_part: f64) -> Result<Unusual, AnalysisError> {
    let mut all = Vec::new();
    for fact in facts.facts {
        let overlap = Overlap {
            all: facts.hosts,
            with_fact: fact.hosts,
            affected: facts.affected,
            both: fact.affected,
        };
        all.push((fact, enrichment(overlap)?));
    }
    let p_values: Vec<f64> = all.iter().map(|(_, found)| found.p_value).collect();
    let q_values = discovery::q_values(&p_values, discovery::Dependence::Any)?;
    let mut facts_found: Vec<UnusualFact> = all
        .into_iter()
        .zip(q_values)
        .filter(|(_, q)| *q <= false_part)
        .map(|((fact, found), q_value)| UnusualFact {
            key: fact.key,
            value: fact.value,
            share_of_affected: found.share_of_affected,
            share_of_others: found.share_of_others,
            p_value: found.p_value,
            q_value,
        })
        .collect();
    facts_found.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then_with(|| a.key.cmp(&b.key)));
    Ok(Unusual {
        hosts: facts.hosts,
        affected: facts.affected,
        facts: facts_found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Fact;

    #[test]
    fn the_fact_behind_an_issue_is_found_and_what_all_have_is_not() {
        let fact = |key: &str, hosts, affected| Fact {
            key: key.to_owned(),
            value: "x".to_owned(),
            hosts,
            affected,
        };
        let facts = Facts {
            hosts: 1000,
            affected: 20,
            facts: vec![fact("arch", 1000, 20), fact("bios", 50, 18), fact("os", 400, 9)],
        };
        let found = found(facts, 0.05).unwrap();
        let keys: Vec<&str> = found.facts.iter().map(|fact| fact.key.as_str()).collect();
        assert_eq!(keys, ["bios"]);
        assert!((found.facts[0].share_of_affected - 0.9).abs() < 1e-12);
    }
}
