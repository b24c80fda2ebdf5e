//! What counts of faults say, and how sure that is.
//!
//! Pure functions: numbers in, numbers out. Each says its formula, where it is from, and up to where it holds;
//! `reference/` has values of `SciPy` that the tests hold them to.
//!
//! | question | module |
//! | --- | --- |
//! | how often does it fail, and between which bounds? | [`rate`] |
//! | is B worse than A, the hardware being different? | [`compare`] |
//! | which of many findings are to be believed? | [`discovery`] |
//! | since when is it more than before? | [`change`] |
//! | does it rise? | [`trend`] |
//! | how long does it live? | [`survival`] |
//! | what do those that have it have in common? | [`enrichment`] |
//! | which of many hosts is really bad? | [`shrinkage`] |
//!
//! All of them take counts for Poisson or binomial ones: **count what is independent**. Faults of one host are not, a
//! machine that fails once fails again; hosts that had a fault, or days on which a host had it, come far closer.

pub mod change;
pub mod compare;
pub mod discovery;
mod discrete;
pub mod enrichment;
pub mod rate;
pub mod shrinkage;
mod special;
pub mod survival;
pub mod trend;

#[cfg(test)]
mod reference;

/// Events, and for how long they could have happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// How many.
    pub events: u64,
    /// Time under watch, in any unit: host-hours as a rule. Finite, not negative.
    pub exposure: f64,
}

/// Two bounds that hold the true value with the stated confidence. The upper one may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// How often an interval may not hold the true value: both sides together, half of it each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alpha(f64);

impl Alpha {
    /// One in twenty.
    pub const FIVE_PERCENT: Self = Self(0.05);

    /// From a confidence such as 0.95.
    pub fn of_confidence(confidence: f64) -> Result<Self, Invalid> {
        if confidence > 0.0 && confidence < 1.0 {
            Ok(Self(1.0 - confidence))
        } else {
            Err(Invalid::Confidence)
        }
    }

    /// What is left for one side.
    fn one_side(self) -> f64 {
        self.0 / 2.0
    }
}

/// Numbers that no answer can be given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// See [`Alpha::of_confidence`].
    #[error("a confidence is between 0 and 1, such as 0.95")]
    Confidence,
    /// See [`Counted::exposure`].
    #[error(
        "a time under watch is a finite number that is not negative, and not zero where there are events"
    )]
    Exposure,
    /// A ratio to be tested.
    #[error("a ratio of rates is a finite number above 0")]
    Ratio,
    /// A number that is to be a probability.
    #[error("a probability is between 0 and 1")]
    Probability,
    /// Parts that are more than the whole.
    #[error("a part is larger than the whole")]
    Part,
    /// More than the method is made for.
    #[error("more than {0} are too many for an exact answer")]
    TooMany(u64),
    /// A moment before the beginning, or none.
    #[error("a time is a finite number that is not negative")]
    Time,
}

impl Counted {
    fn check(self) -> Result<Self, Invalid> {
        let enough = self.exposure > 0.0 || (self.events == 0 && self.exposure == 0.0);
        if self.exposure.is_finite() && enough {
            Ok(self)
        } else {
            Err(Invalid::Exposure)
        }
    }
}

/// A count as a number to compute with. Exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "no fleet has 2^53 faults, and beyond it is rounded"
)]
fn real(count: u64) -> f64 {
    count as f64
}
