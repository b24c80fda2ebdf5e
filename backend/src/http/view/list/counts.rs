//! What the faults that a filter selects are, with their numbers: each narrows the filter further.

use ::filter::{Comparison, Condition, Expression, Field, Severity, Subject, value_text};
use proto::v1::FaultFilter;

use crate::http::view::chart::Share;
use crate::http::view::{counted, filter_href, grouped};
use crate::severity;
use crate::store::{COUNTED_DAYS, CountedBy, Counts};

/// Values that are shown, those of most faults, and those that are unfolded below them.
const VALUES: usize = 5;
const FOLDED: usize = 20;

/// Each way of counting, with its name on the page.
const WAYS: [(CountedBy, &str); 5] = [
    (CountedBy::Class, "Class"),
    (CountedBy::Severity, "Severity"),
    (CountedBy::Kernel, "Kernel"),
    (CountedBy::Build, "Build"),
    (CountedBy::Model, "Model"),
];

/// The numbers of a list.
#[derive(Debug)]
pub(in crate::http) struct CountsView {
    pub(in crate::http) ways: Vec<Way>,
    /// `the last 7 days`, and of which hosts where not of all.
    pub(in crate::http) of_what: String,
}

/// Numbers by one property.
#[derive(Debug)]
pub(in crate::http) struct Way {
    pub(in crate::http) name: &'static str,
    pub(in crate::http) values: Vec<CountedValue>,
    pub(in crate::http) folded: Vec<CountedValue>,
    /// `and 12 more`, to unfold; empty: all are shown.
    pub(in crate::http) more: String,
    /// `and 100 that fewer have`; empty: all are unfolded.
    pub(in crate::http) rest: String,
}

/// A value and how many faults have it.
#[derive(Debug)]
pub(in crate::http) struct CountedValue {
    pub(in crate::http) text: String,
    pub(in crate::http) count: String,
    pub(in crate::http) share: Share,
    /// The list of these alone, or without this condition where it is set.
    pub(in crate::http) href: String,
    pub(in crate::http) set: bool,
}

impl CountsView {
    pub(super) fn new(filter: &FaultFilter, counts: &Counts) -> Self {
        let days = format!("the last {COUNTED_DAYS} days");
        Self {
            ways: WAYS
                .into_iter()
                .map(|(by, name)| Way::new(by, name, filter, counts))
                .filter(|way| !way.values.is_empty())
                .collect(),
            of_what: if counts.counted_hosts < counts.hosts {
                format!(
                    "{days}, {} of {} taken at random",
                    grouped(counts.counted_hosts),
                    counted(counts.hosts, "host")
                )
            } else {
                days
            },
        }
    }
}

impl Way {
    fn new(by: CountedBy, name: &'static str, filter: &FaultFilter, counts: &Counts) -> Self {
        let of_it = || {
            counts
                .values
                .iter()
                .filter(move |(counted_by, ..)| *counted_by == by)
        };
        let whole = of_it().map(|(.., faults)| faults).sum();
        let known = of_it().count();
        let mut values = of_it().filter_map(|(_, value, faults)| {
            let text = match by {
                CountedBy::Severity => severity_of(value)?.name().to_owned(),
                _ => value.clone(),
            };
            let (narrowed, set) = toggled(by, value, filter)?;
            Some(CountedValue {
                text,
                count: grouped(*faults),
                share: Share::new(*faults, whole),
                href: filter_href(narrowed),
                set,
            })
        });
        Self {
            name,
            values: values.by_ref().take(VALUES).collect(),
            folded: values.take(FOLDED).collect(),
            more: beyond(known, VALUES, "more"),
            rest: beyond(known, VALUES + FOLDED, "that fewer have"),
        }
    }
}

/// How many of those that are known are not among the first `shown`; empty: none.
fn beyond(known: usize, shown: usize, what: &str) -> String {
    match known.saturating_sub(shown) {
        0 => String::new(),
        more => format!("and {} {what}", grouped(more as u64)),
    }
}

/// The filter with a value as a condition; without it where it is one already, and whether it is. None: there is no such value.
fn toggled(by: CountedBy, value: &str, filter: &FaultFilter) -> Option<(FaultFilter, bool)> {
    let mut filter = filter.clone();
    let toggle = |field: &mut String| {
        let set = field == value;
        *field = if set { String::new() } else { value.to_owned() };
        set
    };
    let set = match by {
        CountedBy::Class => toggle(&mut filter.class),
        CountedBy::Kernel => toggle(&mut filter.kernel_release),
        CountedBy::Severity => {
            let severity = severity_of(value)?;
            let of_it = Condition::Severity(Comparison::Equal, severity);
            toggle_term(
                &mut filter.query,
                &of_it,
                &format!("severity:{}", severity.name()),
            )
        }
        CountedBy::Build => toggle_value(&mut filter.query, "build", Field::Build, value)?,
        CountedBy::Model => toggle_value(&mut filter.query, "model", Field::Model, value)?,
    };
    Some((filter, set))
}

fn toggle_value(query: &mut String, key: &str, field: Field, value: &str) -> Option<bool> {
    let term = format!("{key}:{}", value_text(field, value));
    match ::filter::parse(&term, Subject::Faults).ok()? {
        Expression::Is(condition) => Some(toggle_term(query, &condition, &term)),
        _ => None,
    }
}

/// Adds a condition to a query, or takes it out of it where it is one of those that must all hold, and says whether it was.
fn toggle_term(query: &mut String, condition: &Condition, term: &str) -> bool {
    let is_it = |part: &Expression| *part == Expression::Is(condition.clone());
    let parsed = ::filter::parse(query, Subject::Faults).unwrap_or(Expression::EVERYTHING);
    let without = match parsed {
        part if is_it(&part) => Some(Expression::EVERYTHING),
        Expression::All(mut parts) if parts.iter().any(is_it) => {
            parts.retain(|part| !is_it(part));
            Some(match parts.len() {
                1 => parts.remove(0),
                _ => Expression::All(parts),
            })
        }
        Expression::Any(_) => {
            *query = format!("({query}) {term}");
            None
        }
        _ => {
            if !query.is_empty() {
                query.push(' ');
            }
            query.push_str(term);
            None
        }
    };
    let set = without.is_some();
    if let Some(without) = without {
        *query = without.to_string();
    }
    set
}

fn severity_of(number: &str) -> Option<Severity> {
    let severities = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let word = severity::of_word(number).map(severity::word)?;
    severities.into_iter().find(|severity| severity.name() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(query: &str, by: CountedBy, value: &str) -> (String, bool) {
        let filter = FaultFilter {
            query: query.to_owned(),
            ..FaultFilter::default()
        };
        let (narrowed, set) = toggled(by, value, &filter).unwrap();
        (narrowed.query, set)
    }

    #[test]
    fn a_value_narrows_the_filter_and_leaves_it_again() {
        let model = "Example \"Server\" *";
        let (narrowed, set) = queries("host:a* or host:b*", CountedBy::Model, model);
        assert!(!set);
        assert_eq!(narrowed, r#"(host:a* or host:b*) model:"Example \"Server\" *""#);
        let (narrowed, set) = queries(&narrowed, CountedBy::Severity, "3");
        assert!(!set);
        assert!(narrowed.ends_with(" severity:high"), "{narrowed}");
        let (without, set) = queries(&narrowed, CountedBy::Model, model);
        assert!(set);
        assert_eq!(without, "(host:a* or host:b*) severity:high");
        assert_eq!(
            queries("severity:high", CountedBy::Severity, "3"),
            (String::new(), true)
        );
    }

    #[test]
    fn classes_and_kernels_are_fields_of_their_own() {
        let filter = FaultFilter {
            class: "kernel.".to_owned(),
            ..FaultFilter::default()
        };
        let (narrowed, set) = toggled(CountedBy::Class, "kernel.oops", &filter).unwrap();
        assert_eq!((narrowed.class.as_str(), set), ("kernel.oops", false));
        let (without, set) = toggled(CountedBy::Class, "kernel.oops", &narrowed).unwrap();
        assert_eq!((without.class.as_str(), set), ("", true));
        assert_eq!(toggled(CountedBy::Severity, "9", &filter), None);
    }

    #[test]
    fn values_that_few_have_are_folded() {
        let value = |number: u64| (CountedBy::Kernel, format!("6.{number}"), 100 - number);
        let counts = Counts {
            values: (0..27).map(value).collect(),
            ..Counts::default()
        };
        let way = &CountsView::new(&FaultFilter::default(), &counts).ways[0];
        assert_eq!((way.values.len(), way.folded.len()), (VALUES, FOLDED));
        assert_eq!(way.folded[0].text, "6.5");
        assert_eq!(
            (way.more.as_str(), way.rest.as_str()),
            ("and 22 more", "and 2 that fewer have")
        );
    }

    #[test]
    fn the_page_says_when_not_all_hosts_are_counted() {
        let mut counts = Counts {
            values: vec![
                (CountedBy::Class, "kernel.oops".to_owned(), 30),
                (CountedBy::Severity, "4".to_owned(), 1),
            ],
            counted_hosts: 1000,
            hosts: 12_345,
        };
        let view = CountsView::new(&FaultFilter::default(), &counts);
        assert_eq!(
            view.of_what,
            "the last 7 days, 1,000 of 12,345 hosts taken at random"
        );
        let names: Vec<&str> = view.ways.iter().map(|way| way.name).collect();
        assert_eq!(names, ["Class", "Severity"]);
        assert_eq!(view.ways[1].values[0].text, "critical");
        counts.hosts = 1000;
        assert_eq!(
            CountsView::new(&FaultFilter::default(), &counts).of_what,
            "the last 7 days"
        );
    }
}
