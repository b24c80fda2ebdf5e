//! Which builds are the newest?

use super::{AnalysisError, of_histories};
use crate::store::{Dimension, Histories, Store, Watch};

/// A build counts that one in so many hosts ran: what a single one of many tries is no release.
const SHARE: u64 = 100;

/// The two builds that hosts began to run last, the newest first, of those that one in 100 hosts ran in these days. None: there are
/// no two.
pub async fn newest_builds(store: &Store, watch: &Watch) -> Result<Option<[String; 2]>, AnalysisError> {
    let newest = store.newest_builds(watch.days).await?;
    of_histories(store, watch, move |histories, _| {
        Ok(newest_two(newest, histories))
    })
    .await
}

fn newest_two(newest: Vec<String>, histories: &Histories) -> Option<[String; 2]> {
    let (names, build_of) = histories.names(Dimension::Build);
    let mut hosts = vec![0; names.len()];
    for host in &histories.hosts {
        let mut builds: Vec<usize> = host
            .watched
            .iter()
            .map(|watched| build_of[watched.system as usize])
            .collect();
        builds.sort_unstable();
        builds.dedup();
        for build in builds {
            hosts[build] += 1;
        }
    }
    let all = histories.hosts.len() as u64;
    let is_release = |build: &String| {
        let place = names.iter().position(|name| name == build);
        place.is_some_and(|place| hosts[place] * SHARE >= all)
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
