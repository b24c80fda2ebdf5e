//! Stacks that repeat themselves until there was no room left.

use crate::fingerprint::{FrameExplanation, Rule};

/// Functions of the longest round that is found.
const ROUND_MAX: usize = 16;

/// Frames that may come before the rounds: what the recursion called last.
const BEFORE_MAX: usize = 16;

/// Frames that have to repeat. A program's stack of 8 MiB holds thousands; 64 are more than what recursion over data that people
/// write takes, and fewer than any tool prints.
const FRAMES_MIN: usize = 64;

/// Leaves one round of the frames that repeat, beginning at the name that sorts first, since where in a round the stack was
/// full is chance. False when they don't repeat.
pub(super) fn one_round(frames: &mut [FrameExplanation]) -> bool {
    let counting: Vec<(usize, &str)> = frames
        .iter()
        .enumerate()
        .filter_map(|(at, frame)| Some((at, frame.name.as_deref()?)))
        .collect();
    let Some((start, round)) = rounds(&counting) else {
        return false;
    };
    let rotation = |by: &usize| counting.iter().skip(*by).take(round).map(|(_, name)| *name);
    let first = (start..start + round).min_by(|one, other| rotation(one).cmp(rotation(other)));
    let kept: Vec<usize> = counting
        .iter()
        .skip(first.unwrap_or(start))
        .take(round)
        .map(|(at, _)| *at)
        .collect();
    for (at, frame) in frames.iter_mut().enumerate() {
        if frame.name.is_some() && kept.binary_search(&at).is_err() {
            frame.drop_for(Rule::Recursion);
        }
    }
    true
}

/// Where the rounds begin and how many frames one has: the shortest there is.
fn rounds(names: &[(usize, &str)]) -> Option<(usize, usize)> {
    (1..=ROUND_MAX).find_map(|round| {
        let mut start = 0;
        for (at, (this, next)) in names.iter().zip(names.iter().skip(round)).enumerate() {
            if this.1 != next.1 {
                start = at + 1;
            }
            if start > BEFORE_MAX {
                return None;
            }
            if at + round + 1 - start >= FRAMES_MIN {
                return Some((start, round));
            }
        }
        None
    })
}
