//! Stacks that were resolved a while ago: who looks at a fault looks at it again, and a debug file takes seconds to be read.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use proto::v1::ResolveFaultResponse;

use crate::store::SymbolsFound;

/// Answers that are kept, the last that were asked for. One has some 100 KB at most: as many frames as a report has.
const ANSWERS: usize = 64;

/// Answers by fault. One holds for the files that it was made from: when others are found, it is asked anew.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<VecDeque<Answer>>);

#[derive(Debug)]
struct Answer {
    fault: String,
    files: Vec<SymbolsFound>,
    stacks: ResolveFaultResponse,
}

impl Answers {
    /// What was answered for this fault by these files.
    pub(super) fn get(&self, fault: &str, files: &[SymbolsFound]) -> Option<ResolveFaultResponse> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept
            .iter()
            .position(|answer| answer.fault == fault && answer.files == files)?;
        let answer = kept.remove(at)?;
        let stacks = answer.stacks.clone();
        kept.push_back(answer);
        Some(stacks)
    }

    /// Keeps an answer, and forgets the one that nobody has asked for the longest.
    pub(super) fn put(&self, fault: String, files: Vec<SymbolsFound>, stacks: ResolveFaultResponse) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|answer| answer.fault != fault);
        if kept.len() >= ANSWERS {
            kept.pop_front();
        }
        kept.push_back(Answer { fault, files, stacks });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(module: &str) -> Vec<SymbolsFound> {
        vec![SymbolsFound {
            sha256: vec![7; 32],
            module: module.to_owned(),
        }]
    }

    #[test]
    fn an_answer_holds_for_the_files_that_it_was_made_from() {
        let answers = Answers::default();
        let stacks = ResolveFaultResponse {
            problems: vec!["none".to_owned()],
            ..ResolveFaultResponse::default()
        };
        answers.put("1".to_owned(), found("a"), stacks.clone());
        assert_eq!(answers.get("1", &found("a")), Some(stacks));
        assert_eq!(answers.get("1", &found("b")), None);
        assert_eq!(answers.get("2", &found("a")), None);
    }

    #[test]
    fn what_nobody_asked_for_the_longest_is_forgotten() {
        let answers = Answers::default();
        for number in 0..ANSWERS {
            answers.put(number.to_string(), found(""), ResolveFaultResponse::default());
        }
        assert!(answers.get("0", &found("")).is_some());
        answers.put("one more".to_owned(), found(""), ResolveFaultResponse::default());
        assert!(answers.get("0", &found("")).is_some());
        assert!(answers.get("1", &found("")).is_none());
    }
}
