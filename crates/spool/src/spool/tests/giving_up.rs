//! What is given up, in which order, and how it is accounted for.

use super::*;

/// The record says it: its class, "!" when it is critical, how many events.
fn judge(record: &[u8]) -> Worth {
    let text = String::from_utf8_lossy(record);
    let mut words = text.split(' ');
    let class = words.next().unwrap_or_default();
    Worth {
        class: class.trim_end_matches('!').to_owned(),
        is_critical: class.ends_with('!'),
        events: words.next().and_then(|events| events.parse().ok()).unwrap_or(1),
    }
}

const JUDGED: Options = Options { judge, ..SMALL };
const HOUR: Duration = Duration::from_hours(1);
const AGED: Options = Options {
    max_age: Duration::from_hours(8),
    ..JUDGED
};

fn keep(spool: &mut Spool, record: &str) {
    spool.append(format!("{record:<200}").as_bytes()).unwrap();
    spool.sync().unwrap();
}

/// Everything from `from` on: each record's class, and each gap as first, last, reason, class and events.
fn all(spool: &mut Spool, from: u64) -> Vec<String> {
    let (mut at, mut all) = (from, Vec::new());
    loop {
        match spool.read(at, 3, 1000).unwrap() {
            Chunk::Empty => return all,
            Chunk::Records { records, .. } => {
                at += records.len() as u64;
                all.extend(records.iter().map(|record| judge(record).class));
            }
            Chunk::Gap {
                first_seq,
                count,
                reason,
                class,
                events,
            } => {
                at = first_seq + count;
                all.push(format!("{first_seq}-{} {reason:?} {class} {events}", at - 1));
            }
        }
    }
}

/// Records and events of a class that were given up.
fn given_up(spool: &mut Spool, class: &str) -> (u64, u64) {
    let (mut at, mut sum) = (1, (0, 0));
    loop {
        match spool.read(at, 3, 1000).unwrap() {
            Chunk::Empty => return sum,
            Chunk::Records { records, .. } => at += records.len() as u64,
            Chunk::Gap {
                count,
                class: of,
                events,
                ..
            } => {
                at += count;
                if of == class {
                    sum = (sum.0 + count, sum.1 + events);
                }
            }
        }
    }
}

#[test]
fn critical_records_outlast_all_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, JUDGED).spool;
    for number in 0..300 {
        keep(&mut spool, if number % 60 == 30 { "panic!" } else { "oom" });
    }
    let found = all(&mut spool, 1);
    assert_eq!(
        found[..4],
        ["1-30 Evicted oom 30", "panic", "32-90 Evicted oom 59", "panic"]
    );
    assert_eq!(found.iter().filter(|found| *found == "panic").count(), 5);
    assert!(spool.bytes() <= JUDGED.max_bytes);
    drop(spool);
    let mut opened = open_with(&dir, JUDGED);
    assert_eq!(opened.damage, []);
    assert_eq!(all(&mut opened.spool, 1), found);
}

#[test]
fn when_only_critical_records_are_left_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, JUDGED).spool;
    for _ in 0..300 {
        keep(&mut spool, "panic!");
        assert!(spool.bytes() <= JUDGED.max_bytes);
    }
    let found = all(&mut spool, 1);
    let kept = found.iter().filter(|found| *found == "panic").count();
    let gone = 300 - kept as u64;
    assert!(
        kept > 50 && found[found.len() - kept..].iter().all(|found| found == "panic"),
        "{found:?}"
    );
    assert_eq!(given_up(&mut spool, "panic"), (gone, gone));
    drop(spool);
    assert_eq!(all(&mut open_with(&dir, JUDGED).spool, 1), found);
}

#[test]
fn a_lost_count_counts_what_it_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, JUDGED).spool;
    for number in 0..200 {
        keep(&mut spool, if number % 2 == 0 { "oom" } else { "loss 10" });
    }
    let left = all(&mut spool, 1)
        .iter()
        .filter(|found| !found.contains('-'))
        .count() as u64;
    let (counts, others) = (given_up(&mut spool, "loss"), given_up(&mut spool, "oom"));
    assert!(counts.0 > 0 && others.0 > 0);
    assert_eq!(counts.1, 10 * counts.0);
    assert_eq!(others.1, others.0);
    assert_eq!(counts.0 + others.0 + left, 200);
}

#[test]
fn however_much_is_given_up_files_and_gaps_stay_few() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, JUDGED).spool;
    for number in 0..3000 {
        keep(&mut spool, &format!("class{}", number % 5));
        assert!(spool.segments.len() < 12);
    }
    let gaps = all(&mut spool, 1)
        .iter()
        .filter(|found| found.contains('-'))
        .count();
    assert!(gaps <= 10, "{gaps}");
}

#[test]
fn what_was_acknowledged_is_not_accounted_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, JUDGED).spool;
    for _ in 0..10 {
        keep(&mut spool, "oom");
    }
    spool.acknowledge(4).unwrap();
    for _ in 10..200 {
        keep(&mut spool, "oom");
    }
    let found = all(&mut spool, 5);
    assert!(found[0].starts_with("5-"), "{}", found[0]);
    spool.acknowledge(20).unwrap();
    drop(spool);
    let mut spool = open_with(&dir, JUDGED).spool;
    assert!(all(&mut spool, 21)[0].starts_with("21-"));
}

#[test]
fn records_that_are_too_old_are_given_up_whatever_they_are_worth() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, AGED).spool;
    keep(&mut spool, "panic!");
    for _ in 0..20 {
        spool.advance(HOUR).unwrap();
        keep(&mut spool, "oom");
    }
    let found = all(&mut spool, 1);
    let left = found.iter().filter(|found| *found == "oom").count();
    assert!((8..=9).contains(&left), "{found:?}");
    assert!(
        found.iter().any(|found| found.contains("Expired panic 1")),
        "{found:?}"
    );
    drop(spool);
    let mut spool = open_with(&dir, AGED).spool;
    assert_eq!(all(&mut spool, 1), found);
    spool.advance(10 * HOUR).unwrap();
    let found = all(&mut spool, 1);
    assert!(found.iter().all(|found| found.contains("Expired")), "{found:?}");
}

#[test]
fn the_spools_clock_outlives_the_process_and_knows_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_with(&dir, AGED).spool;
    keep(&mut spool, "oom");
    spool.advance(7 * HOUR).unwrap();
    drop(spool);
    let mut spool = open_with(&dir, AGED).spool;
    spool.advance(HOUR / 2).unwrap();
    assert_eq!(all(&mut spool, 1), ["oom"]);
    spool.advance(HOUR / 2).unwrap();
    assert_eq!(all(&mut spool, 1), ["1-1 Expired oom 1"]);
    spool.advance(Duration::MAX).unwrap();
    keep(&mut spool, "oom");
    assert_eq!(all(&mut spool, 2), ["oom"]);
}

#[test]
fn on_a_full_disk_the_oldest_go_without_an_account() {
    let disk = Simulated::new(1);
    let path = Path::new(SIMULATED_DIR);
    let mut spool = Spool::open_on(Arc::new(disk.clone()), path, JUDGED, EPOCH)
        .unwrap()
        .spool;
    while spool.segments.len() < 5 {
        keep(&mut spool, "oom");
    }
    disk.leave(Some(0));
    for _ in 0..50 {
        keep(&mut spool, "oom");
    }
    let found = all(&mut spool, 1);
    assert!(
        found[0].starts_with("1-") && found[0].contains("Evicted"),
        "{}",
        found[0]
    );
    assert!(found[1..].iter().all(|found| found == "oom"), "{found:?}");
    disk.leave(None);
    drop(spool);
    let mut spool = Spool::open_on(Arc::new(disk), path, JUDGED, EPOCH).unwrap().spool;
    assert_eq!(all(&mut spool, 1), found);
}
