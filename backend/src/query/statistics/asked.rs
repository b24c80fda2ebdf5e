//! Questions as the analysis takes them. A number that is zero was not asked with.

use proto::v1::{Dimension, PopulationDimension, Severity};
use tonic::Status;
use uuid::Uuid;

use crate::{
    analysis::usual,
    class, descriptors,
    record::check::text,
    store::{self, PopulationBy, Watch},
};

/// Names of builds, kernels and models, bytes.
const NAME_BYTES: usize = 256;

pub(super) fn dimension(by: i32) -> Result<store::Dimension, Status> {
    Ok(match enumerated("by", "Dimension", by)? {
        Dimension::Unspecified | Dimension::Build => store::Dimension::Build,
        Dimension::Kernel => store::Dimension::Kernel,
        Dimension::Model => store::Dimension::Model,
    })
}

pub(super) fn population_by(by: i32) -> Result<PopulationBy, Status> {
    Ok(match enumerated("by", "PopulationDimension", by)? {
        PopulationDimension::Unspecified | PopulationDimension::Build => PopulationBy::Build,
        PopulationDimension::Kernel => PopulationBy::Kernel,
        PopulationDimension::Model => PopulationBy::Model,
        PopulationDimension::Cpu => PopulationBy::Cpu,
        PopulationDimension::All => PopulationBy::All,
    })
}

fn enumerated<E: TryFrom<i32>>(field: &str, of: &str, number: i32) -> Result<E, Status> {
    descriptors::enumerated(field, of, number).map_err(Status::invalid_argument)
}

/// The name of a build, kernel or model, within its limit. The empty one is that of hosts that tell none.
pub(super) fn name(field: &str, name: Option<String>) -> Result<String, Status> {
    let missing = || Status::invalid_argument(format!("{field} is missing: say which is meant"));
    let name = name.ok_or_else(missing)?;
    text(field, &name, NAME_BYTES).map_err(Status::invalid_argument)?;
    Ok(name)
}

pub(super) fn issue(digits: &str) -> Result<Uuid, Status> {
    let parsed = Uuid::try_parse(digits);
    parsed.map_err(|_no_digits| Status::invalid_argument("issue is not 32 hexadecimal digits"))
}

pub(super) fn watch(asked_days: u32, min_severity: i32, class: &str) -> Result<Watch, Status> {
    let class = class::known(class).map_err(|bad| Status::invalid_argument(bad.to_string()))?;
    let min_severity = match enumerated("min_severity", "Severity", min_severity)? {
        Severity::Unspecified => Severity::Medium,
        severity => severity,
    };
    Ok(Watch {
        days: usual::days(asked_days),
        min_severity: i16::try_from(i32::from(min_severity)).unwrap_or_default(),
        class,
        issue: None,
    })
}

pub(super) fn or(asked: f64, usual: f64) -> f64 {
    if asked == 0.0 { usual } else { asked }
}
