//! The bytes between programs and the agent on its local socket, in both of its languages.
//!
//! A connection carries one record. Its first four bytes tell the language: [`framed::MAGIC`] opens a [`framed`] message,
//! which is answered by another; everything else is the size of a [`legacy`] frame, which Clear Linux's clients write and
//! which is answered by a line of text. Both say a [`Submission`], and [`rules`] says which ones are taken.

pub mod framed;
pub mod legacy;
pub mod rules;

/// Where the agent listens when nobody says otherwise: where Clear Linux's did.
pub const SOCKET_PATH: &str = "/run/telem-0";
/// Where the file is that says that this host takes part: where Clear Linux's is.
pub const OPT_IN_FILE: &str = "/etc/telemetrics/opt-in";
/// Where the agent's configuration is.
pub const CONFIG_FILE: &str = "/etc/telemetrics/telemetrics.toml";
/// The folder beside it whose files change it.
pub const CONFIG_FOLDER: &str = "conf.d";

pub use proto::v1::{Receipt, RefusalReason, Refused, Severity, Submission, receipt::Outcome};
