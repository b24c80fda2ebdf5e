//! Many findings at once: which of them are to be believed.

use crate::{Invalid, real};

/// How findings may depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependence {
    /// Not at all, or so that they rise together. Y. Benjamini, Y. Hochberg, Controlling the false discovery rate, Journal
    /// of the Royal Statistical Society B 57 (1995) 289-300.
    Positive,
    /// In any way; costs a factor of 1 + 1/2 + ... + 1/m. Y. Benjamini, D. Yekutieli, The control of the false
    /// discovery rate in multiple testing under dependency, Annals of Statistics 29 (2001) 1165-1188.
    Any,
}

/// The q-value of each p-value: of all findings with q <= x, the expected part of false ones is at most x.
///
/// With the p-values sorted, q(i) = min over j >= i of min(1, c m p(j) / j), where c is 1, or 1 + 1/2 + ... + 1/m.
pub fn q_values(p_values: &[f64], dependence: Dependence) -> Result<Vec<f64>, Invalid> {
    if p_values.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return Err(Invalid::Probability);
    }
    let count = p_values.len() as u64;
    let factor: f64 = match dependence {
        Dependence::Positive => 1.0,
        Dependence::Any => (1..=count).map(|rank| 1.0 / real(rank)).sum(),
    };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut q_values = vec![1.0; p_values.len()];
    let mut least: f64 = 1.0;
    for (at, rank) in order.into_iter().rev().zip((1..=count).rev()) {
        least = least.min(factor * (real(count) / real(rank)) * p_values[at]);
        q_values[at] = least;
    }
    Ok(q_values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{close, numbers, values};

    #[test]
    fn q_values_are_those_of_scipy() {
        for case in values("discovery") {
            let p_values = numbers(&case["p"]);
            for (name, dependence) in [("bh", Dependence::Positive), ("by", Dependence::Any)] {
                let found = q_values(&p_values, dependence).unwrap();
                for (q, expected) in found.iter().zip(case[name].as_array().unwrap()) {
                    close(*q, expected, &case);
                }
            }
        }
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for p in [-0.1, 1.1, f64::NAN] {
            assert_eq!(q_values(&[p], Dependence::Any), Err(Invalid::Probability));
        }
        assert_eq!(q_values(&[], Dependence::Any), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn a_q_value_is_not_below_its_p_value(p in prop::collection::vec(0.0..=1.0, 0..50)) {
            let q = q_values(&p, Dependence::Positive).unwrap();
            prop_assert!(p.iter().zip(&q).all(|(p, q)| p <= q && *q <= 1.0));
        }
    }
}
