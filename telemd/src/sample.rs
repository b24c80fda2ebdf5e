//! Some of the events of which only the number is kept: when they happened, and a few of them, each with the same chance.

use proto::v1::record::Payload;
use proto::v1::{LossExample, Record};

use crate::text::cut;

/// Examples of one loss; at most [`proto::limits::LOSS_EXAMPLES`]. Four show whether they differ, and 300 open windows of storm control
/// take half a megabyte with them.
const EXAMPLES: usize = 4;

/// What is known of events that were only counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// When the earliest happened, nanoseconds since the Unix epoch; 0: not known.
    pub first_unix_ns: u64,
    /// When the latest did.
    pub last_unix_ns: u64,
    /// Some of them.
    pub examples: Vec<LossExample>,
    /// Of how many they are.
    seen: u64,
}

impl Sample {
    /// Takes an event in (reservoir sampling: the nth takes the place of another with a chance of [`EXAMPLES`] in n).
    pub fn note(&mut self, example: LossExample) {
        self.span(example.occurred_at_unix_ns, example.occurred_at_unix_ns);
        self.seen += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example);
        } else if let Ok(place) = usize::try_from(fastrand::u64(..self.seen))
            && let Some(other) = self.examples.get_mut(place)
        {
            *other = example;
        }
    }

    /// Takes in what is known of other events: of both samples as many as there were events, by chance.
    pub fn merge(&mut self, mut other: Self) {
        self.span(other.first_unix_ns, other.last_unix_ns);
        let mut own = std::mem::take(&mut self.examples);
        let (mut of_own, mut of_other) = (self.seen, other.seen);
        self.seen = self.seen.saturating_add(other.seen);
        while self.examples.len() < EXAMPLES && !(own.is_empty() && other.examples.is_empty()) {
            let is_own = fastrand::u64(..of_own.saturating_add(of_other).max(1)) < of_own;
            let (from, left) = if (is_own && !own.is_empty()) || other.examples.is_empty() {
                (&mut own, &mut of_own)
            } else {
                (&mut other.examples, &mut of_other)
            };
            self.examples
                .push(from.swap_remove(fastrand::usize(..from.len())));
            *left = left.saturating_sub(1);
        }
    }

    fn span(&mut self, first_unix_ns: u64, last_unix_ns: u64) {
        if self.first_unix_ns == 0 || (first_unix_ns != 0 && first_unix_ns < self.first_unix_ns) {
            self.first_unix_ns = first_unix_ns;
        }
        self.last_unix_ns = self.last_unix_ns.max(last_unix_ns);
    }
}

/// What is kept of a record as an example.
pub fn example(record: &Record) -> LossExample {
    let (pid, comm) = match (&record.context, &record.payload) {
        (_, Some(Payload::Custom(custom))) => (custom.pid, custom.comm.as_str()),
        (Some(context), _) => (context.tgid, context.comm.as_str()),
        _ => (0, ""),
    };
    let text = match &record.payload {
        Some(Payload::Custom(custom)) => custom.payload.as_str(),
        Some(Payload::KernelReport(report)) => report.text.as_str(),
        Some(Payload::ProgramCrash(crash)) => crash.executable.as_str(),
        _ => "",
    };
    LossExample {
        occurred_at_unix_ns: record.occurred_at_unix_ns,
        pid,
        comm: comm.to_owned(),
        text: cut(text, proto::limits::LOSS_EXAMPLE_BYTES).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ns: u64) -> LossExample {
        LossExample {
            occurred_at_unix_ns: unix_ns,
            ..LossExample::default()
        }
    }

    fn sample(of: std::ops::Range<u64>) -> Sample {
        let mut sample = Sample::default();
        of.for_each(|unix_ns| sample.note(at(unix_ns)));
        sample
    }

    #[test]
    fn the_first_and_the_last_are_known_and_a_few_are_kept() {
        let sample = sample(5..1_000);
        assert_eq!((sample.first_unix_ns, sample.last_unix_ns), (5, 999));
        assert_eq!(sample.examples.len(), EXAMPLES);
        assert_eq!(self::sample(1..3).examples, [at(1), at(2)]);
    }

    #[test]
    fn each_event_has_the_same_chance_also_of_two_samples_that_became_one() {
        let (mut early, mut of_first) = (0_u32, 0_u32);
        for _ in 0..2_000 {
            let kept = sample(1..101).examples;
            early +=
                u32::try_from(kept.iter().filter(|kept| kept.occurred_at_unix_ns <= 50).count()).unwrap();
            // 30 and 10 events: three of four are of the first.
            let mut merged = sample(1..31);
            merged.merge(sample(31..41));
            assert_eq!((merged.first_unix_ns, merged.last_unix_ns), (1, 40));
            let first = merged
                .examples
                .iter()
                .filter(|kept| kept.occurred_at_unix_ns <= 30)
                .count();
            of_first += u32::try_from(first).unwrap();
        }
        // 8000 examples each; 10 standard deviations are 450.
        assert!(early.abs_diff(4_000) < 450, "{early}");
        assert!(of_first.abs_diff(6_000) < 450, "{of_first}");
    }
}
