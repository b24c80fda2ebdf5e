//! Distributions, with both tails computed as such: one minus a tail loses what is small.

use statrs::function::{beta::checked_beta_reg, erf, gamma};

use crate::real;

/// Halvings that are enough to get from any bracket to neighbouring numbers.
const HALVINGS: u32 = 2100;

/// P(X <= x) for X ~ Gamma(shape, 1).
fn gamma_cdf(shape: f64, x: f64) -> f64 {
    gamma::checked_gamma_lr(shape, x).unwrap_or(f64::NAN)
}

/// P(X > x) for X ~ Gamma(shape, 1). `shape` and `x` are positive.
pub(crate) fn gamma_sf(shape: f64, x: f64) -> f64 {
    gamma::checked_gamma_ur(shape, x).unwrap_or(f64::NAN)
}

/// The x below which Gamma(shape, 1) is with the probability `p`, 0 < p < 1.
pub(crate) fn gamma_quantile(shape: f64, p: f64) -> f64 {
    // Each side by its own tail. Doubling ends, because the tail falls exponentially.
    bisect_upwards(0.0, |x| below(shape, x, p))
}

fn below(shape: f64, x: f64, p: f64) -> bool {
    if p < 0.5 {
        gamma_cdf(shape, x) < p
    } else {
        gamma_sf(shape, x) > 1.0 - p
    }
}

/// P(X >= successes) for X ~ Binomial(trials, p): `I_p(k, n - k + 1)`, NIST DLMF 8.17.5.
pub(crate) fn binomial_at_least(successes: u64, trials: u64, p: f64) -> f64 {
    match successes {
        0 => 1.0,
        _ if successes > trials || p <= 0.0 => 0.0,
        _ if p >= 1.0 => 1.0,
        _ => beta_cdf(real(successes), real(trials - successes) + 1.0, p),
    }
}

/// P(X <= successes) for X ~ Binomial(trials, p). `q` is 1 - p, told apart so that nothing is lost where p is near 1.
pub(crate) fn binomial_at_most(successes: u64, trials: u64, q: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    binomial_at_least(trials - successes, trials, q)
}

/// `I_x(a, b)`.
fn beta_cdf(a: f64, b: f64, x: f64) -> f64 {
    checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
}

/// P(Z > z) for a standard normal Z.
pub(crate) fn normal_sf(z: f64) -> f64 {
    erf::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// The z that a standard normal Z exceeds with the probability `tail`, 0 < tail < 1.
pub(crate) fn normal_above(tail: f64) -> f64 {
    erf::erfc_inv(2.0 * tail) * std::f64::consts::SQRT_2
}

/// psi(x), x > 0.
pub(crate) fn digamma(x: f64) -> f64 {
    gamma::digamma(x)
}

/// Where `is_below` turns from true to false, between `low` (true) and `high` (false), to the last bit.
pub(crate) fn bisect(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

/// The same above `low` (true), with an upper end that is found by doubling.
pub(crate) fn bisect_upwards(low: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    let mut high = (low * 2.0).max(1.0);
    while high.is_finite() && is_below(high) {
        high *= 2.0;
    }
    bisect(low, high, is_below)
}
