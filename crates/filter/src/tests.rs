//! Filters as people write them, and as nobody does.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn is(condition: Condition) -> Expression {
    Expression::Is(condition)
}

fn text(text: &str) -> Expression {
    is(Condition::Text(text.to_owned()))
}

#[test]
fn a_filter_is_understood() {
    let filter = r#"class:kernel/* severity>=3 kernel:6.1.* host:web-1 after:-7d -word ("I/O error" or b)"#;
    let matches = |field, pattern: &str| is(Condition::Matches(field, Pattern::with_stars(pattern)));
    let expected = Expression::All(vec![
        matches(Field::Class, "kernel.*"),
        is(Condition::Severity(Comparison::AtLeast, Severity::High)),
        matches(Field::Kernel, "6.1.*"),
        matches(Field::Host, "web-1"),
        is(Condition::After(Moment::Ago(7 * 86_400))),
        Expression::Not(Box::new(text("word"))),
        Expression::Any(vec![text("I/O error"), text("b")]),
    ]);
    assert_eq!(parse(filter, Subject::Faults), Ok(expected));
}

#[test]
fn or_binds_less_than_and() {
    let expected = Expression::Any(vec![
        Expression::All(vec![text("a"), text("b")]),
        Expression::All(vec![text("c"), text("d")]),
    ]);
    assert_eq!(parse("a b or c and d", Subject::Faults), Ok(expected.clone()));
    assert_eq!(parse("(a b) OR (c d)", Subject::Faults), Ok(expected));
    assert_eq!(parse(" \t ", Subject::Hosts), Ok(Expression::EVERYTHING));
}

#[test]
fn not_in_capitals_is_a_minus_sign_and_in_small_letters_a_word() {
    let not = |text| Expression::Not(Box::new(text));
    let faults = |filter| parse(filter, Subject::Faults);
    assert_eq!(faults("NOT a"), Ok(not(text("a"))));
    assert_eq!(faults("a NOT (b or c)"), faults("a -(b or c)"));
    assert_eq!(
        faults("\"NOT\" not"),
        Ok(Expression::All(vec![text("NOT"), text("not")]))
    );
    let printed = faults("\"NOT\" a").unwrap().to_string();
    assert_eq!(faults(&printed), faults("\"NOT\" a"));
}

#[test]
fn only_an_owner_can_be_nobody() {
    let nobody = parse("-owner:\"\"", Subject::Issues).unwrap();
    assert_eq!(nobody.to_string(), "-owner:\"\"");
    for filter in ["owner:", "build:\"\"", "state:\"\""] {
        let error = parse(filter, Subject::Issues).unwrap_err().to_string();
        assert!(error.contains("needs a value"), "{filter}: {error}");
    }
}

#[test]
fn moments_are_days_ago_dates_and_instants() {
    let at = |time: &str| Moment::At(time.parse::<Timestamp>().unwrap());
    for (value, moment) in [
        ("-90s", Moment::Ago(90)),
        ("-2w", Moment::Ago(1_209_600)),
        ("2026-02-28", at("2026-02-28T00:00:00Z")),
        ("2026-02-28T09:30:00+01:00", at("2026-02-28T08:30:00Z")),
    ] {
        assert_eq!(
            parse(&format!("before:{value}"), Subject::Faults),
            Ok(is(Condition::Before(moment))),
            "{value}"
        );
    }
}

#[test]
fn mistakes_are_told_with_their_column() {
    let long = "a ".repeat(BYTES);
    let deep = "(".repeat(DEPTH + 1);
    let many = "a ".repeat(CONDITIONS + 1);
    for (filter, told) in [
        (
            "clas:kernel.oops",
            "column 1: there is no key clas; did you mean class?",
        ),
        (
            "a Kernal:6.1",
            "column 3: there is no key Kernal; did you mean kernel?",
        ),
        (
            "BUG: soft lockup",
            "column 1: there is no key BUG; there are class,",
        ),
        (
            "severity>=bad",
            "column 11: this is no value of severity: how bad: low",
        ),
        ("kernel>6.1", "column 8: kernel takes a colon, no other sign"),
        ("host:", "column 6: host needs a value: host name"),
        ("ä host:\"\"", "column 8: host needs a value"),
        (
            "after:-7 days",
            "column 7: this is no value of after: stored or heard then or later: -7d",
        ),
        ("issue:12", "column 7: this is no value of issue: "),
        ("a \"b c", "column 3: this quotation mark is not closed"),
        ("a (b", "column 3: this parenthesis is not closed"),
        ("a b)", "column 4: this parenthesis was not opened"),
        ("a or", "column 5: a condition is missing here"),
        ("or a", "column 1: a condition is missing here"),
        ("()", "column 2: a condition is missing here"),
        ("a -", "column 4: a condition is missing here"),
        ("a\0b", "column 2: control characters"),
        (long.as_str(), "column 2049: a filter has at most 2048 bytes"),
        (deep.as_str(), "column 17: at most 16 parentheses"),
        (many.as_str(), "column 129: a filter has at most 64 conditions"),
    ] {
        let error = parse(filter, Subject::Faults).expect_err(filter).to_string();
        assert!(error.starts_with(told), "{filter:?}: {error}");
    }
    let error = parse("host:a clas:b", Subject::Faults).unwrap_err();
    assert_eq!(error.underlined("host:a clas:b"), "host:a clas:b\n       ^");
}

#[test]
fn a_class_with_a_dot_at_its_end_is_all_that_are_below_it() {
    let below = parse("class:kernel.*", Subject::Faults);
    assert_eq!(parse("class:kernel.", Subject::Faults), below);
    assert_eq!(parse("class:kernel/", Subject::Faults), below);
    assert_ne!(parse("class:kernel", Subject::Faults), below);
}

#[test]
fn each_subject_has_its_keys() {
    let expected = Expression::All(vec![
        is(Condition::State(State::Regressed)),
        is(Condition::Hosts(Comparison::AtLeast, 10)),
        is(Condition::Records(Comparison::Below, 4_294_967_295)),
        is(Condition::Matches(Field::Owner, Pattern::literal("ann"))),
    ]);
    let filter = "state:regressed hosts>=10 records<4294967295 owner:ann";
    assert_eq!(parse(filter, Subject::Issues), Ok(expected));
    for (filter, subject, told) in [
        (
            "x state:new",
            Subject::Faults,
            "column 3: faults cannot be asked for by state, but by class,",
        ),
        (
            "class:a",
            Subject::Hosts,
            "column 1: hosts cannot be asked for by class, but by kernel,",
        ),
        (
            "event:1",
            Subject::Issues,
            "column 1: issues cannot be asked for by event, but by class,",
        ),
        (
            "stat:new",
            Subject::Issues,
            "column 1: there is no key stat; did you mean state?",
        ),
        (
            "stat:new",
            Subject::Hosts,
            "column 1: there is no key stat; there are kernel,",
        ),
        (
            "state:odd",
            Subject::Issues,
            "column 7: this is no value of state: new, ongoing,",
        ),
        ("state>new", Subject::Issues, "column 7: state takes a colon"),
        (
            "hosts>=-1",
            Subject::Issues,
            "column 8: this is no value of hosts: how many",
        ),
        (
            "records:4294967296",
            Subject::Issues,
            "column 9: this is no value of records",
        ),
    ] {
        let error = parse(filter, subject).expect_err(filter).to_string();
        assert!(error.starts_with(told), "{filter:?}: {error}");
    }
}

#[test]
fn what_may_come_next_is_offered() {
    let offered = |written: &str| {
        let completion = complete(written, Subject::Faults);
        let texts: Vec<String> = completion.candidates.into_iter().map(|one| one.text).collect();
        (completion.from, texts.join(" "))
    };
    assert_eq!(offered("host:a -cl"), (8, "class:".to_owned()));
    assert_eq!(offered("(sev"), (1, "severity>=".to_owned()));
    assert_eq!(offered("severity>=h"), (10, "high".to_owned()));
    assert_eq!(offered("severity:"), (9, "low medium high critical".to_owned()));
    assert_eq!(offered("after:-7"), (6, "-7d".to_owned()));
    assert_eq!(offered("\"a cl"), (0, String::new()), "within a text");
    assert_eq!(
        offered("\"a\" b"),
        (
            4,
            "build: before: bios:"
                .to_owned()
                .replace("build: before: bios:", "build: bios: before:")
        )
    );
    let keys = complete("", Subject::Issues).candidates;
    assert_eq!(keys.len(), Key::names_of(Subject::Issues).count());
    let states = complete("hosts>=2 state:re", Subject::Issues).candidates;
    assert_eq!(states.len(), 2, "{states:?}");
    let host = complete("host:w", Subject::Hosts);
    assert_eq!((host.key, host.from), (Some(Key::Of(Field::Host)), 5));
}

#[test]
fn stars_stand_for_anything() {
    for (pattern, text, matches) in [
        ("6.1.*", "6.1.120", true),
        ("6.1.*", "6.12.1", false),
        ("*-amd64", "6.1-amd64", true),
        ("a*b*c", "a--b--c", true),
        ("a*b*c", "a--c--b", false),
        ("ab*ba", "aba", false),
        ("a", "a", true),
        ("a", "ab", false),
        ("**", "", true),
    ] {
        assert_eq!(
            Pattern::with_stars(pattern).matches(text),
            matches,
            "{pattern} {text}"
        );
    }
    assert_eq!(Pattern::with_stars("50%_*\\x").like(), "50\\%\\_%\\\\x");
    assert_eq!(Pattern::with_stars("a*").prefix(), Some("a"));
    assert_eq!(Pattern::literal("a*").exact(), Some("a*"));
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let fields = Key::ALL.into_iter().filter_map(|(_, key, _)| match key {
        Key::Of(field) => Some(field),
        _ => None,
    });
    let field = prop::sample::select(fields.collect::<Vec<_>>());
    let pattern = prop_oneof![
        "[^\\p{Cc}]{1,12}".prop_map(|text| Pattern::literal(&text)),
        "[a-z0-9._*-]{1,12}".prop_map(|text| Pattern::with_stars(&text)),
    ];
    let payload = pattern.clone();
    let comparison = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::Above,
        Comparison::AtLeast,
        Comparison::Below,
        Comparison::AtMost,
    ]);
    let severity = prop::sample::select(Severity::ALL.map(|(_, severity)| severity).to_vec());
    let moment = || {
        prop_oneof![
            any::<u32>().prop_map(Moment::Ago),
            (-10_000_000_000_i64..10_000_000_000)
                .prop_map(|second| Moment::At(Timestamp::from_second(second).unwrap())),
        ]
    };
    prop_oneof![
        "[^\\p{Cc}]{1,12}".prop_map(Condition::Text),
        (field, pattern).prop_map(|(field, pattern)| Condition::Matches(field, pattern)),
        (comparison.clone(), severity)
            .prop_map(|(comparison, severity)| Condition::Severity(comparison, severity)),
        any::<u128>().prop_map(Condition::Issue),
        any::<u128>().prop_map(Condition::Fingerprint),
        any::<u128>().prop_map(Condition::Event),
        payload.prop_map(Condition::Payload),
        moment().prop_map(Condition::After),
        moment().prop_map(Condition::Before),
        any::<bool>().prop_map(Condition::Housekeeping),
        prop::sample::select(State::ALL.map(|(_, state)| Condition::State(state)).to_vec()),
        (comparison.clone(), any::<u32>())
            .prop_map(|(comparison, number)| Condition::Hosts(comparison, number)),
        (comparison, any::<u32>()).prop_map(|(comparison, number)| Condition::Records(comparison, number)),
    ]
}

fn any_subject() -> impl Strategy<Value = Subject> {
    prop::sample::select(Subject::ALL.map(|(_, subject)| subject).to_vec())
}

fn any_expression() -> impl Strategy<Value = Expression> {
    any_condition()
        .prop_map(Expression::Is)
        .prop_recursive(4, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
                inner.prop_map(|part| Expression::Not(Box::new(part))),
            ]
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(expression in any_expression(), subject in any_subject()) {
        let written = expression.to_string();
        prop_assume!(written.len() <= BYTES);
        match parse(&written, subject) {
            Ok(read) => prop_assert_eq!(read, expression, "{}", written),
            Err(error) => prop_assert!(matches!(error.reason, Reason::OtherSubject(..)), "{}: {}", written, error),
        }
    }

    #[test]
    fn any_text_is_understood_or_told_where_not(
        filter in r#"([a-z]{0,8}[:<>=]{0,2}["()* -]{0,3}|\PC{0,4}){0,12}"#,
        subject in any_subject(),
    ) {
        match parse(&filter, subject) {
            Ok(expression) => prop_assert_eq!(parse(&expression.to_string(), subject), Ok(expression)),
            Err(error) => prop_assert!((1..=filter.chars().count() + 1).contains(&error.column)),
        }
        let completion = complete(&filter, subject);
        prop_assert!(filter.is_char_boundary(completion.from));
    }

    #[test]
    fn what_is_offered_is_taken(filter in "[a-z]{0,3}( [a-z]{1,3}){0,3}", subject in any_subject()) {
        let completion = complete(&filter, subject);
        for candidate in completion.candidates {
            prop_assert!(candidate.text.starts_with(&filter[completion.from..]));
        }
    }
}
