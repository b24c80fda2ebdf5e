//! `telemctl preview`: what would leave this host, byte by byte.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use proto::v1::deliver_request::Message;
use proto::v1::{DeliverRequest, FILE_DESCRIPTOR_SET};
use serde::Serialize;
use telemd::cli;
use telemd::config::{Config, EXIT_USAGE};
use telemd::control::{self, AskError};
use telemd::text::{chain, hex_digits};

/// Show what waits to leave this host: the greeting, and every record that no collector has stored yet.
///
/// Messages are compressed by gRPC when they leave; these are the bytes before that. How records are put together into
/// messages depends on when they come; their bytes do not.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  telemctl preview\n  telemctl preview --hex\n  telemctl preview --json | jq .records[].title\n  \
                  telemctl preview --raw > waiting.bin   encoded DeliverRequests, each after its length as a varint\n\n\
                  Exit codes: 0 good, 1 telemd does not answer, 64 wrong command line or configuration."
)]
pub(crate) struct Options {
    /// Print the bytes of each message too.
    #[arg(long)]
    hex: bool,
    /// Print nothing but the bytes, each message after its length as protobuf does it.
    #[arg(long, conflicts_with = "hex")]
    raw: bool,
}

pub(crate) fn preview(options: &Options, config: &Config, json: bool) -> ExitCode {
    if options.raw && io::stdout().is_terminal() {
        cli::complain(
            "telemctl: --raw prints bytes, which are not for a terminal\n  redirect it into a file",
        );
        return ExitCode::from(EXIT_USAGE);
    }
    match show(options, config, json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            cli::complain(&format!(
                "telemctl: {}\n  `telemctl doctor` says more",
                chain(&failure)
            ));
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("telemd's answer is not understood: are telemctl and telemd of one version?")]
    Answer,
    #[error("cannot write to stdout")]
    Output(#[from] io::Error),
}

fn show(options: &Options, config: &Config, json: bool) -> Result<(), Failure> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).map_err(|_not_built_so| Failure::Answer)?;
    let mut from_seq = 0;
    loop {
        let waiting = control::waiting(&config.control_path, from_seq)?;
        let bytes = waiting.bytes().ok_or(Failure::Answer)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let message = DeliverRequest::decode(bytes.as_slice()).map_err(|_no_message| Failure::Answer)?;
        if options.raw {
            io::stdout().write_all(&message.encode_length_delimited_to_vec())?;
        } else {
            let shown = Shown::new(&pool, &message, &bytes).ok_or(Failure::Answer)?;
            cli::say(&if json {
                serde_json::to_string(&shown).unwrap_or_default()
            } else {
                shown.text(options.hex)
            });
        }
        if waiting.next_seq <= from_seq {
            return Err(Failure::Answer);
        }
        from_seq = waiting.next_seq;
    }
}

/// A message, decoded.
#[derive(Debug, Serialize)]
struct Shown {
    /// `hello`, `records` or `gap`.
    kind: &'static str,
    /// Length, bytes.
    bytes: usize,
    /// The bytes in hexadecimal digits.
    hex: String,
    /// First sequence of the records.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<u64>,
    /// The message, for one that has no records.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<DynamicMessage>,
    /// The records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<DynamicMessage>,
}

impl Shown {
    fn new(pool: &DescriptorPool, message: &DeliverRequest, bytes: &[u8]) -> Option<Self> {
        let decode = |name: &str, bytes: &[u8]| {
            let descriptor = pool.get_message_by_name(name)?;
            DynamicMessage::decode(descriptor, bytes).ok()
        };
        let mut shown = Self {
            kind: "hello",
            bytes: bytes.len(),
            hex: hex_digits(bytes),
            first_seq: None,
            message: None,
            records: Vec::new(),
        };
        match message.message.as_ref()? {
            Message::Hello(hello) => {
                shown.message = decode("telemetry.v1.Hello", &hello.encode_to_vec());
            }
            Message::Gap(gap) => {
                shown.kind = "gap";
                shown.first_seq = Some(gap.first_seq);
                shown.message = decode("telemetry.v1.Gap", &gap.encode_to_vec());
            }
            Message::Batch(batch) => {
                shown.kind = "records";
                shown.first_seq = Some(batch.first_seq);
                let records = batch.records.iter();
                // What cannot be understood leaves as it is; its bytes are among those of the message.
                shown.records = records
                    .filter_map(|bytes| decode("telemetry.v1.Record", bytes))
                    .collect();
            }
        }
        Some(shown)
    }

    fn text(&self, hex: bool) -> String {
        let mut text = match self.first_seq {
            Some(seq) => format!("{} from {seq} on, {} bytes", self.kind, self.bytes),
            None => format!("{}, {} bytes", self.kind, self.bytes),
        };
        for message in self.message.iter().chain(&self.records) {
            let decoded = serde_json::to_string_pretty(message).unwrap_or_default();
            text.push('\n');
            text.push_str(&decoded);
        }
        if hex {
            for line in self.hex.as_bytes().chunks(64) {
                text.push_str("\n    ");
                text.push_str(std::str::from_utf8(line).unwrap_or_default());
            }
        }
        text
    }
}
