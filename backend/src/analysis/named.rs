//! Whether there is what is asked for by name: a slip must not read like too little data.

use std::collections::HashMap;

use super::{AnalysisError, of_histories};
use crate::store::{Dimension, Histories, Store, Watch};

/// Names that are told where there is none of that name.
const TOLD: usize = 5;

/// Refuses a name of which no host was watched in these days and that no host tells now. One that was just released is told before
/// anything is known of it.
pub(super) async fn check(
    store: &Store,
    by: Dimension,
    name: &str,
    watch: &Watch,
) -> Result<(), AnalysisError> {
    let histories = store.histories(watch.days).await?;
    let was_watched = histories.systems.iter().any(|system| system.name(by) == name);
    if was_watched || store.is_told(by, name).await? {
        return Ok(());
    }
    let newest = of_histories(store, watch, move |histories, _| Ok(newest(histories, by))).await?;
    let (noun, days) = (by.noun(), watch.days);
    let newest = match newest.as_slice() {
        [] => format!("no host was watched in the last {days} days"),
        [one] => format!("there is {one}"),
        several => format!("the newest are {}", several.join(", ")),
    };
    Err(AnalysisError::Asked(format!(
        "there is no {noun} {name:?}: no host has it, or had it in the last {days} days; {newest}"
    )))
}

/// The names with which hosts began to be watched last, the newest first.
fn newest(histories: &Histories, by: Dimension) -> Vec<String> {
    let mut began: HashMap<&str, u16> = HashMap::new();
    for watched in histories.hosts.iter().flat_map(|host| &host.watched) {
        let name = histories.systems[watched.system as usize].name(by);
        let day = began.entry(name).or_insert(watched.day);
        *day = watched.day.min(*day);
    }
    began.remove("");
    let mut names: Vec<(&str, u16)> = began.into_iter().collect();
    names.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
    names
        .into_iter()
        .take(TOLD)
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::{A41, A42, B41, fleet, host};

    #[test]
    fn the_newest_name_is_the_one_that_came_last() {
        let histories = fleet(vec![
            host(&[(A42, 2..4)], &[]),
            host(&[(B41, 0..9)], &[]),
            host(&[(A41, 3..9)], &[]),
        ]);
        assert_eq!(newest(&histories, Dimension::Build), ["42", "41"]);
        assert_eq!(newest(&histories, Dimension::Model), ["A", "B"]);
        assert_eq!(newest(&histories, Dimension::Kernel), ["6.12"]);
    }
}
