use super::*;
use proptest::prelude::*;

fn error(query: &str) -> String {
    parse(query).unwrap_err().to_string()
}

#[test]
fn every_parameter_is_read() {
    let query = "q=a+OR+%22b%22&class=kernel.&min_severity=high&host=web%2D1&kernel_release=6.1.0-35-amd64\
                 &fingerprint=00112233445566778899AABBCCDDEEFF&include_housekeeping=true&page_size=7&page_token=abc";
    let expected = ListFaultsRequest {
        filter: Some(FaultFilter {
            class: "kernel.".into(),
            min_severity: Severity::High.into(),
            host: "web-1".into(),
            kernel_release: "6.1.0-35-amd64".into(),
            fingerprint: "00112233445566778899aabbccddeeff".into(),
            include_housekeeping: true,
            query: "a OR \"b\"".into(),
        }),
        page_size: 7,
        page_token: "abc".into(),
        read_mask: None,
    };
    assert_eq!(parse(query), Ok(expected));
}

#[test]
fn empty_fields_of_a_form_are_no_filter() {
    let nothing = ListFaultsRequest {
        filter: Some(FaultFilter::default()),
        ..Default::default()
    };
    assert_eq!(parse(""), Ok(nothing.clone()));
    assert_eq!(
        parse("class=&min_severity=&host=&kernel_release=&page_size="),
        Ok(nothing)
    );
}

#[test]
fn severities_have_names_and_numbers() {
    for (value, severity) in [("low", 1), ("2", 2), ("High", 3), ("CRITICAL", 4)] {
        let request = parse(&format!("min_severity={value}")).unwrap();
        assert_eq!(request.filter.unwrap().min_severity, severity);
    }
}

#[test]
fn bad_values_name_the_parameter() {
    assert_eq!(
        error("min_severity=5"),
        "min_severity must be low, medium, high, critical, or 1 to 4"
    );
    assert_eq!(error("page_size=0"), "page_size must be a number from 1 to 500");
    assert_eq!(error("page_size=501"), "page_size must be a number from 1 to 500");
    assert_eq!(error("page_size=-1"), "page_size must be a number from 1 to 500");
    assert_eq!(
        error("fingerprint=12"),
        "fingerprint must be 32 hexadecimal digits"
    );
    assert_eq!(
        error("include_housekeeping=1"),
        "include_housekeeping must be true or false"
    );
    assert!(error("class=Kernel%20Oops").starts_with("class must be "));
    let filter = parse("q=a%09b%00").unwrap().filter.unwrap();
    assert_eq!(
        filter.query, "a\tb\0",
        "what is wrong with a filter is told by who understands it"
    );
    assert!(error("host=a%00b").starts_with("host must be "));
    assert!(error(&format!("kernel_release={}", "6".repeat(129))).starts_with("kernel_release must be "));
}

#[test]
fn unknown_and_repeated_parameters_are_named() {
    assert_eq!(
        error("sort=asc"),
        "unknown parameter \"sort\"; there are q, class, min_severity, host, kernel_release, fingerprint, \
         include_housekeeping, page_size, page_token"
    );
    assert_eq!(
        error("class=custom&class=custom"),
        "class is given more than once"
    );
    assert_eq!(
        error(&"x".repeat(QUERY_BYTES + 1)),
        "the query string has more than 12288 bytes"
    );
}

#[test]
fn one_more_parameter_can_be_allowed() {
    let (_, after) = parse_with("class=custom&after=x", Some("after")).unwrap();
    assert_eq!(after.as_deref(), Some("x"));
    assert!(parse("after=x").is_err());
}

prop_compose! {
    fn filters()(
        class in "[a-z0-9_.]{0,64}",
        severity in 0i32..=4,
        host in "[^\\p{Cc}]{0,60}",
        kernel_release in "[^\\p{Cc}]{0,30}",
        fingerprint in "([0-9a-f]{32})?",
        include_housekeeping: bool,
        query in "[^\\p{Cc}]{0,60}",
    ) -> FaultFilter {
        FaultFilter { class, min_severity: severity, host, kernel_release, fingerprint, include_housekeeping, query }
    }
}

proptest! {
    #[test]
    fn a_written_query_reads_back(filter in filters(), page_size in 0u32..=500, page_token in "[A-Za-z0-9_+/=-]{0,64}") {
        let request = ListFaultsRequest { filter: Some(filter), page_size, page_token, read_mask: None };
        prop_assert_eq!(parse(&to_string(&request)), Ok(request));
    }

    #[test]
    fn what_is_accepted_keeps_the_limits(query in "((class|host|min_severity|page_size|page_token|fingerprint)=[^&]{0,300}&?){0,4}") {
        if let Ok(request) = parse(&query) {
            let filter = request.filter.unwrap();
            prop_assert!(filter.class.len() <= limits::CLASS_CHARS);
            prop_assert!(filter.host.len() <= HOST_BYTES && !filter.host.contains('\0'));
            prop_assert!(request.page_size <= limits::PAGE_SIZE);
            prop_assert!(Severity::try_from(filter.min_severity).is_ok());
        }
    }

    #[test]
    fn no_bytes_panic(query in ".{0,200}") {
        let _unused: Result<_, _> = parse(&query);
    }
}
