//! Holes in the numbers that events have on their CPU: what was lost between two events.

use std::collections::BTreeMap;

use probe_user::Context;

/// So far behind is at most what an interrupt overtook, which interrupts nest in: from further back numbers begin anew,
/// because the hooks were attached again.
const OVERTAKEN: u64 = 4;

/// The number of the last event of each CPU, see [`Context::sequence`].
#[derive(Debug, Default)]
pub(super) struct Sequences(BTreeMap<u32, u64>);

impl Sequences {
    /// Takes note of an event; whether others of its CPU were lost since the one before it. An NMI that prints in the
    /// few instructions in which an event takes its number looks like that too.
    pub(super) fn is_behind_loss(&mut self, context: &Context) -> bool {
        let sequence = context.sequence;
        let last = self.0.entry(context.cpu).or_insert(sequence);
        let is_behind_loss = sequence.saturating_sub(*last) > 1;
        let is_overtaken = last.saturating_sub(sequence) <= OVERTAKEN;
        *last = if is_overtaken {
            sequence.max(*last)
        } else {
            sequence
        };
        is_behind_loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::context;

    fn losses(events: &[(u32, u64)]) -> Vec<bool> {
        let mut sequences = Sequences::default();
        let event = |(cpu, sequence): &(u32, u64)| {
            sequences.is_behind_loss(&Context {
                cpu: *cpu,
                sequence: *sequence,
                ..context("x", 1)
            })
        };
        events.iter().map(event).collect()
    }

    #[test]
    fn a_hole_is_that_of_one_cpu() {
        let events = [(0, 7), (1, 1), (0, 8), (1, 3), (0, 9), (1, 4)];
        assert_eq!(losses(&events), [false, false, false, true, false, false]);
    }

    #[test]
    fn what_an_interrupt_overtook_is_not_lost() {
        assert_eq!(losses(&[(0, 1), (0, 2), (0, 2), (0, 1), (0, 3)]), [false; 5]);
    }

    #[test]
    fn hooks_that_are_attached_again_begin_anew() {
        assert_eq!(
            losses(&[(0, 90), (0, 1), (0, 2), (0, 4)]),
            [false, false, false, true]
        );
    }
}
