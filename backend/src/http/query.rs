//! What a query string may ask for: the same for the REST API, the page and the live stream.
//!
//! Each parameter may be given once. An empty value is no filter, because that is what an HTML form sends.

use form_urlencoded::Serializer;
use proto::limits;
use proto::v1::{FaultFilter, ListFaultsRequest, Severity};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::class::{self, BadClass};
use crate::severity;

/// Bytes of a query string. All parameters at their limits fit.
pub(super) const QUERY_BYTES: usize = 12_288;
/// Bytes of a host name.
const HOST_BYTES: usize = 256;
/// Bytes of a kernel release.
const KERNEL_BYTES: usize = 128;
/// Hexadecimal digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 32;
/// Bytes of a page token.
const TOKEN_BYTES: usize = 512;

const HOST: &str = "a host name or an agent id, at most 256 bytes";
const KERNEL: &str = "a kernel release, at most 128 bytes";
const TOKEN: &str = "a next_page_token of this server";

/// What `class` takes, everywhere.
pub(super) const CLASS: &str = "a class such as `kernel.oops`, or `kernel.*` for all of kernel";

/// What chooses records, with what it takes.
const FILTER_PARAMETERS: [(&str, &str); 7] = [
    ("q", "a filter in the language of docs/filter.md"),
    ("class", CLASS),
    ("min_severity", "`low`, `medium`, `high`, `critical`, or 1 to 4"),
    ("host", "exact host name, or an agent's id"),
    ("kernel_release", "exact `uname -r`"),
    ("fingerprint", "32 hexadecimal digits, of any level"),
    (
        "include_housekeeping",
        "`true`, `false`: heartbeats and losses too",
    ),
];
/// What chooses a page of them.
const PAGE_PARAMETERS: [(&str, &str); 2] = [
    ("page_size", "1 to 500; 50 if nothing is said"),
    ("page_token", "`next_page_token` of the page before"),
];

/// The parameters that choose records, for the description of the API.
pub(super) struct FilterParameters;

/// Those, and the ones that choose a page of them.
pub(super) struct ListParameters;

impl IntoParams for FilterParameters {
    fn into_params(_place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        FILTER_PARAMETERS.map(described).to_vec()
    }
}

impl IntoParams for ListParameters {
    fn into_params(_place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let all = FILTER_PARAMETERS.into_iter().chain(PAGE_PARAMETERS);
        all.map(described).collect()
    }
}

/// A parameter, for the description of the API.
pub(super) fn described((name, takes): (&str, &str)) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(takes))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn names() -> impl Iterator<Item = &'static str> {
    let all = FILTER_PARAMETERS.iter().chain(&PAGE_PARAMETERS);
    all.map(|(name, _)| *name)
}

/// What was wrong with a query string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadQuery {
    /// It is longer than [`QUERY_BYTES`].
    #[error("the query string has more than {QUERY_BYTES} bytes")]
    TooLong,
    /// A parameter that nobody knows.
    #[error("unknown parameter {name:?}; there are {}", names().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// Its name, shortened.
        name: String,
    },
    /// A parameter given twice.
    #[error("{name} is given more than once")]
    Repeated {
        /// Its name.
        name: &'static str,
    },
    /// A value that is not allowed.
    #[error("{name} must be {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A class that nothing can be of.
    #[error(transparent)]
    Class(#[from] BadClass),
}

/// Reads the parameters of a list.
pub(super) fn parse(query: &str) -> Result<ListFaultsRequest, BadQuery> {
    let (request, other) = parse_with(query, None)?;
    debug_assert!(other.is_none(), "no other parameter was allowed");
    Ok(request)
}

/// Reads the parameters of a list and one more, `extra`, whose value is returned as it is.
pub(super) fn parse_with(
    query: &str,
    extra: Option<&'static str>,
) -> Result<(ListFaultsRequest, Option<String>), BadQuery> {
    if query.len() > QUERY_BYTES {
        return Err(BadQuery::TooLong);
    }
    let mut filter = FaultFilter::default();
    let mut request = ListFaultsRequest::default();
    let mut other = None;
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let name = known(&name, extra)?;
        if seen.contains(&name) {
            return Err(BadQuery::Repeated { name });
        }
        seen.push(name);
        if value.is_empty() {
            continue;
        }
        match name {
            // What is wrong with a filter, and where, is told by who understands it.
            "q" => filter.query = value.into_owned(),
            "class" => filter.class = class::written(&value)?,
            "min_severity" => filter.min_severity = severity(&value)?.into(),
            "host" => filter.host = text(name, &value, HOST_BYTES, HOST)?,
            "kernel_release" => filter.kernel_release = text(name, &value, KERNEL_BYTES, KERNEL)?,
            "fingerprint" => filter.fingerprint = fingerprint(&value)?,
            "include_housekeeping" => filter.include_housekeeping = flag(name, &value)?,
            "page_size" => request.page_size = page_size(&value)?,
            "page_token" => request.page_token = text(name, &value, TOKEN_BYTES, TOKEN)?,
            _ => other = Some(value.into_owned()),
        }
    }
    request.filter = Some(filter);
    Ok((request, other))
}

/// The query string of a list: `parse` reads it back.
pub(super) fn to_string(request: &ListFaultsRequest) -> String {
    let filter = request.filter.clone().unwrap_or_default();
    let page_size = if request.page_size == 0 {
        String::new()
    } else {
        request.page_size.to_string()
    };
    let mut query = Serializer::new(String::new());
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    };
    put("q", &filter.query);
    put("class", &filter.class);
    put("min_severity", severity::word(filter.min_severity()));
    put("host", &filter.host);
    put("kernel_release", &filter.kernel_release);
    put("fingerprint", &filter.fingerprint);
    put(
        "include_housekeeping",
        if filter.include_housekeeping { "true" } else { "" },
    );
    put("page_size", &page_size);
    put("page_token", &request.page_token);
    query.finish()
}

fn known(name: &str, extra: Option<&'static str>) -> Result<&'static str, BadQuery> {
    let mut all = names().chain(extra);
    all.find(|known| *known == name).ok_or_else(|| BadQuery::Unknown {
        name: name.chars().take(64).collect(),
    })
}

pub(super) fn severity(value: &str) -> Result<Severity, BadQuery> {
    severity::of_word(value).ok_or(BadQuery::Value {
        name: "min_severity",
        expected: "low, medium, high, critical, or 1 to 4",
    })
}

fn fingerprint(value: &str) -> Result<String, BadQuery> {
    if value.len() != FINGERPRINT_DIGITS || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(BadQuery::Value {
            name: "fingerprint",
            expected: "32 hexadecimal digits",
        });
    }
    Ok(value.to_ascii_lowercase())
}

fn flag(name: &'static str, value: &str) -> Result<bool, BadQuery> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(BadQuery::Value {
            name,
            expected: "true or false",
        }),
    }
}

fn page_size(value: &str) -> Result<u32, BadQuery> {
    let expected = "a number from 1 to 500";
    let size = value
        .parse()
        .ok()
        .filter(|size| (1..=limits::PAGE_SIZE).contains(size));
    size.ok_or(BadQuery::Value {
        name: "page_size",
        expected,
    })
}

/// Text that PostgreSQL can hold: no control characters, U+0000 above all.
fn text(name: &'static str, value: &str, max: usize, expected: &'static str) -> Result<String, BadQuery> {
    if value.len() > max || value.chars().any(char::is_control) {
        return Err(BadQuery::Value { name, expected });
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests;
