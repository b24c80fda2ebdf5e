//! Whole distributions of counts, from their mode outwards.
//!
//! Neighbouring probabilities have simple ratios, so no factorial of a large number is needed and the relative error stays
//! at some 1e-13 in both tails. What is below the smallest number becomes zero.

/// Probabilities of the counts from `first` on.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    pub(crate) first: u64,
    pub(crate) probabilities: Vec<f64>,
}

impl Distribution {
    /// Of counts between `least` and `most` with one mode, near `mode`; `up(k)` is P(k + 1) / P(k).
    pub(crate) fn around(least: u64, most: u64, mode: u64, up: impl Fn(u64) -> f64) -> Self {
        let mode = mode.clamp(least, most);
        let mut below = Vec::new();
        let (mut weight, mut k) = (1.0, mode);
        while k > least {
            weight /= up(k - 1);
            if weight == 0.0 {
                break;
            }
            below.push(weight);
            k -= 1;
        }
        let first = k;
        let mut weights: Vec<f64> = below.into_iter().rev().collect();
        let (mut weight, mut k) = (1.0, mode);
        while weight > 0.0 {
            weights.push(weight);
            if k == most {
                break;
            }
            weight *= up(k);
            k += 1;
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self {
            first,
            probabilities: weights,
        }
    }

    /// Of the sum of two independent counts.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut sum = vec![0.0; self.probabilities.len() + other.probabilities.len() - 1];
        for (i, a) in self.probabilities.iter().enumerate() {
            for (place, b) in sum[i..].iter_mut().zip(&other.probabilities) {
                *place += a * b;
            }
        }
        Self {
            first: self.first + other.first,
            probabilities: sum,
        }
    }

    /// P(X >= count).
    pub(crate) fn at_least(&self, count: u64) -> f64 {
        let skip = usize::try_from(count.saturating_sub(self.first)).unwrap_or(usize::MAX);
        // From the small end, so that nothing is lost.
        let tail = self.probabilities.iter().skip(skip).rev().sum::<f64>();
        tail.min(1.0)
    }

    /// The counts with their probabilities.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, f64)> {
        (self.first..).zip(self.probabilities.iter().copied())
    }
}
