//! What is known about the messages of `telemetry.v1` while the program runs, from the descriptors that were generated with
//! their code.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, EnumValueDescriptor, MessageDescriptor};
use proto::v1;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant of the program, read by every test")]
    // Invariant: FILE_DESCRIPTOR_SET is generated from the same files as the code; the tests of `http::json` decode it.
    DescriptorPool::decode(v1::FILE_DESCRIPTOR_SET).expect("the descriptors are whole")
});

/// A message that the query interfaces answer with.
pub(crate) trait Described: Message + Default + Sized {
    /// Its name in `telemetry.v1`.
    const NAME: &'static str;

    /// Its fields.
    fn descriptor() -> MessageDescriptor {
        let full_name = format!("telemetry.v1.{}", Self::NAME);
        let found = POOL.get_message_by_name(&full_name);
        #[expect(
            clippy::expect_used,
            reason = "a constant of the program, read by a test below"
        )]
        // Invariant: NAME is the name of a message of the .proto files.
        found.expect("a message of telemetry.v1")
    }

    /// The same message, field by field.
    fn dynamic(&self) -> DynamicMessage {
        // Invariant: a message of telemetry.v1 encodes to bytes that its own descriptor decodes.
        DynamicMessage::decode(Self::descriptor(), &*self.encode_to_vec())
            .unwrap_or_else(|_impossible| DynamicMessage::new(Self::descriptor()))
    }
}

/// The fields of one of [`ANSWERED`].
pub(crate) fn message(name: &'static str) -> MessageDescriptor {
    let found = POOL.get_message_by_name(&format!("telemetry.v1.{name}"));
    #[expect(
        clippy::expect_used,
        reason = "a constant of the program, read by a test below"
    )]
    // Invariant: it is the name of a message of the .proto files.
    found.expect("a message of telemetry.v1")
}

/// A value of an enumeration of `telemetry.v1`, such as `Dimension`, by its number. The error says what there is.
pub(crate) fn enumerated<E: TryFrom<i32>>(field: &str, of: &str, number: i32) -> Result<E, String> {
    E::try_from(number).map_err(|_no_value| {
        let found = POOL.get_enum_by_name(&format!("telemetry.v1.{of}"));
        let told = |value: EnumValueDescriptor| format!("{} {}", value.number(), value.name());
        let values: Vec<String> = found
            .map(|found| found.values().map(told).collect())
            .unwrap_or_default();
        format!("{field} {number} is unknown: there are {}", values.join(", "))
    })
}

macro_rules! described {
    ($($name:ident),+ $(,)?) => {
        $(impl Described for v1::$name {
            const NAME: &'static str = stringify!($name);
        })+

        /// The names of all of them.
        pub(crate) const ANSWERED: &[&str] = &[$(stringify!($name)),+];
    };
}

described!(
    Build,
    Fault,
    Host,
    Issue,
    IssueChange,
    KnownHost,
    ListBuildsResponse,
    ListFaultsResponse,
    ListHostsResponse,
    ListIssueDaysResponse,
    ListIssuesResponse,
    ListPartsResponse,
    ListVariantsResponse,
    Part,
    ResolveFaultResponse,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_its_descriptor() {
        for name in ANSWERED {
            assert_eq!(message(name).name(), *name);
        }
    }
}
