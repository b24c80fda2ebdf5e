//! The newest build against the one before it.

use super::{AnalysisError, Asked, Comparison, compare, of_histories, rates::watched};
use crate::store::{Dimension, Histories, Store, Watch};

/// A build counts that one in so many hosts ran: what a single one of many tries is no release.
const SHARE: u64 = 100;

/// Compares the two builds that hosts began to run last, of those that one in 100 hosts ran in these days. None: there are no two.
pub async fn compare_newest(
    store: &Store,
    max_ratio: f64,
    confidence: f64,
    watch: Watch,
) -> Result<Option<Comparison>, AnalysisError> {
    let newest = store.newest_builds(watch.days).await?;
    let two = of_histories(store, &watch, move |histories, _| {
        Ok(newest_two(newest, histories))
    });
    let Some([to, from]) = two.await? else {
        return Ok(None);
    };
    let asked = Asked {
        by: Dimension::Build,
        from,
        to,
        max_ratio,
        confidence,
        watch,
    };
    compare(store, &asked).await.map(Some)
}

/// The newest first.
fn newest_two(newest: Vec<String>, histories: &Histories) -> Option<[String; 2]> {
    let builds = watched(histories, Dimension::Build);
    let all = histories.hosts.len() as u64;
    let is_release = |name: &String| {
        let build = builds.iter().find(|build| build.name == *name);
        build.is_some_and(|build| build.hosts * SHARE >= all)
    };
    let mut releases = newest.into_iter().filter(is_release);
    Some([releases.next()?, releases.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::{A41, A42, fleet, host};

    #[test]
    fn what_few_of_many_hosts_ran_is_no_release() {
        let newest = || ["42", "41", "40"].map(str::to_owned).to_vec();
        let both = || host(&[(A41, 0..4), (A42, 4..10)], &[]);
        let old = || host(&[(A41, 0..10)], &[]);
        let of = |hosts: Vec<_>| newest_two(newest(), &fleet(hosts));
        let two = Some(["42", "41"].map(str::to_owned));
        assert_eq!(of(vec![both()]), two);
        let mut hosts: Vec<_> = std::iter::repeat_with(old).take(99).collect();
        hosts.push(both());
        assert_eq!(of(hosts), two, "one in a hundred");
        let mut hosts: Vec<_> = std::iter::repeat_with(old).take(100).collect();
        hosts.push(both());
        assert_eq!(of(hosts), None, "fewer");
    }
}
