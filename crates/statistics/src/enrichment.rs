//! What those who have something have in common: over-represented facts.

use crate::{Invalid, discrete::Distribution, real};

/// Members of a group that are counted at most: the work grows with the smaller part of it.
pub const MEMBERS: u64 = 10_000_000;

/// How a fact and an issue meet in a group of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// All hosts.
    pub all: u64,
    /// Those that have the fact.
    pub with_fact: u64,
    /// Those that have the issue.
    pub affected: u64,
    /// Those that have both.
    pub both: u64,
}

/// How unusual an overlap is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Enrichment {
    /// Part of the affected hosts that have the fact; zero where none are affected.
    pub share_of_affected: f64,
    /// Part of the other hosts that have the fact; zero where there are no others.
    pub share_of_others: f64,
    /// Probability of as many or more hosts with both, were fact and issue independent.
    pub p_value: f64,
}

/// Fisher's exact test, one-sided: P(X >= both) for X hypergeometric, which is what a random choice of `affected` of `all`
/// hosts gives. R. A. Fisher, The logic of inductive inference, Journal of the Royal Statistical Society 98 (1935) 39-82.
///
/// Count hosts, not faults. A p-value of zero is one below 1e-300.
pub fn enrichment(overlap: Overlap) -> Result<Enrichment, Invalid> {
    let Overlap {
        all,
        with_fact,
        affected,
        both,
    } = overlap;
    if all > MEMBERS {
        return Err(Invalid::TooMany(MEMBERS));
    }
    let least = (with_fact.saturating_add(affected)).saturating_sub(all);
    if with_fact > all || affected > all || both > with_fact.min(affected) || both < least {
        return Err(Invalid::Part);
    }
    let most = with_fact.min(affected);
    // Floor((n + 1)(K + 1) / (N + 2)); no overflow below MEMBERS.
    let mode = (affected + 1) * (with_fact + 1) / (all + 2);
    let chance = Distribution::around(least, most, mode, |k| {
        real(with_fact - k) * real(affected - k) / (real(k + 1) * real(all + k + 1 - with_fact - affected))
    });
    let share = |part: u64, of: u64| if of == 0 { 0.0 } else { real(part) / real(of) };
    Ok(Enrichment {
        share_of_affected: share(both, affected),
        share_of_others: share(with_fact - both, all - affected),
        p_value: chance.at_least(both),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{close, values};

    #[test]
    fn p_values_are_those_of_scipy() {
        for case in values("hypergeometric") {
            let number = |name: &str| case[name].as_u64().unwrap();
            let overlap = Overlap {
                all: number("all"),
                with_fact: number("with_fact"),
                affected: number("affected"),
                both: number("both"),
            };
            close(enrichment(overlap).unwrap().p_value, &case["p"], &case);
        }
    }

    #[test]
    fn parts_larger_than_the_whole_are_refused() {
        for (all, with_fact, affected, both) in [(5, 6, 1, 1), (5, 1, 6, 1), (5, 2, 2, 3), (5, 4, 4, 2)] {
            let overlap = Overlap {
                all,
                with_fact,
                affected,
                both,
            };
            assert_eq!(enrichment(overlap), Err(Invalid::Part), "{overlap:?}");
        }
    }

    proptest! {
        #[test]
        fn any_numbers_give_a_probability_or_an_error(all in 0u64..5000, with_fact: u16, affected: u16, both: u16) {
            let overlap = Overlap {
                all,
                with_fact: u64::from(with_fact),
                affected: u64::from(affected),
                both: u64::from(both),
            };
            if let Ok(found) = enrichment(overlap) {
                prop_assert!((0.0..=1.0).contains(&found.p_value));
            }
        }
    }
}
