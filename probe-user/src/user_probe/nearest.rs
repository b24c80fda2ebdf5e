//! What somebody may have meant.

/// Longest word that is compared, characters: the work grows with the square.
const WORD_CHARS: usize = 128;

/// The candidate that is written most like `word`; `None` when none is near enough to be a slip of it: a third of its
/// characters, at least two.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(WORD_CHARS + 1).collect();
    let limit = (word.len() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Changes from one word to the other: a character put in, left out, replaced, or two neighbours exchanged.
fn distance(word: &[char], other: &str) -> usize {
    let other: Vec<char> = other.chars().take(WORD_CHARS + 1).collect();
    if word.len() > WORD_CHARS || other.len() > WORD_CHARS {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, c) in word.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, d) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(c != d);
            let mut least = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && *c == other[column - 1] && word[row - 1] == *d {
                least = least.min(before_last[column - 1] + 1);
            }
            line.push(least);
        }
        before_last = std::mem::replace(&mut last, line);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let fields = ["sector", "nr_sector", "error", "rwbs", "dev"];
        assert_eq!(nearest("eror", fields), Some("error"));
        assert_eq!(nearest("errro", fields), Some("error"));
        assert_eq!(nearest("sectors", fields), Some("sector"));
        assert_eq!(nearest("device", fields), None);
        assert_eq!(nearest("", fields), None);
        assert_eq!(nearest("x", []), None);
    }

    proptest! {
        #[test]
        fn a_word_is_nearest_to_itself(word in ".{1,140}", other in ".{0,20}") {
            let found = nearest(&word, [other.as_str(), word.as_str()]);
            if word.chars().count() <= WORD_CHARS {
                prop_assert_eq!(found, Some(word.as_str()));
            }
        }
    }
}
