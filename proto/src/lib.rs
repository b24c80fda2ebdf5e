//! `telemetry.v1`: the wire format.
//!
//! The messages are described, field by field with units and limits, in `telemetry/v1/*.proto`. The code under
//! `src/generated/` is made from them by `UPDATE_GENERATED=1 cargo test -p proto`, and the same test fails when it is
//! not current. Generated code is kept in git so that a build needs neither `protoc` nor a build script.

/// Messages, clients and servers of the package `telemetry.v1`.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    unreachable_pub,
    missing_debug_implementations,
    reason = "generated code"
)]
pub mod v1 {
    include!("generated/telemetry.v1.rs");

    /// The encoded `FileDescriptorSet`, for gRPC reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/telemetry.v1.fds");
}

/// Limits of the wire format, as the `.proto` files state them.
pub mod limits {
    /// Encoded size of a `Record`, bytes.
    pub const RECORD_BYTES: usize = 262_144;
    /// Encoded size of one stream message, bytes.
    pub const MESSAGE_BYTES: usize = 8 * 1024 * 1024;
    /// Records in a `Batch`.
    pub const BATCH_RECORDS: usize = 4096;
    /// `Record.title`, bytes.
    pub const TITLE_BYTES: usize = 256;
    /// `Record.class`, characters.
    pub const CLASS_CHARS: usize = 64;
    /// `KernelReport.text`, bytes.
    pub const REPORT_TEXT_BYTES: usize = 131_072;
    /// `Custom.payload`, bytes.
    pub const CUSTOM_PAYLOAD_BYTES: usize = 65_536;
    /// `Custom.classification`, bytes.
    pub const CLASSIFICATION_BYTES: usize = 122;
    /// `Custom.fields` and `KernelEvent.fields`.
    pub const FIELDS: usize = 64;
    /// `EventField.name`, bytes.
    pub const FIELD_NAME_BYTES: usize = 64;
    /// `EventField.text` and `EventField.bytes`, bytes.
    pub const FIELD_VALUE_BYTES: usize = 1024;
    /// `DeliverResponse.known_fixes`.
    pub const KNOWN_FIXES: usize = 16;
    /// Each text of a `KnownFix`, bytes.
    pub const FIX_BYTES: usize = 4096;
    /// `Undecodable.bytes`, bytes.
    pub const UNDECODABLE_BYTES: usize = 65_536;
    /// `certificate_request` of enrolment, bytes.
    pub const CERTIFICATE_REQUEST_BYTES: usize = 4096;
    /// `EnrolRequest.token`, bytes.
    pub const TOKEN_BYTES: usize = 128;
    /// `Host.command_line`, bytes.
    pub const COMMAND_LINE_BYTES: usize = 2048;
    /// `Host.livepatches`.
    pub const LIVEPATCHES: usize = 64;
    /// `Host.privacy`.
    pub const PRIVACY: usize = 32;
    /// `Host.modules`.
    pub const MODULES: usize = 512;
    /// `Host.dimms`.
    pub const DIMMS: usize = 256;
    /// `Loss.examples`.
    pub const LOSS_EXAMPLES: usize = 8;
    /// `LossExample.text`, bytes.
    pub const LOSS_EXAMPLE_BYTES: usize = 256;
    /// `Heartbeat.losses`.
    pub const LOSS_COUNTS: usize = 64;
    /// `ListFaultsRequest.page_size`.
    pub const PAGE_SIZE: u32 = 500;
}

/// Why a collector refuses an agent: reasons of `google.rpc.ErrorInfo`, as `enrolment.proto` states them.
pub mod reasons {
    /// Domain of the reasons.
    pub const DOMAIN: &str = "telemetry.v1";
    /// The token is not good.
    pub const TOKEN_REFUSED: &str = "TOKEN_REFUSED";
    /// The agent has a certificate already.
    pub const ALREADY_ENROLLED: &str = "ALREADY_ENROLLED";
    /// The agent was shut out.
    pub const AGENT_REVOKED: &str = "AGENT_REVOKED";
    /// There is no certificate, or none that counts.
    pub const CERTIFICATE_REQUIRED: &str = "CERTIFICATE_REQUIRED";
    /// The certificate is over.
    pub const CERTIFICATE_EXPIRED: &str = "CERTIFICATE_EXPIRED";
    /// The certificate is of another agent.
    pub const AGENT_MISMATCH: &str = "AGENT_MISMATCH";
}
