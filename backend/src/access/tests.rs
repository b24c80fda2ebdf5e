use axum::http::HeaderValue;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn only_requests_of_this_machine_itself_are_local() {
    for host in [
        "127.0.0.1:7131",
        "localhost:7131",
        "LocalHost",
        "[::1]:7131",
        "[::1]",
    ] {
        assert!(is_local(&headers(&[("host", host)]), Some(LOCAL)), "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:7131",
        "10.0.0.1",
        "localhost.evil.example",
        "",
    ] {
        assert!(!is_local(&headers(&[("host", host)]), Some(LOCAL)), "{host}");
    }
    let called = ("host", "127.0.0.1");
    assert!(!is_local(&headers(&[called]), Some([10, 0, 0, 1].into())));
    assert!(!is_local(&headers(&[called]), None));
    for proxied in FORWARDED {
        assert!(!is_local(
            &headers(&[called, (proxied, "for=10.0.0.1")]),
            Some(LOCAL)
        ));
    }
    let mapped = "::ffff:127.0.0.1".parse().unwrap();
    assert!(is_local(&headers(&[called]), Some(mapped)));
}

#[test]
fn what_another_site_makes_a_browser_do_is_refused() {
    let host = ("host", "telemetry.example");
    let cross = |pairs: &[_]| is_cross_site(&Method::POST, &headers(pairs));
    assert!(!cross(&[host, ("sec-fetch-site", "same-origin")]));
    assert!(!cross(&[host, ("sec-fetch-site", "none")]));
    assert!(cross(&[host, ("sec-fetch-site", "cross-site")]));
    assert!(cross(&[host, ("sec-fetch-site", "same-site")]));
    assert!(!cross(&[host, ("origin", "https://telemetry.example")]));
    assert!(cross(&[host, ("origin", "https://evil.example")]));
    assert!(cross(&[host, ("origin", "null")]));
    assert!(cross(&[("origin", "https://telemetry.example")]));
    assert!(!cross(&[host]), "a program");
    assert!(!is_cross_site(
        &Method::GET,
        &headers(&[host, ("sec-fetch-site", "cross-site")])
    ));
}

#[test]
fn a_cookie_is_found_among_others() {
    let found = |value| cookie(&headers(&[("cookie", value)])).map(ToOwned::to_owned);
    assert_eq!(found("a=b; telemetrics_session=abc; c=d").as_deref(), Some("abc"));
    assert_eq!(found("telemetrics_session="), None);
    assert_eq!(found("xtelemetrics_session=abc"), None);
    assert_eq!(found(";;=;"), None);
}

#[test]
fn a_token_is_taken_from_its_header_only() {
    let found = |value| bearer(&headers(&[("authorization", value)])).map(ToOwned::to_owned);
    assert_eq!(found("Bearer tla_1").as_deref(), Some("tla_1"));
    assert_eq!(found("bearer  tla_1 ").as_deref(), Some("tla_1"));
    assert_eq!(found("Basic dTpw"), None);
    assert_eq!(found("Bearer"), None);
}

#[test]
fn cookies_are_kept_from_scripts_and_over_tls_to_tls() {
    let clear = set_cookie("abc", &HeaderMap::new());
    assert_eq!(clear, "telemetrics_session=abc; Path=/; HttpOnly; SameSite=Lax");
    let over_tls = set_cookie("abc", &headers(&[("x-forwarded-proto", "https")]));
    assert_eq!(over_tls, format!("{clear}; Secure"));
    assert!(set_cookie("", &HeaderMap::new()).ends_with("; Max-Age=0"));
}

#[test]
fn a_role_may_what_those_before_it_may() {
    assert!(Role::Viewer < Role::Triager && Role::Triager < Role::Admin);
    for role in [Role::Viewer, Role::Triager, Role::Admin] {
        assert_eq!(Role::named(role.name()), Some(role));
    }
    assert_eq!(Role::named("root"), None);
}

#[test]
fn names_are_plain() {
    for right in ["ada", "a.b_c-d@example", "0"] {
        assert_eq!(person_name(right).as_deref(), Ok(right));
    }
    for wrong in ["", "Ada", "-a", "a b", "é", &"a".repeat(65)] {
        person_name(wrong).unwrap_err();
    }
}
