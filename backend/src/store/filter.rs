//! `FaultFilter` as conditions of a query.

mod expression;

use ::filter::{Condition, Expression, Subject};
use proto::v1::{FaultFilter, Severity};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::StoreError;
use crate::class;
use crate::descriptors::enumerated;
use crate::record::check::text;

/// A query under construction: its parameters are numbered as they are bound.
#[derive(Default)]
pub(super) struct Parameters(Vec<Box<dyn ToSql + Sync + Send>>);

impl Parameters {
    /// Binds a value; gives its placeholder.
    pub(super) fn bind(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.0.push(Box::new(value));
        format!("${}", self.0.len())
    }

    /// How many were bound.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The values, as tokio-postgres takes them.
    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0
            .iter()
            .map(|value| -> &(dyn ToSql + Sync) { &**value })
            .collect()
    }
}

/// A filter with its query understood.
pub(super) struct Asked<'a> {
    filter: &'a FaultFilter,
    query: Expression,
}

impl<'a> Asked<'a> {
    pub(super) fn new(filter: &'a FaultFilter) -> Result<Self, StoreError> {
        let query = parsed(&filter.query, Subject::Faults)?;
        Ok(Self { filter, query })
    }

    /// Heartbeats and losses too, as far as the conditions let them.
    pub(super) fn include_housekeeping(&self) -> bool {
        let asked = |condition: &Condition| matches!(condition, Condition::Housekeeping(_));
        self.filter.include_housekeeping || self.any(&asked)
    }

    /// Whether the query has such a condition anywhere.
    pub(super) fn any(&self, such: &impl Fn(&Condition) -> bool) -> bool {
        self.query.any(such)
    }

    /// Checks the host and turns it into a query of its agents. None: all agents.
    pub(super) fn agents(&self, parameters: &mut Parameters) -> Result<Option<String>, StoreError> {
        text("host", &self.filter.host, 256).map_err(StoreError::InvalidFilter)?;
        let Some(host) = Some(self.filter.host.as_str())
            .filter(|host| !host.is_empty())
            .or_else(|| self.only_host())
        else {
            return Ok(None);
        };
        let hostname = parameters.bind(storable(host)?);
        let agent_id = parameters.bind(Uuid::try_parse(host).ok());
        Ok(Some(format!(
            "SELECT agent_id FROM hosts WHERE hostname = {hostname} OR agent_id = {agent_id}"
        )))
    }

    /// The query of the issues that all matching records are of. None: of any.
    pub(super) fn issues(&self, parameters: &mut Parameters) -> Result<Option<String>, StoreError> {
        if self.filter.fingerprint.is_empty() {
            return Ok(expression::issues(&self.query, parameters));
        }
        let fingerprint = fingerprint(&self.filter.fingerprint)?;
        Ok(Some(expression::issues_of(&parameters.bind(fingerprint))))
    }

    /// The condition that matching records are of one event. None: of any, or of none.
    pub(super) fn event(&self, parameters: &mut Parameters) -> Option<String> {
        expression::event(&self.query, parameters)
    }

    /// Whether the field asks for this class, and no other.
    pub(super) fn is_of_class(&self, class: &str) -> bool {
        self.filter.class == class
    }

    /// Conditions on the time of `records r`, all of which must hold.
    pub(super) fn moments(&self, parameters: &mut Parameters) -> Vec<String> {
        expression::moments(&self.query, parameters)
    }

    /// Checks the rest and turns it into conditions on `records r`, all of which must hold, as must [`Self::moments`].
    /// Housekeeping as a field is not among them, nor the host: it depends on the query how they are found fast.
    pub(super) fn matching(&self, parameters: &mut Parameters) -> Result<Vec<String>, StoreError> {
        let mut conditions = fields(self.filter, parameters)?;
        conditions.extend(expression::rest(&self.query, self.only_host(), parameters));
        Ok(conditions)
    }

    /// The host by which the query's records are found, if it names one and the field does not.
    fn only_host(&self) -> Option<&str> {
        let by_field = !self.filter.host.is_empty();
        expression::only_host(&self.query).filter(|_host| !by_field)
    }
}

/// Checks a query for hosts and turns it into a condition on `hosts f`.
pub(super) fn of_hosts(query: &str, parameters: &mut Parameters) -> Result<String, StoreError> {
    Ok(expression::of_hosts(&parsed(query, Subject::Hosts)?, parameters))
}

/// Checks a query for issues and turns it into a condition on `v_issues i`.
pub(super) fn of_issues(query: &str, parameters: &mut Parameters) -> Result<String, StoreError> {
    Ok(expression::of_issues(
        &parsed(query, Subject::Issues)?,
        parameters,
    ))
}

fn parsed(query: &str, subject: Subject) -> Result<Expression, StoreError> {
    ::filter::parse(query, subject).map_err(|error| StoreError::InvalidFilter(format!("query, {error}")))
}

/// A class that is asked for, as [`of_class`] takes it.
pub(super) fn class(asked: &str) -> Result<String, StoreError> {
    class::written(asked).map_err(|bad| StoreError::InvalidFilter(bad.to_string()))
}

/// The condition that a column is of a class: that one, or any with this prefix where it ends in a dot. None: any class at all.
/// It has no NUL.
pub(super) fn of_class(column: &str, class: &str, parameters: &mut Parameters) -> Option<String> {
    let operator = match class.chars().next_back()? {
        '.' => "^@",
        _ => "=",
    };
    Some(format!(
        "{column} {operator} {}",
        parameters.bind(class.to_owned())
    ))
}

/// The same of a class that is known.
pub(super) fn class_is_of(known: &str, class: &str) -> bool {
    match class.chars().next_back() {
        None => true,
        Some('.') => known.starts_with(class),
        Some(_) => known == class,
    }
}

/// The same in SQL, for a class that is not known yet: a parameter or a column. Empty: any class at all.
pub(super) fn is_of_class(column: &str, class: &str) -> String {
    format!("({class} IN ('', {column}) OR ({class} LIKE '%.' AND starts_with({column}, {class})))")
}

fn fields(filter: &FaultFilter, parameters: &mut Parameters) -> Result<Vec<String>, StoreError> {
    let mut conditions = Vec::new();
    let limit = |name: &str, value: &str, limit| text(name, value, limit).map_err(StoreError::InvalidFilter);

    conditions.extend(of_class("r.class", &class(&filter.class)?, parameters));
    let severity: Severity =
        enumerated("min_severity", "Severity", filter.min_severity).map_err(StoreError::InvalidFilter)?;
    if severity != Severity::Unspecified {
        let severity = parameters.bind(i16::try_from(filter.min_severity).unwrap_or_default());
        conditions.push(format!("r.severity >= {severity}"));
    }
    limit("kernel_release", &filter.kernel_release, 128)?;
    if !filter.kernel_release.is_empty() {
        let kernel_release = parameters.bind(storable(&filter.kernel_release)?);
        conditions.push(format!("r.kernel_release = {kernel_release}"));
    }
    if !filter.fingerprint.is_empty() {
        let fingerprint = parameters.bind(fingerprint(&filter.fingerprint)?);
        conditions.push(format!("r.fingerprints @> ARRAY[{fingerprint}::uuid]"));
    }
    Ok(conditions)
}

/// A fingerprint as it is stored. Upper-case digits are taken too.
pub(super) fn fingerprint(value: &str) -> Result<Uuid, StoreError> {
    let wrong = || StoreError::InvalidFilter("fingerprint is not 32 hexadecimal digits".to_owned());
    of_digits(value).ok_or_else(wrong)
}

/// The id of an issue, likewise.
pub(super) fn issue_id(value: &str) -> Result<Uuid, StoreError> {
    of_digits(value).ok_or(StoreError::InvalidIssueId)
}

fn of_digits(value: &str) -> Option<Uuid> {
    let digits = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| Uuid::try_parse(value).ok()).flatten()
}

/// Text with NUL matches nothing, and PostgreSQL would not even take it.
fn storable(value: &str) -> Result<String, StoreError> {
    if value.contains('\0') {
        return Err(StoreError::InvalidFilter("NUL is not allowed".to_owned()));
    }
    Ok(value.to_owned())
}
