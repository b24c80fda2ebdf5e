//! The filter language as SQL.

use ::filter::{Comparison, Condition, Expression, Field, Moment, Pattern};
use uuid::Uuid;

use super::Parameters;
use crate::store::{issues::shown, time::Micros};

/// The host that all matching records are of, where the query names one.
pub(super) fn only_host(query: &Expression) -> Option<&str> {
    match query {
        Expression::Is(Condition::Matches(Field::Host, host)) => host.exact(),
        Expression::All(parts) => parts.iter().find_map(only_host),
        _ => None,
    }
}

/// The issues that all matching records are of, as a query; `None` where the expression does not name one.
pub(super) fn issues(query: &Expression, parameters: &mut Parameters) -> Option<String> {
    parts(query).into_iter().find_map(|part| match part {
        Expression::Is(Condition::Issue(issue)) => {
            let issue = shown(&format!("{}::uuid", parameters.bind(Uuid::from_u128(*issue))));
            // With those that were merged into it.
            Some(format!(
                "SELECT {issue} AS issue UNION SELECT issue FROM triage WHERE merged_into = {issue}"
            ))
        }
        Expression::Is(Condition::Fingerprint(fingerprint)) => {
            Some(issues_of(&parameters.bind(Uuid::from_u128(*fingerprint))))
        }
        _ => None,
    })
}

/// The issues of records with a fingerprint: one of any level belongs to one issue, or is one that was split.
pub(super) fn issues_of(fingerprint: &str) -> String {
    format!(
        "(SELECT issue FROM fingerprints WHERE fingerprint = {fingerprint} LIMIT 1)
         UNION SELECT issue FROM triage WHERE split_from = {fingerprint}"
    )
}

/// The condition on the event that all matching records are of.
pub(super) fn event(query: &Expression, parameters: &mut Parameters) -> Option<String> {
    parts(query)
        .into_iter()
        .find(|part| matches!(part, Expression::Is(Condition::Event(_))))
        .map(|event| of_records(event, parameters))
}

/// What the expression says about the time of all matching records, as conditions on `records r`.
pub(super) fn moments(query: &Expression, parameters: &mut Parameters) -> Vec<String> {
    let moments = parts(query).into_iter().filter(|part| is_moment(part));
    moments.map(|part| of_records(part, parameters)).collect()
}

/// The rest of it, without the host that all matching records are of and are found by.
pub(super) fn rest(query: &Expression, found_by: Option<&str>, parameters: &mut Parameters) -> Vec<String> {
    let is_found_by = |part: &Expression| found_by.is_some() && only_host(part) == found_by;
    let rest = parts(query)
        .into_iter()
        .filter(|part| !is_moment(part) && !is_found_by(part));
    rest.map(|part| of_records(part, parameters)).collect()
}

fn is_moment(part: &Expression) -> bool {
    matches!(part, Expression::Is(Condition::After(_) | Condition::Before(_)))
}

/// The parts that all must hold.
fn parts(query: &Expression) -> Vec<&Expression> {
    match query {
        Expression::All(all) => all.iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

/// The expression as a condition on `records r`. It is true or false, never null.
pub(super) fn of_records(expression: &Expression, parameters: &mut Parameters) -> String {
    sql(expression, &mut |condition| of_record(condition, parameters))
}

/// The expression as a condition on `v_issues i`, likewise.
pub(super) fn of_issues(expression: &Expression, parameters: &mut Parameters) -> String {
    sql(expression, &mut |condition| of_issue(condition, parameters))
}

/// The expression as a condition on `hosts f`, likewise.
pub(super) fn of_hosts(expression: &Expression, parameters: &mut Parameters) -> String {
    sql(expression, &mut |condition| of_host(condition, parameters))
}

fn sql(expression: &Expression, is: &mut impl FnMut(&Condition) -> String) -> String {
    let mut joined = |parts: &[Expression], by: &str| {
        let parts: Vec<String> = parts.iter().map(|part| sql(part, is)).collect();
        format!("({})", parts.join(by))
    };
    match expression {
        Expression::All(parts) if parts.is_empty() => "true".to_owned(),
        Expression::All(parts) => joined(parts, " AND "),
        Expression::Any(parts) => joined(parts, " OR "),
        Expression::Not(part) => format!("NOT {}", sql(part, is)),
        Expression::Is(condition) => is(condition),
    }
}

/// What nothing of the subject has. The parser lets no such key by.
fn none() -> String {
    "false".to_owned()
}

fn of_record(condition: &Condition, parameters: &mut Parameters) -> String {
    match condition {
        Condition::Text(text) => has_text("r.title", text, parameters),
        Condition::Matches(field, pattern) => matches(*field, pattern, parameters),
        Condition::Severity(comparison, severity) => {
            compares("r.severity", *comparison, &parameters.bind(severity.number()))
        }
        Condition::Issue(issue) => {
            let issue = shown(&parameters.bind(Uuid::from_u128(*issue)));
            // Never null, so that it can be negated.
            format!("coalesce({}, false)", is_of_issue("r.issue", &issue))
        }
        Condition::Fingerprint(fingerprint) => {
            let fingerprint = parameters.bind(Uuid::from_u128(*fingerprint));
            format!("(r.fingerprints @> ARRAY[{fingerprint}::uuid])")
        }
        Condition::Event(event) => {
            let event = parameters.bind(Uuid::from_u128(*event));
            // Never null, and by the index on events.
            format!("(r.event_id IS NOT NULL AND r.event_id = {event})")
        }
        Condition::Payload(pattern) => {
            // Texts of a record are in its bytes as they are.
            let text = parameters.bind(format!("%{}%", pattern.like()).into_bytes());
            format!("(r.record LIKE {text})")
        }
        Condition::After(moment) => format!("(r.received_at >= {})", of_moment(*moment, parameters)),
        Condition::Before(moment) => format!("(r.received_at < {})", of_moment(*moment, parameters)),
        Condition::Housekeeping(true) => "r.housekeeping".to_owned(),
        Condition::Housekeeping(false) => "(NOT r.housekeeping)".to_owned(),
        Condition::State(_) | Condition::Hosts(..) | Condition::Records(..) => none(),
    }
}

/// Those of kernels, builds and the like are of issues that were seen in them.
fn of_issue(condition: &Condition, parameters: &mut Parameters) -> String {
    match condition {
        Condition::Text(text) => has_text("i.title", text, parameters),
        Condition::Matches(field, pattern) => match field {
            Field::Class => like("i.class", pattern, parameters),
            Field::Owner => like("i.owner", pattern, parameters),
            Field::Kernel => seen_in("", &like("s.kernel_release", pattern, parameters)),
            Field::Build => seen_in("", &like("s.os_build", pattern, parameters)),
            Field::Model => seen_in("", &like("s.product", pattern, parameters)),
            Field::Host | Field::Os | Field::Arch | Field::Cpu | Field::Bios => seen_in(
                "JOIN hosts f ON f.agent_id = s.agent_id",
                &matches_host(*field, pattern, parameters),
            ),
        },
        Condition::Severity(comparison, severity) => compares(
            "i.severity::smallint",
            *comparison,
            &parameters.bind(severity.number()),
        ),
        Condition::Hosts(comparison, number) => compares(
            "i.hosts::bigint",
            *comparison,
            &parameters.bind(i64::from(*number)),
        ),
        Condition::Records(comparison, number) => compares(
            "i.occurrences::bigint",
            *comparison,
            &parameters.bind(i64::from(*number)),
        ),
        Condition::State(state) => format!("(i.state = {})", parameters.bind(state.name())),
        Condition::Issue(issue) => {
            let issue = parameters.bind(Uuid::from_u128(*issue));
            format!("(i.issue = {})", shown(&issue))
        }
        Condition::After(moment) => format!("(i.last_seen >= {})", of_moment(*moment, parameters)),
        Condition::Before(moment) => format!("(i.first_seen < {})", of_moment(*moment, parameters)),
        Condition::Fingerprint(_)
        | Condition::Event(_)
        | Condition::Payload(_)
        | Condition::Housekeeping(_) => none(),
    }
}

fn of_host(condition: &Condition, parameters: &mut Parameters) -> String {
    match condition {
        Condition::Text(text) => has_text("f.hostname", text, parameters),
        Condition::Matches(field, pattern) => matches_host(*field, pattern, parameters),
        Condition::After(moment) => format!("(f.last_seen >= {})", of_moment(*moment, parameters)),
        Condition::Before(moment) => format!("(f.last_seen < {})", of_moment(*moment, parameters)),
        _ => none(),
    }
}

/// The issue, or one that was merged into it, was seen so.
fn seen_in(join: &str, condition: &str) -> String {
    let of_issue = is_of_issue("s.issue", "i.issue");
    format!("EXISTS (SELECT FROM sightings s {join} WHERE {of_issue} AND {condition})")
}

/// A column is an issue, or one that was merged into it: by the index on the column.
fn is_of_issue(column: &str, issue: &str) -> String {
    format!(
        "{column} = ANY (array_prepend({issue}, ARRAY(SELECT issue FROM triage WHERE merged_into = {issue})))"
    )
}

fn has_text(column: &str, text: &str, parameters: &mut Parameters) -> String {
    let text = parameters.bind(text.to_owned());
    format!("(strpos(lower({column}), lower({text})) > 0)")
}

fn compares(column: &str, comparison: Comparison, value: &str) -> String {
    let operator = match comparison {
        Comparison::Equal => "=",
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
    };
    format!("({column} {operator} {value})")
}

fn of_moment(moment: Moment, parameters: &mut Parameters) -> String {
    match moment {
        Moment::Ago(seconds) => {
            let seconds = parameters.bind(f64::from(seconds));
            format!("now() - make_interval(secs => {seconds})")
        }
        Moment::At(at) => parameters.bind(Micros(at.as_microsecond())),
    }
}

fn matches(field: Field, pattern: &Pattern, parameters: &mut Parameters) -> String {
    let of_host = |condition: String| {
        format!("EXISTS (SELECT FROM hosts f WHERE f.agent_id = r.agent_id AND {condition})")
    };
    match field {
        Field::Class => like("r.class", pattern, parameters),
        Field::Kernel => like("r.kernel_release", pattern, parameters),
        _ => of_host(matches_host(field, pattern, parameters)),
    }
}

/// What is known about hosts as a condition on `hosts f`.
fn matches_host(field: Field, pattern: &Pattern, parameters: &mut Parameters) -> String {
    let column = match field {
        Field::Class | Field::Owner => return none(),
        Field::Host => {
            let hostname = like("f.hostname", pattern, parameters);
            let agent_id = pattern.exact().and_then(|host| Uuid::try_parse(host).ok());
            return match agent_id {
                Some(agent_id) => format!("({hostname} OR f.agent_id = {})", parameters.bind(agent_id)),
                None => hostname,
            };
        }
        Field::Kernel => "f.kernel_release",
        Field::Build => "f.os_build",
        Field::Model => "f.product",
        Field::Os => "f.os_id",
        Field::Arch => "f.arch",
        Field::Cpu => "f.cpu_model",
        Field::Bios => "f.bios",
    };
    like(column, pattern, parameters)
}

fn like(column: &str, pattern: &Pattern, parameters: &mut Parameters) -> String {
    if let Some(text) = pattern.exact() {
        return format!("({column} = {})", parameters.bind(text.to_owned()));
    }
    if let Some(beginning) = pattern.prefix() {
        return format!("({column} ^@ {})", parameters.bind(beginning.to_owned()));
    }
    format!("({column} LIKE {})", parameters.bind(pattern.like()))
}
